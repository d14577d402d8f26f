"""The features of a slice: Gaussian processes over its units and its load, seen from a few inducing points."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

LOADS = (0.0, 0.15, 0.5, 1.0, 2.0, 4.0)
"""Inducing points of the load; 1 are the nominal arrivals."""

LEAST_LOAD = 0.05
"""Loads enter as logarithms, this being added: what is below hardly differs from nothing."""

LARGEST_LOAD = 2.0 * LOADS[-1]
"""Loads beyond are taken for it."""

OCTAVES = 0.75
"""Between two inducing points of the units; a slice's service breaks down within about a factor of two."""

UNITS_LENGTH = 0.8
"""Length scale of the units [octaves]."""

LOAD_LENGTH = 1.5
"""Length scale of the load [natural logarithm]."""

SHARED = 0.5
"""Share of the load's covariance that does not depend on the load: a new load is like those known, at first."""


def _covariance(one: FloatArray, other: FloatArray, length: float, shared: float) -> FloatArray:
    near = np.exp(-0.5 * ((one[..., None] - other) / length) ** 2)
    covered: FloatArray = (1.0 - shared) * near + shared
    return covered


def whitening(knots: FloatArray, length: float, shared: float) -> FloatArray:
    """The inverse (K, K) of the Cholesky factor of the covariance of the inducing points."""
    factor = np.linalg.cholesky(_covariance(knots, knots, length, shared) + 1e-6 * np.eye(len(knots)))
    return np.asarray(np.linalg.inv(factor), np.float64)


LOAD_KNOTS = np.log(np.array(LOADS) + LEAST_LOAD)
"""The inducing points on the scale of the load."""

LOAD_WHITENING = whitening(LOAD_KNOTS, LOAD_LENGTH, SHARED)


def load_place(loads: npt.ArrayLike) -> FloatArray:
    """Loads on the scale of the inducing points."""
    found: FloatArray = np.log(np.clip(np.asarray(loads, np.float64), 0.0, LARGEST_LOAD) + LEAST_LOAD)
    return found


class SliceBasis:
    """Features whose weights are independent standard normal numbers a priori.

    A function f(units, load) with the covariance k_units k_load is a weighted sum of products of an axis of units and
    an axis of load. An axis is the covariance with some inducing points, whitened (the projected process of
    Rasmussen and Williams 2006, section 8.3.1); the points cover all that a slice can meet, so that the variance stays
    the prior's wherever nothing was seen. Further groups of features: one that is linear in what the slice left
    unserved in the last interval, and one that is linear in the units.

    Args:
        num_units: units that are shared out.
        num_slices: slices that share them.

    Attributes:
        num_units: M, the most units that a slice can hold.
        groups: how many features each of the three groups has, in order: `smooth`, `left over`, `linear`.
    """

    def __init__(self, num_units: int, num_slices: int) -> None:
        self.num_units = num_units - num_slices + 1
        octaves = np.log2(self.num_units)
        knots = np.linspace(0.0, octaves, 1 + max(1, round(octaves / OCTAVES)))
        held = np.log2(np.arange(1, self.num_units + 1))
        self.units: FloatArray = _whitened(
            held, knots, whitening(knots, UNITS_LENGTH, 0.0), UNITS_LENGTH, 0.0
        )  # (M, A)
        self.groups = (self.units.shape[1] * len(LOADS), self.units.shape[1], len(LOADS))

    @property
    def width(self) -> int:
        """Features in all."""
        return sum(self.groups)

    @cached_property
    def share(self) -> FloatArray:
        """Units over the most that there are (M,)."""
        return np.arange(1, self.num_units + 1) / self.num_units

    def load(self, loads: npt.ArrayLike) -> FloatArray:
        """The axis of the load (..., B) for arrivals over nominal (...)."""
        return _whitened(load_place(loads), LOAD_KNOTS, LOAD_WHITENING, LOAD_LENGTH, SHARED)

    def features(self, units: npt.ArrayLike, loads: npt.ArrayLike, left_over: npt.ArrayLike) -> FloatArray:
        """The features (n, width) of n intervals.

        Args:
            units: held (n,).
            loads: arrivals over nominal in the interval before (n,).
            left_over: 1 - SSR of the interval before, 0 where it is not known (n,).
        """
        held = np.asarray(units) - 1
        along, load = self.units[held], self.load(loads)
        smooth = (along[:, :, None] * load[:, None, :]).reshape(len(held), -1)
        linear = self.share[held, None] * load
        return np.concatenate([smooth, along * np.asarray(left_over)[:, None], linear], axis=1)


def _whitened(values: FloatArray, knots: FloatArray, inverse: FloatArray, length: float, shared: float) -> FloatArray:
    """The covariances (..., K) with K inducing points, times the inverse of the Cholesky factor of theirs."""
    # A sum along the last axis alone, in a fixed order: a batch has the bits of its rows.
    found: FloatArray = (_covariance(values, knots, length, shared)[..., None, :] * inverse).sum(axis=-1)
    return found
