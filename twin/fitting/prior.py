"""The prior of the ensemble: random functions by which its members differ where the history is silent."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from slicing_gym.allocation import allocation_units
from slicing_gym.ranking import count_allocations
from twin.data.history import History
from twin.data.layout import Layout
from twin.models.operations import Doubles, Floats
from twin.runtime import arrays, kernel
from twin.runtime.encoding import encode, standardised

PRIOR_REGIONS = 4
"""Regions of the allocations in each of which a member's function has one value."""

PRIOR_ROWS = 1024
"""Allocations at which the functions are known."""

NEAR = 0.3
"""Distance, in the logarithm of units, up to which a held allocation tells of another."""


def random_functions(
    layout: Layout,
    scaler: arrays.Scaler,
    history: History,
    members: int,
    generator: np.random.Generator,
) -> tuple[Floats, Doubles, Doubles]:
    """What each member of the ensemble is to differ by from their mean, on allocations anywhere.

    After Osband, Aslanides and Cassirer (2018, "Randomized prior functions for deep reinforcement learning"): where
    the history is silent, members differ by random functions of the allocation. In each of a few regions of a member's
    own such a function is what some decision of the history brought, compared with the mean of the history. The
    functions of all members add up to nothing, so that what the ensemble expects stays what the history says.

    Returns:
        Features (n, F); differences (members, n, V) of standardised values; and how much each counts (n,), the square
        of how remote its allocation is from those that the history held.
    """
    allocation, encoded = layout.lifted(history.allocation), encode(layout, scaler, history)
    units = _any_allocations(layout, PRIOR_ROWS, generator)
    centers = _any_allocations(layout, members * PRIOR_REGIONS, generator).reshape(members, PRIOR_REGIONS, -1)
    region = _squared_distances(np.broadcast_to(units, (members, *units.shape)), centers).argmin(axis=-1)
    rows = np.take_along_axis(generator.integers(len(allocation), size=centers.shape[:2]), region, axis=1)
    functions = standardised(scaler, encoded.measured)[rows]  # (members, n, V)
    state = generator.integers(len(allocation), size=len(units))
    features = np.zeros((len(units), layout.num_features), np.float32)
    before, held = encoded.before[state], encoded.held[state]
    kernel.encode(scaler, np.arange(len(units)), before, held, units, encoded.controls[state], features)
    return features, functions - functions.mean(axis=0), remoteness(units, allocation) ** 2


def mean_remoteness(layout: Layout, history: History) -> float:
    """How far the allocations that an environment offers are from those that the history held, from 0 to 1."""
    if layout.held:
        offered = layout.lifted(np.array(layout.held, np.int64))
    else:
        offered = _any_allocations(layout, PRIOR_ROWS, np.random.default_rng(0))
    return float(remoteness(offered, layout.lifted(history.allocation)).mean())


def _any_allocations(layout: Layout, number: int, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Random allocations (number, S), as `Layout.lifted` counts units."""
    slices = layout.scenario.num_slices
    actions = generator.integers(count_allocations(layout.num_units, slices), size=number)
    return allocation_units(actions, layout.num_units, slices)


def _squared_distances(units: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Of allocations (..., n, S) and (..., m, S) by the ratios of their units (..., n, m)."""
    one, other = np.log(units), np.log(others)
    distance = sum((one[..., :, None, n] - other[..., None, :, n]) ** 2 for n in range(units.shape[-1]))
    return np.asarray(distance)


def remoteness(units: npt.NDArray[np.int64], allocation: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """From 0 amid held allocations (n, S) to 1 far from all of them, for the allocations `units` (m, S)."""
    seen, counts = np.unique(allocation, axis=0, return_counts=True)
    near = np.zeros(len(units))
    for start in range(0, len(seen), 256):
        part = slice(start, start + 256)
        near += np.exp(-_squared_distances(units, seen[part]) / NEAR**2) @ (counts[part] / (counts[part] + 1.0))
    remote: npt.NDArray[np.float64] = 1.0 / (1.0 + near)
    return remote
