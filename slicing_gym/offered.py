"""What a cell's users offer, met by a link on which no packet waits: to say what share full queues admit."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from slicing_gym.allocation import even_split
from slicing_gym.radio import MAX_BLOCKS, Radio
from slicing_gym.scenario import Scenario
from slicing_gym.simulator import Simulator
from slicing_gym.standard_distributions import Constant


def ideal(scenario: Scenario) -> Scenario:
    """The scenario with packets of a byte and a link of some Gbit/s a block, a block for each user of a slice.

    When packets come depends on neither: random numbers of gaps and sizes are streams of their own.
    """
    radio = scenario.radio
    most_users = max(part.num_users for part in scenario.slices)
    blocks = min(max(2 * scenario.num_slices * most_users, scenario.num_units), MAX_BLOCKS)
    link = Radio(
        bandwidth_hz=radio.bandwidth_hz,
        resolution_hz=radio.resolution_hz,
        resource_block_hz=radio.bandwidth_hz / blocks,
        slot_s=radio.slot_s,
        slots_per_interval=radio.slots_per_interval,
        path_loss_intercept_db=0.0,
        path_loss_slope_db=0.0,
        multiplexing_gain=1e6,
        queue_capacity=max(radio.queue_capacity, 64),
    )
    byte = Constant(1.0)
    slices = [replace(part, traffic=replace(part.traffic, packet_size_byte=byte)) for part in scenario.slices]
    return replace(scenario, radio=link, slices=tuple(slices))


@lru_cache(maxsize=8)
def offered_packets(scenario: Scenario, seeds: tuple[int, ...], decisions: int) -> npt.NDArray[np.float64]:
    """Packets that the users of each slice offer in an evaluation: none waits for another (n, n_slices).

    Args:
        scenario: of the cells.
        seeds: of the cells (n,).
        decisions: in each; an episode follows the last, and each begins with an interval that does not count.
    """
    cells = Simulator(ideal(scenario), seeds)
    units = even_split(scenario.num_units, scenario.num_slices)
    total = np.zeros((len(seeds), scenario.num_slices))
    for decision in range(decisions):
        if decision % scenario.decisions_per_episode == 0:
            cells.begin_episode()
        total += cells.advance(units).arrivals
    total.flags.writeable = False  # callers share it
    return total
