"""What a log is: its columns and what they are for, its intervals, slices and allocations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath

import numpy as np
import numpy.typing as npt

from twin.data.logs.alignment import Alignment, alignments, alignments_by_load, clearest
from twin.data.logs.dates import how_to_read
from twin.data.logs.files import FILE
from twin.data.logs.reader import Table
from twin.inspection.allocations import FOLLOWS, Allocations, allocation_column, allocations_of
from twin.inspection.cells import Cells, FloatArray, IntArray, cells_of
from twin.inspection.counts import may_lack_negative, without_negative, without_running
from twin.inspection.grid import Grid, long_grid, wide_grid, wide_patterns
from twin.inspection.roles import (
    DECISIONS,
    MOST_SLICES,
    WORDS,
    arrivals_column,
    is_control,
    is_key,
    is_positive,
    key_columns,
    may_be_allocation,
    says,
    time_column,
)
from twin.inspection.timing import Timing, timing_of
from twin.inspection.unnamed_runs import numbered, telling_apart

LOST = 0.02
"""Most of the intervals that may lack a slice's row where rows are taken for lost, not slices for absent."""


@dataclass(frozen=True)
class LogFacts:
    """What was found out about a log.

    Args:
        cells: of all rows, by column.
        keys: the columns of "time", "slice", "ue" and "run", where there are such.
        wide: patterns of the columns of a wide log, by quantity; empty if it is long.
        timing, grid: intervals and slices; None without a column that says when.
        runs: names of the runs, in the order of their numbers.
        file_is_run: whether each file is a run.
        again: positions (2, k) of rows, and of later ones of the same run, slice, user and time.
        guessed_runs: columns that are runs not by their names, but as they tell the rows of a slice and time apart.
        arrivals: quantity that arrived; None if there is none.
        running: names of quantities that are counters which run on; the grid has their differences.
        performance, controls: names of the other quantities that differ.
        allocations: None if there is no such column.
        alignment: what explains the performance: the units of the row before, or of the same row, or the load per unit
            of either; None if there are too few intervals.
    """

    cells: Mapping[str, Cells]
    keys: Mapping[str, str]
    wide: Mapping[str, str]
    timing: Timing | None = None
    grid: Grid | None = None
    runs: tuple[str, ...] = ()
    file_is_run: bool = False
    again: npt.NDArray[np.intp] = field(default_factory=lambda: np.empty((2, 0), np.intp))
    guessed_runs: tuple[str, ...] = ()
    arrivals: str | None = None
    running: tuple[str, ...] = ()
    performance: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    allocations: Allocations | None = None
    alignment: Alignment | None = None

    @property
    def can_be_read(self) -> bool:
        """Whether a mapping can be proposed: there are intervals, and something that came in them."""
        return not (self.grid is None or self.timing is None or self.arrivals is None or self.timing.irregular)

    def raw_names(self, quantity: str) -> list[str]:
        """The log's columns of a quantity: one of each slice where the log is wide."""
        if quantity not in self.wide or self.grid is None:
            return [quantity]
        return [self.wide[quantity].replace("{slice}", str(label)) for label in self.grid.slices]

    def below_zero(self, quantity: str) -> list[str]:
        """The log's columns of a quantity that hold values below 0."""
        return [name for name in self.raw_names(quantity) if self.cells[name].low < 0.0]

    @property
    def mended(self) -> list[str]:
        """The log's columns of arrivals whose values below 0 a query makes NULL; none where that leaves too little."""
        if self.arrivals is None or self.grid is None or not may_lack_negative(self.grid.values[self.arrivals]):
            return []
        return self.below_zero(self.arrivals)

    @property
    def standing_time(self) -> str | None:
        """The column of times that holds a single one, where no other says when a row was written."""
        return time_column(self.cells, constant=True) if self.timing is None else None

    @property
    def open_dates(self) -> dict[str, str]:
        """Columns of dates of which no row says whether day or month comes first, and what a query may do with each."""
        texts = {name: each for name, each in self.cells.items() if each.kind == "text"}
        found = {name: how_to_read(name, next(filter(None, each.labels), "")) for name, each in texts.items()}
        return {name: hint for name, hint in found.items() if hint}

    @property
    def what(self) -> str:
        """What it can be used for: "allocation", "constant", "passive" or "nothing"."""
        if self.grid is None or (self.arrivals is None and self.allocations is None) or self.undecided:
            return "nothing"
        if self.allocations is None:
            return "passive"
        return "constant" if self.allocations.constant else "allocation"

    @property
    def undecided(self) -> bool:
        """Whether there may be decisions, which cannot be told as no column says of which slice a row is."""
        named = any(may_be_allocation(each) or says(name, DECISIONS) for name, each in self.cells.items())
        return "slice" not in self.keys and not self.wide and (self.mixed or named)

    @property
    def period_s(self) -> float:
        """Seconds of an interval; 1 where intervals are numbered."""
        assert self.timing is not None
        return 1.0 if self.timing.unit == "count" else self.timing.period / self.timing.per_second

    @property
    def repeats(self) -> npt.NDArray[np.bool_]:
        """Which of the rows in `again` hold the same as the one before them (k,)."""
        one, other = self.again
        same = np.ones(len(one), np.bool_)
        for each in self.cells.values():
            same &= np.isclose(each.numbers[one], each.numbers[other], rtol=0.0, atol=0.0, equal_nan=True)
        return same

    def is_of_cell(self, name: str) -> bool:
        """Whether a quantity is the cell's: in no interval do slices that have rows differ."""
        assert self.grid is not None
        values = self.grid.values[name]
        values = values[np.isfinite(values).sum(axis=1) > 1]
        alike = bool((np.nanmin(values, axis=1) == np.nanmax(values, axis=1)).all()) if len(values) else False
        return alike and not self.wide and ("ue" not in self.keys or self.grid.how[name] == "once")

    @property
    def lost(self) -> int:
        """Intervals that lack a slice's row which was lost, by their number and as a slice never lacks two in a row.

        0 where slices come and go, as those without users do.
        """
        if self.grid is None or self.timing is None or "ue" in self.keys:
            return 0
        lacking = ~self.grid.present
        number = int(lacking.any(axis=1).sum())
        twice = (lacking[1:] & lacking[:-1] & self.timing.follows()[:, None]).any()
        return 0 if twice or number > LOST * len(lacking) else number

    @property
    def mixed(self) -> bool:
        """Whether most rows share their time with another, though no column says of which slice they are."""
        return "slice" not in self.keys and not self.wide and 2 * len(set(self.again[1].tolist())) > self._num_rows

    @property
    def _num_rows(self) -> int:
        return 0 if self.timing is None else len(self.timing.of_row)

    def tell_apart(self) -> list[str]:
        """Columns of few values, each of which stands at most once at a time; of texts, where there are such."""
        assert self.timing is not None
        found = []
        for name, each in self.cells.items():
            if each.kind in ("whole", "text") and name != self.timing.column and 1 < each.distinct() <= MOST_SLICES:
                pairs = np.stack([self.timing.of_rows, each.numbers])
                if len(np.unique(pairs, axis=1).T) > 0.99 * self._num_rows:
                    found.append(name)
        return [name for name in found if self.cells[name].kind == "text"] or found

    @property
    def followed(self) -> tuple[str, float] | None:
        """The volume that explains the allocation of its own row, and how well (R²); None if none explains it.

        Such an allocation is likely the PRB that were used: the effect of the traffic, not a decision.
        """
        if self.grid is None or self.allocations is None:
            return None
        volumes = [self.arrivals, *(name for name in self.performance if arrivals_column([name]))]
        found = [(name, self.allocations.follows(self.grid.values[name])) for name in volumes if name]
        best = max(found, key=lambda each: each[1], default=("", 0.0))
        return best if best[1] > FOLLOWS else None

    @property
    def run_columns(self) -> list[str]:
        """What names the run, as the key `run` of a mapping has it."""
        return [FILE] * self.file_is_run + [name for key, name in self.keys.items() if key.startswith("run")]

    @property
    def allocation_is(self) -> str:
        """By what explains the performance better "decided" or "in_force"; empty if that cannot be told."""
        return "" if self.alignment is None else self.alignment.says


def facts_of(table: Table) -> LogFacts:
    """Work out what a log is."""
    cells = {name: cells_of(table, name) for name in table.columns}
    time = time_column(cells)
    keys = ({"time": time} if time else {}) | key_columns(cells, time)
    wide, slices = ({}, ()) if "slice" in keys else wide_patterns([name for name in cells if name not in keys.values()])
    if time is None:
        return LogFacts(cells, keys, wide)
    keys, guessed = _with_unnamed_runs(cells, keys, wide, slices, table)
    run, runs, file_is_run = _runs(cells, keys, table)
    series = _series(cells, keys, run)
    timing = timing_of(cells[time], run, series)
    if wide:
        grid = wide_grid(cells, wide, slices, timing)
    else:
        names = [name for name, each in cells.items() if each.numeric and not _is_any_key(name, keys)]
        grid = long_grid(cells, cells[keys["slice"]] if "slice" in keys else None, timing, names)
    again = _again(series, timing.of_rows)
    return _with_quantities(LogFacts(cells, keys, wide, timing, grid, runs, file_is_run, again, guessed))


def _with_unnamed_runs(
    cells: Mapping[str, Cells], keys: dict[str, str], wide: Mapping[str, str], slices: tuple[str, ...], table: Table
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The keys with runs that no name tells but the rows do, and what columns these are."""
    guessed: list[str] = []
    if "slice" not in keys and not wide:  # then the slice's column may be what tells rows apart
        return keys, ()
    columns = {pattern.replace("{slice}", name) for pattern in wide.values() for name in slices}
    times = cells[keys["time"]].numbers
    while True:
        series = _series(cells, keys, _runs(cells, keys, table)[0])
        known = {*keys.values(), *columns}
        name = telling_apart(cells, known, series, times, len(_again(series, times)[1]))
        if name is None:
            return keys, tuple(guessed)
        number = 1 + sum(role.startswith("run") for role in keys)
        keys = keys | {f"run {number}" if number > 1 else "run": name}
        guessed.append(name)


def _with_quantities(facts: LogFacts) -> LogFacts:
    """The facts with arrivals, allocation and performance."""
    grid, timing = facts.grid, facts.timing
    assert grid is not None
    assert timing is not None
    varied = [name for name, values in grid.values.items() if len(np.unique(values[np.isfinite(values)])) > 1]
    column = allocation_column(grid, facts.cells)
    arrivals = arrivals_column([name for name in varied if name != column])
    if arrivals is not None:
        grid = without_negative(grid, arrivals)
    counted = [name for name in varied if name == arrivals or (name != column and is_positive(name))]
    grid, running = without_running([] if "ue" in facts.keys else counted, grid, timing)  # a user's comes and goes
    rest = [name for name in varied if name not in (column, arrivals)]
    controls = tuple(name for name in rest if is_control(name) and len(np.unique(grid.values[name])) <= 8)
    performance = tuple(sorted((n for n in rest if n not in controls), key=lambda name: not says(name, WORDS["rate"])))
    allocations = None if column is None else allocations_of(grid, column, facts.cells.get(column))
    alignment = None if allocations is None else _alignment(allocations, grid, timing, performance, arrivals)
    return replace(
        facts,
        grid=grid,
        arrivals=arrivals,
        running=running,
        performance=performance,
        controls=controls,
        allocations=allocations,
        alignment=alignment,
    )


def _alignment(
    found: Allocations, grid: Grid, timing: Timing, performance: tuple[str, ...], arrivals: str | None
) -> Alignment | None:
    """The two alignments of the performance column that tells them apart best, where no slice lacks a value."""
    if found.constant:
        return None
    units = np.nan_to_num(found.units).astype(np.int64)
    by_units: list[Alignment] = []
    by_load: list[Alignment] = []

    def where(*columns: FloatArray) -> IntArray:
        """Intervals that have all of these, as the next ones do."""
        good = np.asarray(np.isfinite(np.stack(columns)).all(axis=(0, 2)))
        return np.flatnonzero(timing.follows() & good[:-1] & good[1:])

    for name in performance:
        values = grid.values[name]
        now = where(found.units, values)
        if len(now):
            by_units += alignments(now, now + 1, units, {name: values})
        if arrivals is not None:
            now = where(found.units, values, grid.values[arrivals])
            by_load += alignments_by_load(now, now + 1, units, grid.values[arrivals], {name: values})
    return clearest(by_units, by_load)


def _is_any_key(name: str, keys: Mapping[str, str]) -> bool:
    """Whether a column says of what a row is, be it used or not: RNTI where there is an IMSI."""
    return name in keys.values() or any(is_key(name, role) for role in ("slice", "ue", "run"))


def _runs(cells: Mapping[str, Cells], keys: Mapping[str, str], table: Table) -> tuple[IntArray, tuple[str, ...], bool]:
    """The run of each row (n,), what the runs are called, and whether files make runs.

    A file with one of several users is no run: its folder is.
    """
    file = table.file.astype(np.int64)
    names = table.files if not table.query else table.files[:1]  # of a query's rows nothing says which file they are of
    users_apart = False
    if len(names) > 1 and "ue" in keys and _one_user_a_file(cells[keys["ue"]].numbers, file, len(names)):
        users_apart = True
        folders = [str(PurePath(name).parent) for name in names]
        names = tuple(dict.fromkeys(folders))
        file = np.array([names.index(folder) for folder in folders])[file]
    file_is_run = len(names) > 1 and not users_apart
    run, labels = file, list(names if len(names) > 1 else [""])
    for column in (cells[name] for role, name in keys.items() if role.startswith("run")):
        before = run
        run, first = numbered(run, column.numbers)
        values = [column.labels[int(value)] if column.labels else f"{value:g}" for value in column.numbers[first]]
        labels = [f"{labels[number]} {value}".strip() for number, value in zip(before[first], values, strict=True)]
    return run, tuple(labels), file_is_run


def _one_user_a_file(users: FloatArray, file: IntArray, number: int) -> bool:
    _, first = numbered(file, users)
    return len(first) == number


def _series(cells: Mapping[str, Cells], keys: Mapping[str, str], run: IntArray) -> IntArray:
    """A number for each row (n,): the same for rows of one run, slice and user."""
    series = run
    for role in ("slice", "ue"):
        if role in keys:
            series, _ = numbered(series, cells[keys[role]].numbers)
    return series


def _again(series: IntArray, times: FloatArray) -> npt.NDArray[np.intp]:
    """Rows (2, k) of the same series and time: one, and the next after it."""
    order = np.lexsort((times, series))
    same = (np.diff(series[order]) == 0) & (np.diff(times[order]) == 0.0)
    return np.stack([order[:-1][same], order[1:][same]])
