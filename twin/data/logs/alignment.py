"""Whether an allocation was decided at the end of its interval or in force in it, by what explains the performance."""

from __future__ import annotations

from collections.abc import Sequence
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

TOLD_APART = 0.03
"""By how much more of the variance one alignment has to explain to be taken."""


class Alignment(NamedTuple):
    """How much of a column's variance the units of a slice explain, or its load per unit, in the mean of the slices.

    Args:
        column: the performance.
        decided: by the units of the interval before.
        in_force: by the units of the same interval.
        by_load: whether it is the load per unit that explains, where units changed.
    """

    column: str
    decided: float
    in_force: float
    by_load: bool = False

    @property
    def apart(self) -> float:
        """By how much more the one explains than the other."""
        return abs(self.decided - self.in_force)

    @property
    def says(self) -> str:
        """The one that explains more, "decided" or "in_force"; empty if that cannot be told."""
        if self.apart < TOLD_APART:
            return ""
        return "decided" if self.decided > self.in_force else "in_force"


def alignments(
    now: IntArray, following: IntArray, units: IntArray, performance: dict[str, FloatArray]
) -> list[Alignment]:
    """The two alignments by units for every performance column of slices.

    Args:
        now: numbers of intervals (n,).
        following: of the next ones (n,).
        units: of every interval (m, S).
        performance: columns (m, S); those of the cell (m,) are left out.
    """
    now, following = _fewer(now, following)
    found = []
    for name, values in performance.items():
        if values.ndim == 2:
            brought = values[following]
            found.append(Alignment(name, explained(units[now], brought), explained(units[following], brought)))
    return found


def alignments_by_load(
    now: IntArray,
    following: IntArray,
    units: IntArray,
    arrivals: IntArray | FloatArray,
    performance: dict[str, FloatArray],
) -> list[Alignment]:
    """The two alignments by the load per unit: what arrived in the next interval, divided by the units of either.

    Of intervals after which the units are the same nothing can be told, so only those before a change count. Columns
    that the load alone explains as well are left out: they say nothing of the units.

    Args:
        now: numbers of intervals (n,).
        following: of the next ones (n,).
        units: of every interval (m, S).
        arrivals: of every interval (m, S).
        performance: columns (m, S); those of the cell (m,) are left out.
    """
    changed = (units[now] != units[following]).any(axis=1)
    now, following = _fewer(now[changed], following[changed])
    if not len(now):
        return []
    load = arrivals[following]
    before, same = (load / np.maximum(units[which], _OF_NONE) for which in (now, following))
    found = []
    for name, values in performance.items():
        if values.ndim == 2:
            brought = values[following]
            each = Alignment(name, explained(before, brought), explained(same, brought), by_load=True)
            if max(each.decided, each.in_force) > explained(load, brought) + TOLD_APART:
                found.append(each)
    return found


_OF_NONE = 0.5
"""Units by which the load of a slice without any is divided: more falls on each than if it had one."""


def clearest(by_units: Sequence[Alignment], by_load: Sequence[Alignment]) -> Alignment | None:
    """That of the units with the greatest difference; if this is not far, that of the load, should it tell better.

    Units that follow the load are alike in neighbouring rows. Then they explain, the one alignment hardly better than
    the other, what the load explains.
    """
    units, load = (max(found, key=lambda each: each.apart, default=None) for found in (by_units, by_load))
    better = units is not None and load is not None and load.says and units.apart < min(load.apart, FAR)
    return load if better else units


def _fewer(now: IntArray, following: IntArray) -> tuple[IntArray, IntArray]:
    """At most about `MOST_ROWS` decisions, spread evenly."""
    step = max(1, len(now) // MOST_ROWS)
    return now[::step], following[::step]


def explained(units: IntArray | FloatArray, values: FloatArray) -> float:
    """The share of the variance (n, S) within slices that bins of the slice's units explain, 0 to 1."""
    shares = [_explained(units[:, n], values[:, n]) for n in range(values.shape[1])]
    known = [share for share in shares if np.isfinite(share)]
    return float(np.mean(known)) if known else 0.0


def _explained(units: IntArray | FloatArray, values: FloatArray) -> float:
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
