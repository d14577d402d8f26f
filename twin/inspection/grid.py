"""Rows as intervals and slices: how many there are of each, and one value of each quantity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.data.logs.intervals import THE_ONLY
from twin.inspection.cells import Cells, FloatArray, IntArray
from twin.inspection.roles import MEANS, WORDS, says
from twin.inspection.timing import Timing


@dataclass(frozen=True)
class Grid:
    """Quantities by interval and slice: m intervals, S slices.

    Args:
        slices: what stands for each, as in the log.
        rows: how many there are (m, S).
        values: (m, S) by column; NaN where there are none.
        how: rows of a slice and interval became one: "once" (all had the same value), "sum" or "mean".
    """

    slices: tuple[Any, ...]
    rows: IntArray
    values: Mapping[str, FloatArray]
    how: Mapping[str, str]

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Where a slice has a row (m, S)."""
        return self.rows > 0


def total_of(grid: Grid, column: str | None) -> int | None:
    """The slice that is the sum of the others wherever all are there, by its number; None if there is none."""
    if column is None or len(grid.slices) < 3:
        return None
    values = grid.values[column]
    values = values[np.isfinite(values).all(axis=1)]
    rest = values.sum(axis=1, keepdims=True) - values
    if not len(values) or not (values > 0.0).any(axis=0).all():
        return None
    (found,) = np.nonzero((np.abs(values - rest) <= 1e-3 * np.abs(rest)).all(axis=0))
    return int(found[0]) if len(found) else None


def long_grid(cells: Mapping[str, Cells], slices: Cells | None, timing: Timing, names: list[str]) -> Grid:
    """The grid of rows that are one slice (or one of its users) in one interval.

    Args:
        cells: of all columns.
        slices: of the column that says which; None: there is one slice.
        timing: the intervals.
        names: of the quantities.
    """
    of_row = timing.of_row
    codes, labels = slice_codes(slices, len(of_row))
    width, number = len(labels), len(timing.time)
    known = (of_row >= 0) & (codes >= 0)
    place = of_row[known] * width + codes[known]
    size = number * width
    rows = np.bincount(place, minlength=size)
    values, how = {}, {}
    for name in names:
        given = cells[name].numbers[known]
        values[name], how[name] = _combined(name, place, given, size)
    shape = (number, width)
    return Grid(labels, rows.reshape(shape), {name: each.reshape(shape) for name, each in values.items()}, how)


def slice_codes(slices: Cells | None, number: int) -> tuple[IntArray, tuple[Any, ...]]:
    """The number of each row's slice (n,), -1 where it is not said, and what stands for each slice.

    They come in the order of their names.
    """
    if slices is None:
        return np.zeros(number, np.int64), (THE_ONLY,)
    known = ~np.isnan(slices.numbers)
    different, codes = np.unique(slices.numbers[known], return_inverse=True)
    of_row = np.full(number, -1, np.int64)
    of_row[known] = codes
    labels = tuple(slices.labels[int(each)] if slices.labels else int(each) for each in different)
    return of_row, labels


def wide_grid(cells: Mapping[str, Cells], wide: Mapping[str, str], slices: tuple[str, ...], timing: Timing) -> Grid:
    """The grid of rows that are one interval; `wide` has the pattern of columns by quantity."""
    number = len(timing.time)
    known = timing.of_row >= 0
    place = timing.of_row[known]
    rows = np.repeat(np.bincount(place, minlength=number)[:, None], len(slices), axis=1)
    values, how = {}, {}
    for quantity, pattern in wide.items():
        columns = [cells[pattern.replace("{slice}", name)].numbers[known] for name in slices]
        values[quantity] = np.stack([_combined(quantity, place, each, number)[0] for each in columns], axis=1)
        how[quantity] = "once"
    return Grid(slices, rows, values, how)


def _combined(name: str, place: IntArray, given: FloatArray, size: int) -> tuple[FloatArray, str]:
    """One value per place (size,), of those of the rows there, and how it was made."""
    filled = ~np.isnan(given)
    place, given = place[filled], given[filled]
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, place, given)
    np.maximum.at(high, place, given)
    there = np.isfinite(low)
    summed = (says(name, WORDS["rate"]) or says(name, WORDS["arrivals"])) and not says(name, MEANS)
    if not summed and (low[there] == high[there]).all():
        return np.where(there, low, np.nan), "once"
    total = np.bincount(place, given, size)
    count = np.bincount(place, minlength=size)
    how = "mean" if says(name, MEANS) or "%" in name else "sum"
    value = total / np.maximum(count, 1) if how == "mean" else total
    return np.where(there, value, np.nan), how


def wide_patterns(names: list[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Columns that are a quantity of a slice each: the pattern of each quantity, and the slices; both empty if none.

    `pkts_embb, pkts_mtc, prb_embb, prb_mtc` are pkts and prb of embb and mtc; so are `Vol [Mbit] embb, Vol [Mbit] mtc`.
    """
    best: tuple[dict[str, str], tuple[str, ...]] = ({}, ())
    for front, sign in ((True, "_"), (False, "_"), (True, " ")):
        found: dict[str, list[str]] = {}
        for name in names:
            head, mark, tail = name.rpartition(sign) if front else name.partition(sign)
            if mark and (
                sign == "_" or head.endswith(("]", ")", "%"))
            ):  # words stand apart, too, but not behind a unit
                found.setdefault(head if front else tail, []).append(tail if front else head)
        shared: dict[tuple[str, ...], list[str]] = {}
        for quantity, parts in found.items():
            if len(parts) >= 2:
                shared.setdefault(tuple(parts), []).append(quantity)
        for parts_of, quantities in shared.items():
            if len(quantities) >= 2 and len(quantities) * len(parts_of) > len(best[0]) * len(best[1]):
                marks = {name: f"{name}{sign}{{slice}}" if front else f"{{slice}}{sign}{name}" for name in quantities}
                best = (marks, parts_of)
    return best
