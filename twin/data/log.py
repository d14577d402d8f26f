"""Histories from a log of one's own network: CSV or Parquet files, read by a mapping of their columns."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from slicing_gym.allocation import are_not_allocations
from twin.data.checks import follows, is_not_whole
from twin.data.columns import Column
from twin.data.history import History
from twin.data.mapping import EfficiencyRule, LogMapping, SsrRule

__all__ = ["EfficiencyRule", "LogMapping", "SsrRule", "from_table", "read_log"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


def read_log(path: str | os.PathLike[str], mapping: LogMapping) -> History:
    """The history in a CSV or Parquet file.

    A decision of the history is an interval of the log and the next one: the first holds what was seen and decided, the
    second what came of it. The last interval of a run is therefore only an outcome. A gap in the numbers of the
    intervals cuts a run in two sequences (`History.sequences`).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: columns are missing or unknown; an interval lacks a slice or has it twice; a value is missing, not a
            number, or out of bounds; an allocation does not give all units away. The message names row and column (rows
            counted as in a text editor: the header is row 1).
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"history: the file {os.fspath(path)!r} does not exist")
    try:
        table = pd.read_parquet(file) if file.suffix.lower() == ".parquet" else _read_csv(file)
    except (ImportError, OSError):  # Parquet needs pyarrow; a file may be locked: neither is an error of its contents
        raise
    except Exception as error:  # the readers fail in many ways
        raise ValueError(f"history: {os.fspath(path)!r} is not a table ({error})") from error
    return from_table(table, mapping)


def _read_csv(file: Path) -> pd.DataFrame:
    """A CSV file with its empty lines, by which rows are counted, but for those at its end."""
    table = pd.read_csv(file, skip_blank_lines=False, low_memory=False)
    filled = np.flatnonzero(table.notna().any(axis=1).to_numpy())
    return table.iloc[: filled[-1] + 1 if len(filled) else 0]


def from_table(table: pd.DataFrame, mapping: LogMapping) -> History:
    """The history in a table; see `read_log`."""
    table = table.rename(columns=str).reset_index(drop=True)
    _check_names(table, mapping)
    for name in mapping.wanted():
        _check_cells(table[name], name, may_be_text=name in (mapping.run, mapping.slice))
    cube = _Cube(table, mapping)
    layout, rate = mapping.layout, mapping.spectral_efficiency
    performance = {column.name: cube.values(name, column) for name, column in mapping.columns().items()}
    if mapping.ssr is not None:
        performance["ssr"] = mapping.ssr(performance[mapping.ssr.column])
    if rate is not None:
        performance["spectral_efficiency"] = rate(mapping.scenario, performance[rate.column])
    now, following = cube.pairs()
    return History(
        **vars(layout),
        run=cube.run[now],
        interval=cube.interval[now],
        allocation=cube.allocation[now],
        arrivals=cube.arrivals[now],
        next_arrivals=cube.arrivals[following],
        performance={name: values[following] for name, values in performance.items()},
        controls={control.name: cube.choices(control.name, control.values)[now] for control in layout.control_columns},
    )


class _Cube:
    """The table by interval and slice: m intervals, S slices.

    Attributes:
        run, interval: of each interval (m,); runs are numbered as they come.
        arrivals, allocation: (m, S).
    """

    def __init__(self, table: pd.DataFrame, mapping: LogMapping) -> None:
        self._table, self._mapping = table, mapping
        names = table[mapping.run].to_numpy() if mapping.run else np.zeros(len(table), np.int64)
        run, self._runs = pd.factorize(names)
        interval = self._whole(mapping.interval)
        slices = self._slices()
        order = np.lexsort((slices, interval, run))
        keys = np.stack([run, interval, slices], axis=1)[order]
        self._check_complete(keys, order)
        self._rows = order.reshape(-1, len(mapping.slices))  # (m, S) rows of the table
        self.run, self.interval = run[self._rows[:, 0]], interval[self._rows[:, 0]]
        self.arrivals, self.allocation = self._arrivals(), self._allocation()

    def _slices(self) -> IntArray:
        """The number of each row's slice."""
        name, wanted = self._mapping.slice, self._mapping.slices
        places = {value: place for place, value in enumerate(wanted)}
        given = self._table[name].tolist()
        unknown = np.array([value not in places for value in given])
        if unknown.any():
            raise ValueError(
                f"{name}: {given[unknown.argmax()]!r} in row {_line(unknown)}, "
                f"allowed are {', '.join(map(repr, wanted))}"
            )
        return np.array([places[value] for value in given], np.int64)

    def _check_complete(self, keys: IntArray, order: IntArray) -> None:
        """Refuse an interval that has a slice twice, or lacks one; keys (run, interval, slice) of the rows in order."""
        name, wanted = self._mapping.interval, self._mapping.slices
        twice = (keys[1:] == keys[:-1]).all(axis=1)
        if twice.any():
            first = int(twice.argmax())
            a, b = sorted((int(order[first]) + 2, int(order[first + 1]) + 2))
            raise ValueError(
                f"{name}: {keys[first, 1]}{self._of_run(keys[first, 0])} has slice {wanted[keys[first, 2]]!r} in row "
                f"{a} and again in row {b}, allowed is once"
            )
        blocks, starts, counts = np.unique(keys[:, :2], axis=0, return_index=True, return_counts=True)
        lacking = counts < len(wanted)
        if lacking.any():
            block = int(lacking.argmax())
            rows = slice(starts[block], starts[block] + counts[block])
            absent = [repr(value) for place, value in enumerate(wanted) if place not in keys[rows, 2]]
            raise ValueError(
                f"{self._mapping.slice}: interval {blocks[block, 1]}{self._of_run(blocks[block, 0])} (row "
                f"{int(order[rows].min()) + 2}) lacks {', '.join(absent)}, "
                f"every interval needs {', '.join(map(repr, wanted))}"
            )

    def _of_run(self, run: int) -> str:
        """For messages."""
        return f" of {self._mapping.run} {self._runs[run]}" if self._mapping.run else ""

    def _arrivals(self) -> IntArray:
        """Packets (m, S), no more than an observation can show."""
        name, largest = self._mapping.arrivals, self._mapping.scenario.largest_arrivals
        given = self.values(name, Column("arrivals", whole=True))
        wrong = given > largest
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0])
            raise ValueError(
                f"{name}: {given[place]:g} in row {self._rows[place] + 2}, allowed are 0 to {largest[place[1]]:g}, the "
                "scenario's num_users x radio.queue_capacity x radio.slots_per_interval"
            )
        return given.astype(np.int64)

    def _allocation(self) -> IntArray:
        """Units (m, S): each slice has one or more, and all are given away."""
        name, units = self._mapping.allocation, self._mapping.scenario.num_units
        given = self._whole(name)[self._rows]
        wrong = are_not_allocations(given, units)
        if wrong.any():
            place = int(wrong.argmax())
            raise ValueError(
                f"{name}: {given[place].tolist()} in rows {(self._rows[place] + 2).tolist()}, allowed is at least 1 a "
                f"slice and {units} in all"
            )
        return given

    def choices(self, name: str, allowed: tuple[int, ...]) -> IntArray:
        """A column (m, S) whose values are some of a few."""
        given = self._whole(name)
        wrong = ~np.isin(given, allowed)
        if wrong.any():
            raise ValueError(
                f"{name}: {given[wrong.argmax()]} in row {_line(wrong)}, allowed are {', '.join(map(str, allowed))}"
            )
        return given[self._rows]

    def values(self, name: str, column: Column) -> FloatArray:
        """A column as (m, S), or (m,) if it is the cell's: then all slices must have the same value."""
        given = self._whole(name).astype(np.float64) if column.whole else self._table[name].to_numpy(np.float64)
        wrong = ~np.isfinite(given) | (given < column.lower) | (given > column.upper)
        if wrong.any():
            raise ValueError(
                f"{name}: {given[wrong.argmax()]:g} in row {_line(wrong)}, "
                f"allowed are {column.lower:g} to {column.upper:g}"
            )
        cube: FloatArray = given[self._rows]
        if column.per_slice:
            return cube
        differ = (cube != cube[:, :1]).any(axis=1)
        if differ.any():
            place = int(differ.argmax())
            raise ValueError(
                f"{name}: {cube[place].tolist()} in rows {(self._rows[place] + 2).tolist()}, allowed is the same for "
                "every slice, for it is a column of the cell (per_slice: false)"
            )
        return cube[:, 0].copy()

    def pairs(self) -> tuple[IntArray, IntArray]:
        """Numbers of the intervals that have a next one, and of those next ones.

        Raises:
            ValueError: no interval has.
        """
        now = np.flatnonzero(follows(self.run, self.interval))
        if len(now) == 0:
            raise ValueError(
                f"{self._mapping.interval}: no number follows another in any run, of which a decision is made up"
            )
        return now, now + 1

    def _whole(self, name: str) -> IntArray:
        """A column of whole numbers, by row of the table."""
        given = self._table[name].to_numpy()
        if not np.issubdtype(given.dtype, np.integer):
            given = self._table[name].to_numpy(np.float64)
        wrong = is_not_whole(given)
        if wrong.any():
            raise ValueError(f"{name}: {given[wrong.argmax()]:g} in row {_line(wrong)} is not a whole number")
        whole: IntArray = given.astype(np.int64)
        return whole


def _check_names(table: pd.DataFrame, mapping: LogMapping) -> None:
    """Refuse a table that lacks columns, or has some that the mapping does not name."""
    names = list(table.columns)
    for name in mapping.wanted():
        if name not in names:
            nearest = difflib.get_close_matches(name, names, n=1)
            likely = f"; is it {nearest[0]!r}?" if nearest else ""
            raise ValueError(
                f"history: the mapping wants column {name!r}, which the log lacks{likely} "
                f"(the log has {', '.join(names)})"
            )
    for name in names:
        if name not in (*mapping.wanted(), *mapping.unused):
            raise ValueError(f"history: the mapping does not name column {name!r}; use it, or list it under `unused`")
        if names.count(name) > 1:
            raise ValueError(f"history: {names.count(name)} columns {name!r} given, allowed is one")
    if table.empty:
        raise ValueError("history: the table has no rows")


def _check_cells(column: pd.Series[Any], name: str, may_be_text: bool) -> None:
    """Refuse empty cells, and text where numbers belong."""
    missing = column.isna().to_numpy()
    if missing.any():
        raise ValueError(f"{name}: nothing stands in row {_line(missing)}, allowed is a value in every row")
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if not numeric and not may_be_text:
        wrong = pd.to_numeric(column, errors="coerce").isna().to_numpy()
        raise ValueError(f"{name}: {column.tolist()[wrong.argmax()]!r} in row {_line(wrong)} is not a number")


def _line(wrong: npt.NDArray[np.bool_]) -> int:
    """The first row that is wrong, as a text editor counts."""
    return int(wrong.argmax()) + 2
