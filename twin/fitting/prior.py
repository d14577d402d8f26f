"""The prior of the ensemble: decisions that each member makes up where the history is silent."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from slicing_gym.allocation import allocation_units
from slicing_gym.ranking import count_allocations
from twin.data.history import History
from twin.data.layout import Layout
from twin.models.operations import Doubles, Floats
from twin.runtime import arrays, kernel
from twin.runtime.encoding import encode

PRIOR_REGIONS = 4
"""Regions of the allocations in each of which a member's prior is one random decision of the history."""

PRIOR_ROWS = 1024
"""Made-up decisions of a member's prior."""

NEAR = 0.3
"""Distance, in the logarithm of units, up to which a held allocation tells of another."""


def made_up_decisions(
    layout: Layout,
    scaler: arrays.Scaler,
    history: History,
    members: int,
    generator: np.random.Generator,
) -> tuple[Floats, Doubles]:
    """Decisions that each member of the ensemble makes up, on allocations far from those that the history held.

    Osband and Van Roy (2015, "Bootstrapped Thompson sampling and deep exploration"): members fitted to a bootstrap
    sample together with made-up decisions of their own stand for samples of the posterior. In each of a few regions of
    a member's own, an allocation brings what some decision of the history brought. The nearer an allocation is to held
    ones, the more often a decision of the history takes the place of a made-up one.

    Returns:
        Features (members n, F) and what was measured (members n, V), those of a member together.
    """
    allocation, encoded = layout.lifted(history.allocation), encode(layout, scaler, history)
    slices, number = layout.scenario.num_slices, count_allocations(layout.num_units, layout.scenario.num_slices)

    def allocations(*shape: int) -> npt.NDArray[np.int64]:
        actions = generator.integers(number, size=math.prod(shape))
        return allocation_units(actions, layout.num_units, slices).reshape(*shape, -1)

    units, centers = allocations(members, PRIOR_ROWS), allocations(members, PRIOR_REGIONS)
    region = _squared_distances(units, centers).argmin(axis=-1)  # (members, rows)
    rows = np.take_along_axis(generator.integers(len(allocation), size=centers.shape[:2]), region, axis=1).ravel()
    units, state = units.reshape(len(rows), -1), generator.integers(len(allocation), size=len(rows))
    known = generator.random(len(rows)) > _remoteness(units, allocation)
    units[known], rows[known] = allocation[state[known]], state[known]
    features = np.zeros((len(rows), layout.num_features), np.float32)
    before, held = encoded.before[state], encoded.held[state]
    kernel.encode(scaler, np.arange(len(rows)), before, held, units, encoded.controls[state], features)
    return features, encoded.measured[rows]


def _squared_distances(units: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Of allocations (..., n, S) and (..., m, S) by the ratios of their units (..., n, m)."""
    one, other = np.log(units), np.log(others)
    distance = sum((one[..., :, None, n] - other[..., None, :, n]) ** 2 for n in range(units.shape[-1]))
    return np.asarray(distance)


def _remoteness(units: npt.NDArray[np.int64], allocation: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """From 0 amid held allocations (n, S) to 1 far from all of them, for the allocations `units` (m, S)."""
    seen, counts = np.unique(allocation, axis=0, return_counts=True)
    near = np.zeros(len(units))
    for start in range(0, len(seen), 256):
        part = slice(start, start + 256)
        near += np.exp(-_squared_distances(units, seen[part]) / NEAR**2) @ (counts[part] / (counts[part] + 1.0))
    remote: npt.NDArray[np.float64] = 1.0 / (1.0 + near)
    return remote
