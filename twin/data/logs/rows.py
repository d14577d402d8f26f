"""The rows of a log, one of a slice (or user) each: columns by the mapping's names, checked, with what is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.data.columns import Column
from twin.data.logs.cells import LARGEST_WHOLE
from twin.data.logs.faults import RULES, Faults
from twin.data.logs.files import FILE
from twin.data.logs.mapping import REST, LogMapping
from twin.data.logs.reader import Table

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_TEXT_OF_NOTHING = ""
_IF_NOT_MEASURED = ' (or "" under missing, if it was not measured)'

_FRACTIONS = {
    "units": (" (as: share, if these are parts of 1; as: percent, if of 100)", ("allocation.as", "query")),
    "arrivals": (" (arrivals: {column: ..., unit: ...}, if it is a volume, as Mbit)", ("arrivals.unit", "query")),
}
"""What is said of units and arrivals that are no whole numbers, and the rules that help."""

_BLOCK = 1 << 18  # rows that are looked at together: columns are long


class Rows:
    """Rows of a table; where it is wide, each of them is one of every slice.

    Args:
        table: the log.
        mapping: what its columns mean.
        faults: where what is wrong is noted.

    Attributes:
        number: of rows.
        missing: which rows lack a value that the mapping's rules take for missing.
        cleaned: how many cells those are.
    """

    def __init__(self, table: Table, mapping: LogMapping, faults: Faults) -> None:
        self.table, self.mapping, self.faults = table, mapping, faults
        self._each = len(mapping.values) if mapping.wide else 1
        self.number = len(table) * self._each
        self.missing = np.zeros(self.number, np.bool_)
        self.cleaned = 0
        texts = [str(value) for value in mapping.missing]
        self._texts = {text.strip() for text in texts}
        self._numbers = np.array([float(text) for text in texts if _is_number(text)])
        if len(table.surplus):
            faults.add(table.surplus, lambda i: f"row {table.rows[table.surplus[i]]} has more fields than the header")

    def rows_of(self, places: IntArray) -> IntArray:
        """The table's rows of some of these rows."""
        return places // self._each if self._each > 1 else places

    def where(self, place: int) -> str:
        """A row for messages."""
        return self.table.where(int(place) // self._each)

    def note(self, places: IntArray, say: Callable[[int], str], rules: Sequence[str] = RULES) -> None:
        """Note that some rows are wrong; see `Faults.add`."""
        self.faults.add(self.rows_of(places), say, rules)

    def numbers(self, name: str, column: Column) -> npt.NDArray[Any]:
        """A column of numbers; cells that are wrong are noted, missing ones are NaN (0 where numbers are whole)."""
        parts = [self._number_column(raw, name, place) for place, raw in enumerate(self.mapping.raw_names(name))]
        values = self._spread(parts)
        self.check_bounds(name, values, column)
        return values

    def _number_column(self, raw: str, name: str, place: int) -> npt.NDArray[Any]:
        """One of the log's columns (of the slice `place` where the log is wide); what is no number is NaN."""
        values = self.table.columns[raw]
        if values.dtype.kind not in "iuf":
            rows = np.arange(len(values))
            texts = values.astype(object)
        elif raw in self.table.wrong:
            rows, texts = self.table.wrong[raw].rows, self.table.wrong[raw].texts
        else:
            rows, texts = np.empty(0, np.int64), np.empty(0, object)
        if len(rows):
            values = values.astype(np.float64) if values.dtype.kind in "iuf" else np.full(len(values), np.nan)
            refused = self._not_missing(rows, texts, place)
            shown, why = rows[refused], texts[refused]
            self.faults.add(shown, lambda i: self._about(name, raw, why[i], int(shown[i]), _IF_NOT_MEASURED))
        listed = np.isin(values, self._numbers) if len(self._numbers) else None
        if listed is not None and listed.any():
            values = np.where(listed, np.nan, values)
            self._miss(np.flatnonzero(listed), place)
        return values

    def _not_missing(self, rows: IntArray, texts: npt.NDArray[np.object_], place: int) -> BoolArray:
        """Which cells no rule takes for missing; the others are noted as missing.

        In a query what is no number is NULL, whatever text stood there: with any `missing` NULL is missing, too.
        """
        lacking = np.array([text is None for text in texts], np.bool_)
        listed = np.array([text is not None and str(text).strip() in self._texts for text in texts], np.bool_)
        if self.table.query:
            listed |= lacking & bool(self._texts)
        elif self.table.dialect is not None:
            listed |= lacking & (self.mapping.short_rows == "missing")
        else:
            listed |= lacking & (_TEXT_OF_NOTHING in self._texts)
        self._miss(rows[listed], place)
        return ~listed

    def _miss(self, rows: IntArray, place: int) -> None:
        self.cleaned += len(rows)
        if self.mapping.wide:
            self.missing[rows * self._each + place] = True
        else:
            self.missing[rows] = True

    def _about(self, name: str, raw: str, text: Any, row: int, hint: str = "") -> str:
        """What is wrong with a cell that holds no number."""
        where = self.table.where(row)
        key = name if name == raw or name not in self.mapping.wide else raw
        if text is None and self.table.dialect is not None and not self.table.query:
            return f"{key}: {where} is too short to have it"
        if text is None or not str(text).strip():
            return f"{key}: nothing stands in {where}, allowed is a value in every row{hint}"
        return f"{key}: {text!r} in {where} is not a number"

    def check_bounds(self, name: str, values: npt.NDArray[Any], column: Column) -> None:
        """Note values that the column may not have."""
        bounds = f"allowed are {column.lower:g} to {column.upper:g}"
        for start in range(0, len(values), _BLOCK):
            part = values[start : start + _BLOCK]
            known = ~np.isnan(part)
            if column.whole:
                broken = known & ((part != np.floor(part)) | (np.abs(part) > LARGEST_WHOLE))
                hint, rules = _FRACTIONS.get(column.name, ("", RULES))
                what = f" is not a whole number{hint}"
                self._note_values(name, values, np.flatnonzero(broken) + start, what, rules)
                known &= ~broken
            wrong = known & (np.isinf(part) | (part < column.lower) | (part > column.upper))
            self._note_values(name, values, np.flatnonzero(wrong) + start, f", {bounds}")

    def check_choices(self, name: str, values: npt.NDArray[Any], allowed: Sequence[int]) -> None:
        """Note values that are none of a few."""
        wrong = np.flatnonzero(~np.isin(values, allowed) & ~np.isnan(values))
        self._note_once(wrong, values, lambda place: f"{name}: {values[place]:g}", ", ".join(map(str, allowed)))

    def _note_values(
        self, name: str, values: npt.NDArray[Any], places: IntArray, what: str, rules: Sequence[str] = RULES
    ) -> None:
        """Note values at some places, and what is wrong with them."""
        self.note(places, lambda i: f"{name}: {values[places[i]]:g} in {self.where(places[i])}{what}", rules)

    def _note_once(self, places: IntArray, values: npt.NDArray[Any], say: Callable[[int], str], allowed: str) -> None:
        """Note values that are none of a few: each once, with its first row and how many others have it."""
        _, first, counts = np.unique(values[places], return_index=True, return_counts=True)

        def said(i: int) -> str:
            place, others = int(places[first[i]]), int(counts[i]) - 1
            more = f" and {others} more row{'' if others == 1 else 's'}" if others else ""
            return f"{say(place)} in {self.where(place)}{more}, allowed are {allowed}"

        in_order = np.argsort(first)  # of many values the first rows are listed
        first, counts = first[in_order], counts[in_order]
        self.note(places[first], said)

    def _spread(self, parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """One value per row of the parts, one of every slice, or one for all slices."""
        if not self.mapping.wide:
            return parts[0]
        if len(parts) == 1:
            return np.repeat(parts[0], self._each)
        return np.stack(parts, axis=1).ravel()

    def codes(self, name: str) -> tuple[npt.NDArray[Any], list[Any]]:
        """A column of names or numbers as numbers of its different values; empty cells are noted."""
        numbers, different = self.table.codes(name)
        empty = np.array([value is None or value == "" for value in different], np.bool_)
        if name in self.table.wrong:
            rows = self.table.wrong[name].rows
            self.faults.add(rows, lambda i: self._about(name, name, self.table.wrong[name].texts[i], int(rows[i])))
        elif empty.any():
            rows = np.flatnonzero(empty[numbers])
            self.faults.add(rows, lambda i: self._about(name, name, different[numbers[rows[i]]], int(rows[i])))
        return (np.repeat(numbers, self._each) if self._each > 1 else numbers), different

    def slices(self) -> npt.NDArray[Any]:
        """The number of each row's slice."""
        name, wanted = self.mapping.slice, self.mapping.values
        if name is None:
            return np.tile(np.arange(max(self._each, 1), dtype=np.int8), len(self.table))
        given, different = self.codes(name)
        places = {value: place for place, value in enumerate(wanted)}
        texts = {str(value): place for place, value in enumerate(wanted)}
        found = np.array([places.get(value, texts.get(str(value), -1)) for value in different], np.int8)
        unknown = np.array([value not in (None, "") for value in different], np.bool_) & (found < 0)
        rows = np.flatnonzero(unknown[given]) if unknown.any() else np.empty(0, np.int64)
        self._note_once(rows, given, lambda row: f"{name}: {different[given[row]]!r}", ", ".join(map(repr, wanted)))
        of_rows: npt.NDArray[Any] = found[given]
        return of_rows

    def runs(self) -> npt.NDArray[Any]:
        """The number of each row's run; runs are numbered as they come."""
        run: npt.NDArray[Any] = np.zeros(self.number, np.int32)
        for name in self.mapping.run_columns:
            if name == FILE and FILE not in self.table.columns:
                own = np.repeat(self.table.file, self._each) if self._each > 1 else self.table.file
            else:
                own, _ = self.codes(name)
            if len(own) and own.max() > 0:
                run = _as_they_come(run.astype(np.int64) * (int(own.max()) + 1) + own)
        return run.astype(np.int32, copy=False)

    def run_names(self, run: IntArray, places: IntArray) -> dict[int, str]:
        """What the log calls each run, by number; one that a pause has cut keeps its name. None without `run`.

        Args:
            run: of some rows (m,), as numbers.
            places: which rows these are (m,).
        """
        if not self.mapping.run_columns:
            return {}
        runs, first = np.unique(run, return_index=True)
        rows = self.rows_of(places[first]).tolist()
        return {number: self._run_name(row) for number, row in zip(runs.tolist(), rows, strict=True)}

    def _run_name(self, row: int) -> str:
        """What stands in the columns of the run of one of the table's rows; of a file its name."""
        found = []
        for name in self.mapping.run_columns:
            own = self.table.columns.get(name)
            text = str(own[row]) if own is not None else self.table.files[self.table.file[row]]
            found.append(Path(text).name if name == FILE else text)
        return ", ".join(found)


def _as_they_come(values: npt.NDArray[Any]) -> IntArray:
    """Numbers for values, from 0, in the order of their first rows."""
    _, first, numbers = np.unique(values, return_index=True, return_inverse=True)
    order = np.empty(len(first), np.int64)
    order[np.argsort(first, kind="stable")] = np.arange(len(first))
    return order[numbers]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_names(table: Table, mapping: LogMapping) -> None:
    """Refuse a log without rows, or with columns that the mapping does not name."""
    if mapping.unused != REST:
        known = {*mapping.wanted(), *mapping.unused}
        if mapping.query:
            known.add(FILE)  # SELECT * brings the file's name
        for name in table.names:
            if name not in known:
                raise ValueError(
                    f"log: the mapping does not name column {name!r}; use it, or list it under `unused` "
                    "(unused: rest leaves out all that are not named)"
                )
    if not len(table):
        raise ValueError("log: the table has no rows")
