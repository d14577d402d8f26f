"""Whether an allocation column is decided for the next interval or in force in its own: which explains more?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.inspection.cells import FloatArray

LEAST = 24
"""Fewest intervals of a slice that say anything."""
MARGIN = 0.03
"""How much more of the variance an alignment has to explain to be taken."""
MOST = 20_000
"""Most intervals that are looked at."""
FOLDS = 5


@dataclass(frozen=True)
class Alignment:
    """How well the performance of an interval follows from its arrivals and an allocation.

    Args:
        column: the performance that was looked at.
        before: share of its variance that the allocation of the row before explains, on held-out intervals.
        same: that the allocation of the same row explains.
        neither: that the arrivals alone explain.
    """

    column: str
    before: float
    same: float
    neither: float

    @property
    def says(self) -> str:
        """What explains more: "decided" or "in_force"; "" if neither does."""
        if max(self.before, self.same) < self.neither + MARGIN or abs(self.before - self.same) < MARGIN:
            return ""
        return "decided" if self.before > self.same else "in_force"


def alignment_of(
    units: FloatArray, arrivals: FloatArray | None, performance: FloatArray, follows: npt.NDArray[np.bool_], column: str
) -> Alignment | None:
    """Compare the two; None if there are too few intervals.

    Args:
        units: (m, S) of the column.
        arrivals: (m, S), None if there are none.
        performance: (m, S).
        follows: (m - 1,) whether the next interval is that of the next time.
        column: name of the performance.
    """
    explained = []
    for number in range(units.shape[1]):
        pairs = np.flatnonzero(follows)[:MOST]
        target, before, same = performance[pairs + 1, number], units[pairs, number], units[pairs + 1, number]
        load = np.zeros(len(pairs)) if arrivals is None else arrivals[pairs + 1, number]
        good = np.isfinite(target) & np.isfinite(before) & np.isfinite(same) & np.isfinite(load)
        if good.sum() < LEAST or np.ptp(target[good]) == 0.0:
            continue
        parts = [_basis(load[good], each) for each in (before[good], same[good], np.zeros(good.sum()))]
        explained.append([_errors(basis, target[good]) for basis in parts])
    if not explained:
        return None
    errors = np.array(explained)  # (slices, 3, 2): squared error, and that of the mean
    shares = 1.0 - errors[..., 0].sum(axis=0) / errors[..., 1].sum(axis=0)
    return Alignment(column, *(float(max(share, 0.0)) for share in shares))


def _basis(load: FloatArray, units: FloatArray) -> FloatArray:
    """What service depends on: load, units, and the smaller of the two at several ratios between them."""
    load_scale, unit_scale = max(float(np.abs(load).mean()), 1e-12), max(float(np.abs(units).mean()), 1e-12)
    a, b = load / load_scale, units / unit_scale
    parts = [np.ones(len(a)), a, b, a * b]
    parts += [np.minimum(a, ratio * b) for ratio in (0.35, 0.6, 1.0, 1.6, 2.5)] if np.ptp(b) and np.ptp(a) else []
    parts += [np.minimum(b, knot) for knot in np.quantile(b, (0.2, 0.4, 0.6, 0.8))] if np.ptp(b) else []
    return np.stack(parts, axis=1)


def _errors(basis: FloatArray, target: FloatArray) -> tuple[float, float]:
    """Squared error of a ridge regression on intervals that it was not fitted to, and that of their mean."""
    squared = around_mean = 0.0
    fold = np.arange(len(target)) * FOLDS // len(target)
    for number in range(FOLDS):
        out = fold == number
        x, y = basis[~out], target[~out]
        penalty = 1e-3 * len(x) * np.eye(x.shape[1])
        penalty[0, 0] = 0.0
        weights = np.linalg.solve(x.T @ x + penalty + 1e-9 * np.eye(x.shape[1]), x.T @ y)
        squared += float(((target[out] - basis[out] @ weights) ** 2).sum())
        around_mean += float(((target[out] - y.mean()) ** 2).sum())
    return squared, around_mean
