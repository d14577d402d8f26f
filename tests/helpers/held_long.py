"""A made-up network whose allocations are held for long, so that few of all are."""

from __future__ import annotations

import numpy as np

from slicing_gym import get_scenario
from slicing_gym.allocation import share_out
from tests.helpers.histories import one_run
from twin import PERFORMANCE, Column, History

CARRIED = 60.0
"""Packets that a unit carries."""


def held_long_history(decisions: int, period: int = 16, seed: int = 0, few: int = 0) -> History:
    """A slice's delay grows with its load over its units, and its SSR is 1 where that is short: units never harm.

    Args:
        decisions: how many.
        period: intervals for which an allocation is held.
        seed: of all that is random.
        few: allocations that there are; 0: any number.
    """
    scenario, generator = get_scenario("paper-1mhz"), np.random.default_rng(seed)
    slices = scenario.num_slices
    levels = np.zeros((decisions + 1, slices))
    for t in range(decisions):
        levels[t + 1] = 0.95 * levels[t] + 0.15 * generator.normal(size=slices)
    hours = np.arange(decisions + 1)[:, None] * 2.0 * np.pi / 96.0 + np.array([0.0, 0.5, 2.5])
    arrivals = np.round(250.0 * (0.5 + 0.4 * np.cos(hours)) * np.exp(levels)).astype(np.int64)
    weights = generator.dirichlet(np.ones(slices), size=-(-decisions // period))
    if few:
        weights = weights[generator.integers(few, size=len(weights))]
    held = share_out(np.repeat(weights, period, axis=0)[:decisions], scenario.num_units)
    load = np.minimum(arrivals[1:] / (CARRIED * held), 0.985)
    delay = 4.0 / (1.0 - load) * np.exp(0.1 * generator.normal(size=load.shape))
    carried = np.minimum(arrivals[1:], CARRIED * held)
    performance = {
        "delay": delay,
        "ssr": (delay <= 20.0).astype(np.float64),
        "spectral_efficiency": 0.01 * carried.sum(axis=1),
    }
    return one_run(scenario, held, arrivals, performance, (Column("delay"), *PERFORMANCE))
