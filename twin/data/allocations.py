"""What the allocations of a history can teach: one that is always the same is no action, few of many are little."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from slicing_gym.ranking import count_allocations
from twin.data.history import History

IntArray = npt.NDArray[np.int64]

LITTLE = 0.05
"""Share of all allocations below which few of them were held."""

OFTEN = 10
"""Decisions for each held allocation, in the mean, from which on it matters that they are few: they are not random."""


def different(allocation: IntArray, num_units: int) -> IntArray:
    """The different rows of allocations (n, S), in lexicographic order."""
    base = num_units + 1
    if base ** allocation.shape[1] >= 2**62:
        return np.unique(allocation, axis=0)
    places = base ** np.arange(allocation.shape[1])[::-1]  # one number per row sorts far faster than rows do
    found: IntArray = np.unique(allocation @ places)[:, None] // places % base
    return found


def are_few(held: int, possible: int, decisions: int) -> bool:
    """Whether allocations that were held are a small share of all, and each was held many times in the mean."""
    return held < LITTLE * possible and held * OFTEN <= decisions


def about_allocations(history: History) -> list[str]:
    """That the allocation never changes, or that few of many were held, if it is so."""
    layout = history.layout
    if not layout.columns:
        return []  # arrivals alone: nothing depends on what was held
    held = len(different(history.allocation, layout.scenario.num_units))
    number = count_allocations(layout.num_units, layout.scenario.num_slices)
    if held == 1:
        return [
            f"the allocation is always {history.allocation[0].tolist()}: a constant is no action, and nothing is "
            "learned of what others would bring"
        ]
    if are_few(held, number, len(history)):
        return [f"{held} of {number} allocations ({held / number:.2%}): of others the twin can know little"]
    return []
