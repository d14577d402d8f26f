"""Rows of slices: brought together from rows of users, and freed of rows that stand there twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.data.logs.mapping import LogMapping
from twin.data.logs.rows import Rows

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Long:
    """Rows in the order of run, interval and slice (n,).

    Args:
        run, interval, slices: of each row.
        columns: values by the mapping's names, (n,) each.
        place: number of the first of `Rows` that each is made of.
        missing: whether a value of it was not measured.
    """

    run: npt.NDArray[Any]
    interval: IntArray
    slices: npt.NDArray[Any]
    columns: dict[str, npt.NDArray[Any]]
    place: IntArray
    missing: BoolArray

    def take(self, rows: npt.NDArray[Any]) -> Long:
        """Some of the rows, by a mask or by numbers."""
        return Long(
            self.run[rows],
            self.interval[rows],
            self.slices[rows],
            {name: values[rows] for name, values in self.columns.items()},
            self.place[rows],
            self.missing[rows],
        )

    def in_order(self, by: npt.NDArray[Any] | None = None) -> Long:
        """The rows by run, interval and slice (and `by`); themselves where they are so already."""
        keys = [self.run, self.interval, self.slices] + ([] if by is None else [by])
        equal = np.ones(max(len(self.run) - 1, 0), np.bool_)
        falling = np.zeros_like(equal)
        for key in keys:
            falling |= equal & (key[1:] < key[:-1])
            equal &= key[1:] == key[:-1]
        return self.take(np.lexsort(keys[::-1])) if falling.any() else self

    def same_as_before(self, with_slice: bool = True) -> BoolArray:
        """Whether a row is of the interval (and slice) of the row before it (n - 1,)."""
        same: BoolArray = (self.run[1:] == self.run[:-1]) & (self.interval[1:] == self.interval[:-1])
        return same & (self.slices[1:] == self.slices[:-1]) if with_slice else same

    def groups(self, with_slice: bool = True) -> tuple[IntArray, IntArray]:
        """The first row of each interval (and slice), and how many rows it has."""
        first = np.flatnonzero(np.concatenate([[True], ~self.same_as_before(with_slice)]))
        return first, np.diff(np.append(first, len(self.run)))


def without_doubles(long: Long, rows: Rows, mapping: LogMapping, by: str | None = None) -> tuple[Long, int]:
    """The rows without those that are the same as the row before, and how many these were, if the mapping says so.

    Others of the same slice (and user) and interval are noted as faults.
    """
    same = long.same_as_before() & (long.slices[1:] >= 0)  # slices that are not mapped are noted, and may be several
    if by is not None:
        same &= long.columns[by][1:] == long.columns[by][:-1]
    if not same.any():
        return long, 0
    first = np.flatnonzero(same)
    identical = np.ones(len(first), np.bool_)
    for values in long.columns.values():
        one, other = values[first], values[first + 1]
        identical &= (one == other) | ((one != one) & (other != other))
    refused = first[~identical] if mapping.drop_identical else first
    alike = dict(zip(first.tolist(), identical.tolist(), strict=True))
    lines = long.place[refused + 1]
    rows.note(lines, lambda i: _twice(long, rows, mapping, int(refused[i]), alike[int(refused[i])]))
    if not mapping.drop_identical:
        return long, 0
    kept = np.ones(len(long.run), np.bool_)
    kept[first[identical] + 1] = False
    return long.take(kept), int(identical.sum())


def _twice(long: Long, rows: Rows, mapping: LogMapping, row: int, identical: bool) -> str:
    """That a slice stands twice in an interval."""
    one, other = sorted(int(place) for place in long.place[row : row + 2])
    hint = ", the same: drop_identical leaves it out" if identical else ", which differ"
    return (
        f"{when(long, rows, mapping, row)} has slice {mapping.values[long.slices[row]]!r} in {rows.where(one)} and "
        f"again in {rows.where(other)}{hint}; allowed is once"
    )


def when(long: Long, rows: Rows, mapping: LogMapping, row: int) -> str:
    """The interval of a row, for messages."""
    place = int(rows.rows_of(long.place[row : row + 1])[0])
    columns = rows.table.columns
    runs = [f"{name} {columns[name][place]}" for name in mapping.run_columns if name in columns]
    stamp = mapping.time.column if mapping.time is not None else mapping.interval
    value = long.interval[row] if mapping.time is None else columns[str(stamp)][place]
    return f"{stamp}: {value}" + (f" of {', '.join(runs)}" if runs else "")


def aggregated(long: Long, rows: Rows, mapping: LogMapping) -> Long:
    """One row per slice and interval, of rows of users in order; see `AggregateRule`."""
    assert mapping.aggregate is not None
    first, counts = long.groups()
    functions = {mapping.log_name(name): function for name, function in mapping.aggregate.functions.items()}
    for name in functions:
        if name not in long.columns and functions[name] != "count":
            raise ValueError(
                f"mapping.aggregate.{name}: no column that is read; allowed are "
                f"{', '.join(each for each in long.columns if each != mapping.aggregate.by)}"
            )
    columns = {}
    for name, values in long.columns.items():
        if name != mapping.aggregate.by:
            columns[name] = _brought_together(name, values, functions.get(name), first, counts, long, rows)
    columns |= dict.fromkeys(mapping.aggregate.counted, counts)
    together = long.take(first)
    return replace(together, columns=columns, missing=np.logical_or.reduceat(long.missing, first))


def _brought_together(
    name: str,
    values: npt.NDArray[Any],
    function: str | None,
    first: IntArray,
    counts: IntArray,
    long: Long,
    rows: Rows,
) -> npt.NDArray[Any]:
    """One value per group of rows."""
    if function in ("sum", "mean"):
        total = np.add.reduceat(values, first)
        return total if function == "sum" else total / counts
    if function in ("min", "max"):
        return np.asarray((np.minimum if function == "min" else np.maximum).reduceat(values, first))
    found: npt.NDArray[Any] = values[first]
    if function is None:
        repeated = np.repeat(found, counts)
        odd = np.flatnonzero((values != repeated) & ~((values != values) & (repeated != repeated)))
        rows.note(
            long.place[odd],
            lambda i: (
                f"{name}: {values[odd[i]]} in {rows.where(long.place[odd[i]])}, but {repeated[odd[i]]} in another "
                "row of its slice and interval; say under `aggregate` how to bring them together"
            ),
        )
    return found
