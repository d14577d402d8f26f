"""Whether an allocation was decided at the end of its interval or in force in it, by what explains the performance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

MOST_ROWS = 100_000
"""Decisions that are looked at."""

BINS = 12
"""Of about as many decisions each, by the units of a slice."""

FAR = 0.1
"""By how much more of the variance the other alignment explains where it is reported."""


class Alignment(NamedTuple):
    """How much of a column's variance the units of a slice explain, in the mean of the slices.

    Args:
        column: the performance.
        decided: by the units of the interval before.
        in_force: by the units of the same interval.
    """

    column: str
    decided: float
    in_force: float


def alignments(
    now: IntArray, following: IntArray, units: IntArray, performance: dict[str, FloatArray]
) -> list[Alignment]:
    """The two alignments for every performance column of slices, that with the greatest difference first.

    Args:
        now: numbers of intervals (n,).
        following: of the next ones (n,).
        units: of every interval (m, S).
        performance: columns (m, S); those of the cell (m,) are left out.
    """
    step = max(1, len(now) // MOST_ROWS)
    now, following = now[::step], following[::step]
    found = []
    for name, values in performance.items():
        if values.ndim == 2:
            brought = values[following]
            found.append(Alignment(name, explained(units[now], brought), explained(units[following], brought)))
    return sorted(found, key=lambda each: -abs(each.decided - each.in_force))


def explained(units: npt.NDArray[np.int64], values: FloatArray) -> float:
    """The share of the variance (n, S) within slices that bins of the slice's units explain, 0 to 1."""
    shares = [_explained(units[:, n], values[:, n]) for n in range(values.shape[1])]
    known = [share for share in shares if np.isfinite(share)]
    return float(np.mean(known)) if known else 0.0


def _explained(units: IntArray, values: FloatArray) -> float:
    """Of one slice; NaN where the values or the units do not vary. Corrected for the number of bins."""
    edges = np.unique(np.quantile(units, np.linspace(0.0, 1.0, BINS + 1)))
    bins = np.clip(np.searchsorted(edges, units, side="right") - 1, 0, max(len(edges) - 2, 0))
    number, total, largest = len(edges) - 1, float(values.var()), float(np.abs(values).max())
    if number < 2 or not 1e-12 * max(1.0, largest * largest) < total < np.inf or len(values) <= 2 * BINS:
        return float("nan")
    counts = np.bincount(bins, minlength=number)
    means = np.bincount(bins, weights=values, minlength=number) / np.maximum(counts, 1)
    within = float(((values - means[bins]) ** 2).mean())
    corrected = 1.0 - (within / (len(values) - number)) / (total / (len(values) - 1))
    return max(corrected, 0.0)
