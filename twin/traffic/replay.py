"""`replay`: what reaches the simulator of a scenario's traffic, compared with what its traces ask for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slicing_gym import Scenario, Simulator, even_split

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Replay:
    """An episode of each of some cells under the even split (k cells, T intervals, S slices).

    Args:
        scenario: of the cells.
        wanted: packets that were to arrive (k, T, S): active users times what each sends.
        arrived: packets that joined a queue (k, T, S).
    """

    scenario: Scenario
    wanted: FloatArray
    arrived: FloatArray

    @property
    def kept_out(self) -> FloatArray:
        """Share of each slice's packets that full queues kept out (S,): what is missing, less what chance may take."""
        wanted, arrived = self.wanted.sum(axis=(0, 1)), self.arrived.sum(axis=(0, 1))
        share: FloatArray = np.maximum(wanted - arrived - 4.0 * np.sqrt(wanted), 0.0) / np.maximum(wanted, 1.0)
        return share

    @property
    def offered_bps(self) -> FloatArray:
        """What each slice sends on average (S,) [bit/s]."""
        sizes = [part.traffic.packet_size_byte.mean for part in self.scenario.slices]
        return np.array(sizes) * 8.0 * self.scenario.nominal_arrivals / self.scenario.radio.interval_s


def replay(scenario: Scenario, seeds: tuple[int, ...] = (0, 1)) -> Replay:
    """Run an episode on cells of these seeds, the bandwidth split evenly.

    Args:
        scenario: of any traffic.
        seeds: one per cell.
    """
    simulator = Simulator(scenario, seeds)
    simulator.begin_episode()
    users = np.array([part.num_users for part in scenario.slices])
    gaps = np.array([part.traffic.interarrival_s.mean for part in scenario.slices])
    units = even_split(scenario.num_units, scenario.num_slices)
    wanted, arrived = [], []
    for _ in range(scenario.decisions_per_episode):
        arrived.append(simulator.advance(units).arrivals.astype(np.float64))
        share, intensity = np.moveaxis(simulator.levels, 2, 0)
        wanted.append(np.floor(share * users + 0.5) * intensity * scenario.radio.interval_s / gaps)
    return Replay(scenario, np.stack(wanted, axis=1), np.stack(arrived, axis=1))
