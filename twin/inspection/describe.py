"""Findings from the facts of a log: what is special about it, and what is wrong with it, with lines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from twin.data.logs.dates import shown
from twin.data.logs.rules import VOLUMES
from twin.data.logs.summer_time import HOUR_S, may_end_at, said
from twin.inspection.cells import Cells, IntArray
from twin.inspection.describe_decisions import decisions
from twin.inspection.facts import LogFacts
from twin.inspection.findings import Finding, listed, percent
from twin.inspection.grid import Grid, total_of
from twin.inspection.roles import (
    CARRIED,
    OFFERED,
    UPLINK,
    WORDS,
    arrivals_column,
    is_positive,
    likely_unit,
    says,
    tokens,
)
from twin.inspection.timing import Timing

CLEARLY = 0.01
"""Part of a volume that another has to lack to be clearly below it; they are the same otherwise."""

ALIKE = 0.1
"""Least part of the rows in which what was carried is the same as what was offered."""


def findings_of(facts: LogFacts, lines: IntArray) -> Iterator[Finding]:
    """What a person has to know about a log, in no order.

    Args:
        facts: of the log.
        lines: of its rows (n,) in their files.
    """
    yield from _of_cells(facts, lines)
    yield from _missing_parts(facts)
    if facts.timing is None or facts.grid is None:
        return
    yield from _of_time(facts.timing, facts, lines)
    yield from _of_counters(facts.running)
    yield from _of_rows(facts, facts.grid)
    if facts.arrivals is not None and says(facts.arrivals, CARRIED) and not _is_offered(facts, facts.arrivals):
        what = "is likely what was carried, not what was offered"
        if {"pdcp", "sdu"} <= set(tokens(facts.arrivals)):
            what = "by TS 28.552 what entered PDCP, so offered. An operator's system may show what was carried instead"
        yield Finding(
            "carried",
            f"{facts.arrivals} is taken for arrivals, and {what}: a full slice carries less than its users ask for, "
            "and nothing here shows the rest",
        )
    yield from decisions(facts)


def _is_offered(facts: LogFacts, arrivals: str) -> bool:
    """Whether a volume is by its name what was offered, or by another one that is what was carried of it."""
    assert facts.grid is not None
    return says(arrivals, OFFERED) or any(_is_part(facts.grid, name, arrivals) for name in facts.performance)


def _is_part(grid: Grid, carried: str, offered: str) -> bool:
    """Whether a volume is what was carried of another: never above it, in some rows clearly below, in others alike."""
    units = [likely_unit(name) for name in (carried, offered)]
    uplink = {says(name, UPLINK) for name in (carried, offered)}
    if not arrivals_column([carried]) or len(uplink) > 1 or (None in units and units != [None, None]):
        return False
    own, whole = (
        grid.values[name] * VOLUMES[unit or "bit"] for name, unit in zip((carried, offered), units, strict=True)
    )
    known = np.isfinite(own) & np.isfinite(whole)
    below = own[known] < (1.0 - CLEARLY) * whole[known]
    above = own[known] > (1.0 + CLEARLY) * whole[known]  # rounded ones may be so by a digit
    return bool(below.any() and not above.any() and below.mean() <= 1.0 - ALIKE)


def _missing_parts(facts: LogFacts) -> Iterator[Finding]:
    names = listed(list(facts.cells), 20)
    if facts.timing is None:
        texts = {name: each for name, each in facts.cells.items() if each.kind == "text"}
        named = [name for name in texts if says(name, WORDS["time"])]
        hint = f"; {named[0]} holds texts that are no dates, which a query may parse (strptime)" if named else ""
        hint = next((f"; of {name} {each}" for name, each in facts.open_dates.items()), hint)
        if facts.standing_time:
            hint = f"; {facts.standing_time} has one time only, and a log of one interval has no decision in it"
        yield Finding("no_time", f"no column says when a row was written (columns: {names}){hint}")
    elif facts.arrivals is None:
        yield Finding("no_arrivals", "no column looks like arrivals (packets or bytes of an interval)")
    if facts.grid is not None and "slice" not in facts.keys and not facts.wide:
        text = "no column says of which slice a row is"
        if not facts.mixed:
            yield Finding("no_slice", f"{text} (columns: {names})")
            return
        apart = listed(facts.tell_apart(), 4)
        hint = f"; {apart} would tell them apart" if apart else ""
        yield Finding(
            "mixed_slices",
            f"{text}, and most rows share their time with another{hint}. A query may give it a name that says so, as "
            f'SELECT *, "..." AS slice FROM log (columns: {names})',
        )


def _of_cells(facts: LogFacts, lines: IntArray) -> Iterator[Finding]:
    arrivals = [] if facts.arrivals is None else facts.raw_names(facts.arrivals)
    for name, each in facts.cells.items():
        below = np.flatnonzero((each.numbers < 0.0) & (each.numeric and (is_positive(name) or name in arrivals)))
        if len(below):
            rows = tuple(lines[below].tolist())
            yield Finding(
                "negative",
                f"{name} is below 0 in {_count(len(rows), 'row')} (lines {listed(rows)}; lowest: {each.low:.6g}): "
                f"a count, volume, rate or delay is not{_of_negative(facts, name)}",
                rows,
            )
    constant = [name for name, each in facts.cells.items() if each.constant and each.numeric]
    empty = [name for name, each in facts.cells.items() if each.kind == "empty"]
    zero = [name for name in constant if facts.cells[name].low == 0.0]
    other = [name for name in constant if name not in zero]
    parts = [
        f"{what}: {listed(names)}"
        for what, names in (("always zero", zero), ("constant", other), ("always empty", empty))
        if names
    ]
    if parts:
        yield Finding("constant", "; ".join(parts))


def _of_negative(facts: LogFacts, name: str) -> str:
    """What the proposed mapping does with a column's values below 0; nothing if it does not have the column."""
    if not facts.can_be_read:
        return ""
    mend = 'mend the log, or a query may set it to NULL (with missing: [""])'
    if name in facts.raw_names(str(facts.arrivals)):
        if not facts.mended:
            return ". Without these a slice would have no arrivals, or no interval those of all slices: mend the log"
        return ". The mapping's query sets it to NULL, and such an interval is a gap (missing_is)"
    if any(name in facts.raw_names(quantity) for quantity in facts.performance):
        return f". The mapping lets it (lower: null); {mend}"
    if name in facts.controls and name.isidentifier():
        return f". The mapping takes it for a choice (controls); {mend}"
    return ""


def _of_counters(running: tuple[str, ...]) -> Iterator[Finding]:
    """Quantities that add up, where a twin needs what was added in an interval."""
    if running:
        one = len(running) == 1
        yield Finding(
            "running",
            f"{listed(running, 3)} hardly ever {'falls' if one else 'fall'} from an interval to the next: "
            f"{'a counter that runs' if one else 'counters that run'} on. What counts is the difference to the one "
            "before (running)",
        )


def _of_time(timing: Timing, facts: LogFacts, lines: IntArray) -> Iterator[Finding]:
    if len(timing.back):
        rows = tuple(lines[timing.back].tolist())
        yield Finding(
            "time_back",
            f"{timing.column} runs back in {_count(len(rows), 'row')}: lines {listed(rows)} "
            "(a new run? then a column that names it is missing)",
            rows,
        )
    if timing.serial_dates:
        yield Finding(
            "serial_dates",
            f"{timing.column} looks like days since 1900 (Excel): then {timing.period:.4g} of a day is "
            f"{timing.period * 24 * 60:.4g} minutes. query: {timing.serial_dates}",
        )
    for text in said(timing.column, timing.repeated):
        yield Finding("summer_time", text)
    if hour := _sorted_hour(timing, facts):
        yield Finding(
            "sorted_hour",
            f"{timing.column}: all rows from {shown(hour[0])} to {shown(hour[1])} stand twice, likely because summer "
            "time ended and the rows were sorted by time: nothing tells the two hours apart. Take the order in which "
            "they were written (then time.repeated_hour), or times of UTC",
        )
    unit = {"iso": "s", "count": ""}.get(timing.unit, timing.unit)
    pauses = np.empty(0, np.intp) if timing.irregular else timing.pauses
    if len(pauses) and not np.isnan(timing.period):
        longest = (timing.time[pauses] - timing.time[pauses - 1]).max() / timing.per_second
        seconds = "" if timing.unit == "count" else f", the longest of {longest:g} s"
        lost = int((timing.steps[pauses] - 1).sum())
        clock = timing.clock[pauses[:3]].tolist()
        first = [shown(each) if timing.unit == "iso" else f"{each:.16g}" for each in clock]
        yield Finding(
            "pause",
            f"{_count(len(pauses), 'pause')}{seconds} ({_count(lost, 'interval')} without any row): "
            "each is a gap, and one of more than 10 periods begins a new run; after it "
            f"{timing.column} is {listed(first)}",
        )
    if timing.irregular:
        yield Finding(
            "irregular",
            f"{timing.column} follows no grid: {percent(timing.on_grid)} of the times between rows are a multiple of "
            f"{timing.period:.4g}; rows are events, not intervals, which a query can count by interval (time_bucket)",
        )
    elif timing.jitter:
        yield Finding(
            "jitter",
            f"{timing.column} jitters: neighbours are {timing.shortest:.6g} to {timing.longest:.6g} {unit} apart, "
            f"usually {timing.period:.6g}; rows less than half of that apart are of one interval",
        )
    for name in facts.guessed_runs:
        yield Finding(
            "guessed_runs",
            f"{name} tells the rows of a slice and time apart ({_values(facts.cells[name])}): taken for the cell, each "
            "a run. If it names users or bearers of a slice, their rows become one instead (aggregate); of directions "
            "keep one (query)",
        )
    if len(facts.runs) > 1:
        kind = " and ".join(facts.run_columns) or (
            "folder (users have files of their own): a query has to tell them apart"
        )
        yield Finding("runs", f"{len(facts.runs):,} runs, by {kind}")


def _values(cells: Cells) -> str:
    """The different values of a column of texts or whole numbers."""
    numbers = np.unique(cells.numbers[~np.isnan(cells.numbers)]).tolist()
    return listed(cells.in_order() if cells.labels else [f"{number:.13g}" for number in numbers], 4)


def _sorted_hour(timing: Timing, facts: LogFacts) -> tuple[float, float] | None:
    """The first and last time of an hour that stands twice, row by row; None if rows that differ are so otherwise."""
    if timing.unit != "iso" or facts.mixed or not facts.again.size:
        return None
    differ = ~facts.repeats
    doubled = timing.of_rows[facts.again[1][differ if differ.any() else slice(None)]]
    first, last = float(doubled.min()), float(doubled.max())
    inside = (first <= timing.of_rows) & (timing.of_rows <= last)
    all_twice = int(inside.sum()) == 2 * len(doubled)
    return (first, last) if all_twice and last - first < HOUR_S and may_end_at(first / HOUR_S) else None


def _of_rows(facts: LogFacts, grid: Grid) -> Iterator[Finding]:
    present, rows = grid.present, grid.rows
    if (number := total_of(grid, facts.arrivals)) is not None:
        label = grid.slices[number]
        text = str(label).replace("'", "''")
        shown = f"'{text}'" if isinstance(label, str) else text
        column = facts.keys.get("slice", "").replace('"', '""')
        how = "leave it out of slices" if facts.wide else f'query: SELECT * FROM log WHERE "{column}" <> {shown}'
        yield Finding("total", f"{label} is the sum of the others: a total? {how}")
    if facts.wide:
        yield Finding(
            "wide",
            f"a wide log: a row is one interval, a column is one quantity of one slice "
            f"({listed(list(facts.wide.values()))} for {listed(grid.slices)})",
        )
    if "ue" in facts.keys:
        counts = rows[present]
        yield Finding(
            "rows_per_ue",
            f"a row per UE: {_span(counts.min(), counts.max())} rows a slice and interval, one for each "
            f"{facts.keys['ue']}; {_how(grid)}",
        )
    if not present.all():
        yield _absent(facts, grid)


def _how(grid: Grid) -> str:
    """How rows of a slice and interval become one."""
    parts = []
    for how, what in (("sum", "summed"), ("mean", "averaged"), ("once", "taken once, for it is the slice's")):
        names = [name for name, each in grid.how.items() if each == how]
        if names:
            parts.append(f"{listed(names, 4)} {what}")
    return "; ".join(parts)


def _span(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low} to {high}"


def _absent(facts: LogFacts, grid: Grid) -> Finding:
    """Slices come and go, or a few rows are lost."""
    assert facts.timing is not None
    present, follows = grid.present, facts.timing.follows()
    parts = []
    for number, name in enumerate(grid.slices):
        gone = ~present[:, number]
        if not gone.any():
            continue
        if facts.lost:
            parts.append(f"{gone.sum():,} of {name}")
            continue
        pairs = gone[:-1] & follows
        stays = float((gone[1:] & pairs).sum() / pairs.sum()) if pairs.any() else float("nan")
        parts.append(f"{name} in {gone.sum():,} of {len(gone):,} intervals (then P(stays absent) = {stays:.3f})")
    if facts.lost:
        return Finding(
            "absent",
            f"rows of slices are missing in {facts.lost:,} of {len(present):,} intervals ({', '.join(parts)}), of none "
            "twice in a row: taken for lost, and these intervals for gaps (absent: gap)",
        )
    return Finding(
        "absent",
        f"slices come and go: no rows of {'; of '.join(parts)}; what an absent slice would have held belongs to nobody",
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
