"""A made-up network in which slices borrow each other's unused units: what a slice gets depends on all."""

from __future__ import annotations

import numpy as np

from slicing_gym import allocation_table, get_scenario
from tests.helpers.histories import one_run
from twin import History


def borrowing_history(decisions: int, seed: int = 0) -> History:
    """Random decisions there; each slice needs six units at its nominal arrivals."""
    scenario, generator = get_scenario("paper-1mhz"), np.random.default_rng(seed)
    table = allocation_table(scenario.num_units, scenario.num_slices)
    held = table[generator.integers(len(table), size=decisions)]
    loads = generator.uniform(0.2, 1.8, size=(decisions + 1, scenario.num_slices))
    arrivals = np.round(loads * scenario.nominal_arrivals).astype(np.int64)
    needed = 6.0 * arrivals[:-1] / scenario.nominal_arrivals
    spare, lacking = np.maximum(held - needed, 0.0), np.maximum(needed - held, 0.0)
    share = np.minimum(spare.sum(axis=1) / np.maximum(lacking.sum(axis=1), 1e-9), 1.0)
    used = np.minimum(held, needed) + lacking * share[:, None]
    performance = {"ssr": np.minimum(used / needed, 1.0), "spectral_efficiency": 5.0 * used.sum(axis=1)}
    return one_run(scenario, held, arrivals, performance)
