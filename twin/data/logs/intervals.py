"""`read_intervals`: a log by interval and slice, as its mapping says, with what was found on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.data.checks import follows
from twin.data.columns import Column
from twin.data.logs import grid
from twin.data.logs.counters import about_counters, differences
from twin.data.logs.faults import Faults
from twin.data.logs.files import Files, files_of
from twin.data.logs.gaps import without_absent, without_cut, without_missing
from twin.data.logs.long import Long, aggregated, when, without_doubles
from twin.data.logs.mapping import GAP, LogMapping
from twin.data.logs.reader import Table, read_table
from twin.data.logs.rows import Rows, check_names
from twin.data.logs.rules import SHARES
from twin.data.logs.units import units_of

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


THE_ONLY = "all"
"""What the slice of a log is called that has one, and no column for it."""


@dataclass(frozen=True, eq=False)
class Intervals:
    """A log by interval and slice: m intervals, S slices, in order of run and interval.

    Args:
        mapping: what its columns mean.
        run, interval: of each interval (m,).
        time: stamp of each (m,) [s], see `History`; None where intervals are numbered.
        arrivals: (m, S).
        performance: the columns by their names, (m, S), or (m,) of the cell.
        controls: by name (m, S).
        units: of each slice (m, S), as the log has them (decided or in force); None where nobody decided anything.
        present: whether a slice had a row (m, S).
        period_s: seconds of an interval, None where intervals are numbered.
        notes: what was cleaned, cut or found.
        run_names: what the log calls each run, by number.
    """

    mapping: LogMapping
    run: IntArray
    interval: IntArray
    time: FloatArray | None
    arrivals: IntArray
    performance: dict[str, FloatArray]
    controls: dict[str, IntArray]
    units: IntArray | None
    present: npt.NDArray[np.bool_]
    period_s: float | None
    notes: tuple[str, ...]
    run_names: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of intervals."""
        return len(self.run)

    def take(self, kept: npt.NDArray[np.bool_], note: str) -> Intervals:
        """The intervals that are kept (m,), and what is said of it."""
        return replace(
            self,
            run=self.run[kept],
            interval=self.interval[kept],
            time=None if self.time is None else self.time[kept],
            arrivals=self.arrivals[kept],
            performance={name: values[kept] for name, values in self.performance.items()},
            controls={name: values[kept] for name, values in self.controls.items()},
            units=None if self.units is None else self.units[kept],
            present=self.present[kept],
            notes=(*self.notes, note),
        )


def read_intervals(files: Files | Any, mapping: LogMapping) -> Intervals:
    """A log by interval and slice; see `read_log`, which makes decisions of it."""
    table = read_table(
        files_of(files, mapping.files), query=mapping.query, columns=mapping.wanted(), as_text=_texts(mapping)
    )
    check_names(table, mapping)
    if not mapping.values:
        mapping = replace(mapping, slices=_slices_in(table, mapping))
    return _Reading(table, mapping).intervals()


def _slices_in(table: Table, mapping: LogMapping) -> tuple[Any, ...]:
    """The slices that a log has, for a mapping that names none."""
    if mapping.slice is None:
        return (THE_ONLY,)
    _, different = table.codes(mapping.slice)
    return tuple(each for each in different if each not in (None, ""))


def _texts(mapping: LogMapping) -> tuple[str, ...]:
    if mapping.is_passive or mapping.allocation_rule.kind != "mask":
        return ()
    return tuple(mapping.raw_names(mapping.allocation_rule.column))


class _Reading:
    """One log on its way from a table to intervals."""

    def __init__(self, table: Table, mapping: LogMapping) -> None:
        self._mapping, self._faults = mapping, Faults(table)
        self._rows = Rows(table, mapping, self._faults)
        self._notes: list[str] = []
        self._period_s: float | None = None
        self._time: FloatArray | None = None
        self._masks: Sequence[Any] = ()
        self._long = self._checked()
        self._place, self._first = self._places()
        self._run, self._interval = self._long.run[self._first].astype(np.int64), self._long.interval[self._first]
        self._follow = follows(self._run, self._interval)
        self._unknown = np.zeros(len(self._run), np.bool_)

    def _checked(self) -> Long:
        """The rows, checked, one per slice and interval."""
        rows, mapping = self._rows, self._mapping
        run, slices = rows.runs(), rows.slices()
        of_log = run  # before pauses cut it
        by, users = None, None if mapping.aggregate is None else mapping.aggregate.by
        if users is not None:
            by, _ = rows.codes(users)
        if mapping.time is not None:
            laid = grid.snapped(rows, mapping.time, run, slices, by)
            run, interval, self._time, self._period_s = laid.run, laid.interval, laid.time, laid.period_s
            self._notes += laid.notes
        else:
            interval = rows.numbers(str(mapping.interval), Column("interval", lower=-np.inf, whole=True))
            if interval.dtype.kind == "f":  # an empty cell is a fault that was noted
                interval = np.nan_to_num(interval).astype(np.int64)
        columns = self._columns()
        if by is not None and users is not None:
            columns[users] = by
        long = Long(run, interval, slices, columns, np.arange(rows.number), rows.missing).in_order(by)
        if rows.missing.any():
            long, note = without_missing(long, rows.cleaned)
            self._notes.append(note)
        long, doubles = without_doubles(long, rows, mapping, users)
        self._faults.check()
        if doubles:
            self._notes.append(f"{doubles} row(s) left out that stood there twice (drop_identical)")
        if users is not None:
            long = aggregated(long, rows, mapping)
            self._faults.check()
        if mapping.filled:
            return long
        number = len(mapping.values)
        is_gap = mapping.absent == GAP
        long, said = without_absent(long, number) if is_gap else without_cut(long, rows, mapping, of_log, number)
        self._notes += [said] if said else []
        return long

    def _columns(self) -> dict[str, npt.NDArray[Any]]:
        """What the rows hold, by the mapping's names."""
        rows, mapping = self._rows, self._mapping
        columns: dict[str, npt.NDArray[Any]] = {}
        counted = () if mapping.aggregate is None else mapping.aggregate.counted
        for name, column in mapping.columns().items():
            if name not in counted:
                columns[name] = rows.numbers(name, column)
        arrivals = mapping.arrivals_rule
        if arrivals.unit is None or arrivals.column not in columns:  # a volume may be carried traffic, too
            columns[arrivals.column] = rows.numbers(arrivals.column, Column("arrivals", whole=arrivals.unit is None))
        elif mapping.columns()[arrivals.column].lower < 0.0:  # packets are not negative, whatever the column may be
            rows.check_bounds(arrivals.column, columns[arrivals.column], Column("arrivals"))
        for name in mapping.controls:
            columns[name] = rows.numbers(name, Column("control", lower=-np.inf, whole=True))
            rows.check_choices(name, columns[name], mapping.controls[name])
        if not mapping.is_passive:
            rule = mapping.allocation_rule
            if rule.kind == "mask":
                columns[rule.column], self._masks = self._mask_codes(rule.column)
            else:
                is_share = rule.kind in SHARES
                column = Column("share", upper=SHARES[rule.kind]) if is_share else Column("units", whole=True)
                columns[rule.column] = rows.numbers(rule.column, column)
        return columns

    def _mask_codes(self, name: str) -> tuple[npt.NDArray[Any], Sequence[Any]]:
        """Numbers of the masks of rows, and the masks."""
        parts = [self._rows.table.codes(raw) for raw in self._mapping.raw_names(name)]
        masks = [mask for _, different in parts for mask in different]
        offsets = np.cumsum([0, *(len(different) for _, different in parts[:-1])])
        coded = [numbers.astype(np.int64) + offset for (numbers, _), offset in zip(parts, offsets, strict=True)]
        return (np.stack(coded, axis=1).ravel() if self._mapping.wide else coded[0]), masks

    def _places(self) -> tuple[IntArray, IntArray]:
        """The row of each slice in each interval (m, S), -1 where it has none, and the first row of each (m,)."""
        long, number = self._long, len(self._mapping.values)
        if not len(long.run):
            raise ValueError("log: no interval is left whole")
        first, counts = long.groups(with_slice=False)
        if (counts == number).all():
            return np.arange(len(long.run)).reshape(-1, number), first
        place = np.full((len(first), number), -1, np.int64)
        place[np.repeat(np.arange(len(first)), counts), long.slices] = np.arange(len(long.run))
        if not self._mapping.filled:
            row = int((counts < number).argmax())
            values = self._mapping.values
            absent = [repr(value) for value, at in zip(values, place[row], strict=True) if at < 0]
            raise ValueError(
                f"{self._mapping.slice}: {self._when(first[row])} ({self._where(first[row])}) lacks "
                f"{', '.join(absent)}, every interval needs {', '.join(map(repr, values))} (`absent` says what slices "
                "without a row hold, or that such an interval is a gap)"
            )
        return place, first

    def _when(self, row: int) -> str:
        stamp = when(self._long, self._rows, self._mapping, int(row))
        return f"interval {stamp.partition(': ')[2]}"

    def _where(self, row: int) -> str:
        return self._rows.where(int(self._long.place[row]))

    def _rows_of(self, interval: int) -> str:
        """The rows of an interval, for messages."""
        at = self._place[interval]
        lines = self._rows.table.rows[self._rows.rows_of(self._long.place[at[at >= 0]])]
        return f"rows {lines.tolist()}" if len(set(lines.tolist())) > 1 else self._where(self._first[interval])

    def _cube(self, name: str, fill: float = 0.0) -> npt.NDArray[Any]:
        """A column (m, S)."""
        values, there = self._long.columns[name], self._place >= 0
        cube = values.reshape(self._place.shape) if len(values) == self._place.size else values[self._place]
        if name in self._mapping.running:
            cube = differences(np.where(there, cube, np.nan), self._follow)
            unknown = np.isnan(cube) & there
            self._unknown |= unknown.any(axis=1)
            cube[unknown] = 0.0
        if not there.all():
            cube[~there] = fill
        return cube

    def intervals(self) -> Intervals:
        """All of it by interval and slice."""
        mapping, long = self._mapping, self._long
        fill = {mapping.log_name(name): value for name, value in mapping.filled.items()}
        performance = {}
        for name, column in mapping.columns().items():
            cube = self._cube(name, fill.get(name, 0.0)).astype(np.float64, copy=False)
            performance[column.name] = cube if column.per_slice else self._of_cell(name, cube)
        controls = {
            name: self._cube(name, fill.get(name, 0.0)).astype(np.int64, copy=False) for name in mapping.controls
        }
        arrivals = self._arrivals(fill.get(mapping.arrivals_rule.column, 0.0))
        units = None if mapping.is_passive else self._units()
        self._notes += self._about_counters(arrivals)
        found = Intervals(
            mapping,
            self._run,
            self._interval,
            None if self._time is None else self._time[long.place[self._first]],
            arrivals,
            performance,
            controls,
            units,
            self._place >= 0,
            self._period_s,
            tuple(self._notes),
            self._rows.run_names(long.run[self._first], long.place[self._first]),
        )
        return self._without_unknown(found) if mapping.running else found

    def _without_unknown(self, found: Intervals) -> Intervals:
        """The intervals whose counts are known; the first after each gap is none."""
        if self._unknown.all():
            raise ValueError(f"running: {', '.join(self._mapping.running)} say nothing: no interval follows another")
        lost = int(self._unknown.sum())
        return found.take(
            ~self._unknown,
            f"{lost} interval(s) left out as gaps: there a running counter begins, or starts again (running)",
        )

    def _arrivals(self, fill: float) -> IntArray:
        """Packets (m, S), no more than an observation can show where the network is known."""
        rule, scenario = self._mapping.arrivals_rule, self._mapping.scenario
        name, given = rule.column, rule.packets(self._cube(rule.column, fill))
        if scenario is not None:
            largest = scenario.largest_arrivals[: given.shape[1]]
            wrong = (given > largest).any(axis=1)
            if wrong.any():
                row = int(wrong.argmax())
                n = int((given[row] > largest).argmax())
                what = "" if rule.unit is None else " packets"
                raise ValueError(
                    f"{name}: {given[row, n]:g}{what} in {self._where(self._place[row, n])}, allowed are 0 to "
                    f"{largest[n]:g}, the scenario's num_users x radio.queue_capacity x radio.slots_per_interval"
                    + "".join(f". {said}" for said in self._about_counters(given))
                )
        return given.astype(np.int64, copy=False)

    def _about_counters(self, arrivals: npt.NDArray[Any]) -> list[str]:
        mapping = self._mapping
        name, aggregated = mapping.arrivals_rule.column, mapping.aggregate is not None
        return about_counters(name, arrivals, self._follow, mapping.running, aggregated)

    def _of_cell(self, name: str, cube: FloatArray) -> FloatArray:
        """A column (m,) of the cell, which all slices that are there must agree on."""
        there = self._place >= 0
        own: FloatArray = cube[np.arange(len(cube)), there.argmax(axis=1)]
        differ = ((cube != own[:, None]) & there).any(axis=1)
        if differ.any():
            row = int(differ.argmax())
            raise ValueError(
                f"{name}: {cube[row].tolist()} in {self._rows_of(row)}, allowed is the same for every slice, for it "
                "is a column of the cell (per_slice: false)"
            )
        return own

    def _units(self) -> IntArray:
        """Units of each slice (m, S), which leave nothing over unless that belongs to nobody."""
        mapping, rule = self._mapping, self._mapping.allocation_rule
        num_units = mapping.network.num_units
        absent = -1 if rule.kind == "mask" else 0
        given = self._cube(rule.column, absent)
        units, notes = units_of(rule, given, self._masks, num_units, self._rows_of)
        self._notes += notes
        smallest = 0 if mapping.filled else rule.smallest
        total = units.sum(axis=1)
        wrong = (units.min(axis=1) < smallest) | (total > num_units if mapping.has_idle else total != num_units)
        if wrong.any():
            row, count = int(wrong.argmax()), int(wrong.sum())
            rest = f"; so in {count} of {len(units)} intervals" if count > 1 else ""
            hint = "" if mapping.has_idle or total[row] >= num_units else " (idle: true, if the rest belongs to nobody)"
            if rule.kind == "units" and total[row] == 100:
                hint = " (as: percent, if these are percent of the units)"
            at_most = "at most " if mapping.has_idle else ""
            raise ValueError(
                f"{rule.column}: {units[row].tolist()} in {self._rows_of(row)}, allowed is at least {smallest} a slice "
                f"and {at_most}{num_units} in all{hint}{rest}"
            )
        return units
