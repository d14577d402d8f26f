"""`SimulatedCell`: histories recorded in the simulator, and held-out runs with their noise floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slicing_gym import Interval, Scenario, Simulator, allocation_units
from slicing_gym.allocation import MAX_LISTED
from twin.data.history import History
from twin.data.recorder import Recorder
from twin.fidelity.evaluator import NoiseFloor

FIRST_COPY = 2_000_000
"""Seed of the first copy of a cell; far from the seeds of cells."""


@dataclass(frozen=True)
class HeldOut:
    """Held-out runs of a simulated network.

    Args:
        history: the runs.
        noise_floor: what copies of the cell with resampled noise did under the same decisions.
        moments: the cell as it was after some decisions: rows of the history, and copies of the cell.
    """

    history: History
    noise_floor: NoiseFloor
    moments: list[tuple[int, Simulator]]


class SimulatedCell:
    """One cell under random decisions.

    Args:
        scenario: of the cell.
        seed: of the cell and of the decisions.
        threads: that share copies of the cell.
        fork_seed: 0 for the cell's own random streams; any other number forks the cell: the same users with resampled
            noise and other decisions.
        reserved: so many allocations, though at most a quarter, are never decided on (see `reserved`).
    """

    def __init__(self, scenario: Scenario, seed: int, threads: int = 1, fork_seed: int = 0, reserved: int = 0) -> None:
        self.scenario = scenario
        self._cell = Simulator(scenario, [seed], threads)
        if fork_seed:
            self._cell = self._cell.fork(0, [FIRST_COPY + 10_000 * fork_seed + seed])
        self._seed = seed
        count, random = scenario.num_allocations, np.random.default_rng([seed, 2])
        number = min(reserved, count // 4)
        self._allowed: npt.NDArray[np.int64] | None = None  # too many to list
        if count <= MAX_LISTED:
            order = random.permutation(count)
            actions, self._allowed = order[:number], order[number:]
        else:
            actions = random.choice(count, number, replace=False)
        self.reserved = allocation_units(actions, scenario.num_units, scenario.num_slices)
        self._random = np.random.default_rng([seed, 1, fork_seed])

    def record(self, decisions: int) -> History:
        """The next `decisions` random decisions, in episodes of the scenario."""
        recorder, length = Recorder(self.scenario), self.scenario.decisions_per_episode
        for number in range(decisions):
            if number % length == 0:
                recorder.begin(0, _info(self._cell.begin_episode()))
            recorder.add(0, _info(self._cell.advance(self._draw())))
        return recorder.history()

    def hold_out(self, runs: int, length: int, copies: int, every: int) -> HeldOut:
        """Further runs, of the cell and of copies of it.

        The copies have the cell's users and its load and meet the same decisions; their arrivals, packet sizes and
        fading are drawn with other seeds.

        Args:
            runs: how many.
            length: decisions of each.
            copies: of the cell.
            every: decisions between the moments that are kept.
        """
        recorder = Recorder(self.scenario)
        others = self._cell.fork(0, range(FIRST_COPY + copies * self._seed, FIRST_COPY + copies * (self._seed + 1)))
        measured, moments = [], []
        for run in range(runs):
            recorder.begin(0, _info(self._cell.begin_episode()))
            others.begin_episode()
            for number in range(length):
                units = self._draw()
                others.levels = np.repeat(self._cell.levels, copies, axis=0)
                recorder.add(0, _info(self._cell.advance(units)))
                measured.append(_measured(others.advance(units)))
                if number % every == every - 1:
                    moments.append((run * length + number, self._cell.clone()))
        return HeldOut(recorder.history(), NoiseFloor(np.array(measured)), moments)

    def _draw(self) -> npt.NDArray[np.int64]:
        """Any allocation that is not reserved."""
        scenario = self.scenario
        if self._allowed is not None:
            action = self._allowed[self._random.integers(len(self._allowed))]
            return allocation_units(action, scenario.num_units, scenario.num_slices)
        while True:
            units = allocation_units(
                self._random.integers(scenario.num_allocations), scenario.num_units, scenario.num_slices
            )
            if not (self.reserved == units).all(axis=1).any():
                return units


def _info(interval: Interval) -> dict[str, npt.NDArray[np.float64]]:
    """The info of one cell."""
    return {key: values[0] for key, values in interval.info().items()}


def _measured(interval: Interval) -> npt.NDArray[np.float64]:
    """The variables (k, V) of a twin of a simulator."""
    parts = [interval.arrivals, interval.ssr, interval.spectral_efficiency[:, None]]
    return np.concatenate(parts, axis=1)
