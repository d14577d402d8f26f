"""Time stamps as numbers of intervals: jitter is snapped to a grid, pauses cut a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.data.logs.dates import how_to_read, shown
from twin.data.logs.rows import Rows
from twin.data.logs.rules import UNITS, TimeRule
from twin.data.logs.summer_time import HOUR_S, NIGHT, neighbours, repeated_hours, said, unfolded

IntArray = npt.NDArray[np.int64]

PAUSE = 10
"""Periods without a stamp after which a new run begins; a shorter gap stays in its run."""


@dataclass(frozen=True, eq=False)
class Grid:
    """When rows were.

    Args:
        run, interval: of each row (n,).
        time: its stamp (n,) [s]; of dates since 1970, as a clock shows them.
        period_s: seconds of an interval; None where intervals are numbered.
        notes: what was found.
    """

    run: npt.NDArray[Any]
    interval: IntArray
    time: npt.NDArray[np.float64]
    period_s: float | None
    notes: tuple[str, ...]


def snapped(rows: Rows, rule: TimeRule, run: npt.NDArray[Any], slices: npt.NDArray[Any], by: Any = None) -> Grid:
    """The intervals that time stamps mean.

    Args:
        rows: of the log.
        rule: how its stamps are written.
        run: of each row (n,).
        slices: of each row (n,).
        by: what tells apart the rows of a slice (n,); None: there is one of an interval.
    """
    stamps = _stamps(rows, rule)
    time = stamps * UNITS[rule.unit]
    scale = 1.0 if rule.unit != "iso" else 1.0 / UNITS["iso"]
    group = _groups(run, slices, by)
    period = _period(rule, scale, stamps, group)
    clock, twice = stamps, list[str]()
    if rule.repeated_hour:
        found = repeated_hours(stamps, group, HOUR_S * scale, period)
        stamps = unfolded(stamps, group, run, HOUR_S * scale, found)
        twice = said(rule.column, [(start / scale, end / scale) for start, end in found.hours])
    _refuse_running_back(rows, rule, stamps, clock, group)
    rows.faults.check()
    order = _ordered(run, stamps)
    run_in_order, stamps_in_order = run[order], stamps[order]
    same = run_in_order[1:] == run_in_order[:-1]
    steps_of = np.diff(stamps_in_order)
    tolerance = 0.25 * period if rule.tolerance is None else rule.tolerance * scale
    steps = np.rint(steps_of / period).astype(np.int64)
    steps[~same] = 0
    paused = same & (steps > PAUSE)
    off = np.flatnonzero(same & ~paused & (np.abs(steps_of - steps * period) > tolerance))
    if len(off):
        places = order[off + 1]
        rows.note(
            places,
            lambda i: (
                f"{rule.column}: {_shown(rule, clock[places[i]])} in {rows.where(places[i])} comes "
                f"{steps_of[off[i]] / scale:g} after the stamp before, allowed are multiples of {period / scale:g} "
                f"within {tolerance / scale:g} (time.period, time.tolerance)"
            ),
            ("time.period", "time.tolerance", "query"),
        )
        rows.faults.check()
    starts = np.concatenate([[True], ~same | paused])
    total = np.concatenate([[0], np.cumsum(steps)])
    begin = np.maximum.accumulate(np.where(starts, np.arange(len(starts)), 0))
    run_of = np.empty(len(order), np.int32)
    interval = np.empty(len(order), np.int64)
    run_of[order] = np.cumsum(starts) - 1
    interval[order] = total - total[begin]
    seconds = UNITS[rule.unit]
    notes = _notes(steps, steps_of, same, paused, period, seconds)
    return Grid(run_of, interval, time, period * seconds, (*twice, *notes))


def _notes(
    steps: IntArray,
    differences: npt.NDArray[Any],
    same: npt.NDArray[np.bool_],
    paused: npt.NDArray[np.bool_],
    period: float,
    seconds: float,
) -> tuple[str, ...]:
    """Pauses and gaps, for reports."""
    notes = []
    if paused.any():
        longest = float(differences[paused].max()) * seconds
        notes.append(f"{int(paused.sum())} pause(s) cut runs in two, the longest of {longest:g} s")
    gaps = same & ~paused & (steps > 1)
    if gaps.any():
        lost = int((steps[gaps] - 1).sum())
        notes.append(f"{int(gaps.sum())} gap(s), {lost} intervals of {period * seconds:g} s without a row")
    return tuple(notes)


def _stamps(rows: Rows, rule: TimeRule) -> npt.NDArray[Any]:
    """Time stamps as numbers (n,), iso ones in microseconds."""
    values = rows.table.columns[rule.column]
    if values.dtype.kind == "O" and (hint := how_to_read(rule.column, str(values[0]))):
        raise ValueError(f"mapping.time.column: {rule.column!r} holds dates, but {hint}")
    is_date = values.dtype.kind == "M"
    if is_date != (rule.unit == "iso"):
        found = "dates" if is_date else "no dates"
        raise ValueError(f"mapping.time.unit: {rule.unit!r} given, but column {rule.column!r} holds {found}")
    if values.dtype.kind not in "Miuf":
        raise ValueError(f"mapping.time.column: {rule.column!r} holds {values[0]!r}, allowed are times")
    if rule.column in rows.table.wrong:
        wrong = rows.table.wrong[rule.column]
        rows.faults.add(
            wrong.rows, lambda i: f"{rule.column}: {wrong.texts[i]!r} in {rows.table.where(wrong.rows[i])} is no time"
        )
        rows.faults.check()
    numbers = values.astype(np.int64) if is_date else values
    each = rows.number // max(len(values), 1)
    return np.repeat(numbers, each) if each > 1 else numbers


def _ordered(run: npt.NDArray[Any], stamps: npt.NDArray[Any]) -> IntArray:
    """Rows by run and time; those of a log in order are left as they are."""
    rising = (run[1:] > run[:-1]) | ((run[1:] == run[:-1]) & (stamps[1:] >= stamps[:-1]))
    return np.arange(len(run)) if rising.all() else np.lexsort((stamps, run))


def _groups(run: npt.NDArray[Any], slices: npt.NDArray[Any], by: Any) -> IntArray:
    """One number for the rows of the same run, slice and user."""
    group = run.astype(np.int64) * (int(slices.max(initial=0)) + 1) + slices
    return group if by is None else np.asarray(group * (int(by.max(initial=0)) + 1) + by, np.int64)


def _refuse_running_back(
    rows: Rows, rule: TimeRule, stamps: npt.NDArray[Any], clock: npt.NDArray[Any], group: IntArray
) -> None:
    """Note where the time of a slice (or user) of a run runs back, in the order of the file.

    Args:
        rows: of the log.
        rule: how its stamps are written.
        stamps: of each row (n,), an hour more from the end of summer time on.
        clock: of each row (n,), as the log has it.
        group: of each row (n,): rows of one slice, user and run.
    """
    before, places, apart = neighbours(stamps, group)
    hour = -HOUR_S / UNITS[rule.unit]
    before, places, apart = before[apart < 0], places[apart < 0], apart[apart < 0]
    runs = "name what tells runs apart under `run`, or sort by a query"

    def advice(apart: Any) -> str:
        if rule.unit != "iso" or apart <= hour:
            return runs
        if rule.repeated_hour:
            return f"summer time ends in a night only ({NIGHT}): {runs}"
        return "is it the end of summer time? then time.repeated_hour: true"

    rows.note(
        places,
        lambda i: (
            f"{rule.column}: time runs back in {rows.where(places[i])} ({_shown(rule, clock[places[i]])} after "
            f"{_shown(rule, clock[before[i]])}); {advice(apart[i])}"
        ),
        ("run", "query") if rule.repeated_hour else ("run", "time.repeated_hour", "query"),
    )


def _period(rule: TimeRule, scale: float, stamps: npt.NDArray[Any], group: IntArray) -> float:
    """The period in the unit of the stamps; if it is not given, the median difference of a slice's stamps."""
    if rule.period is not None:
        return rule.period * scale
    differences = neighbours(stamps, group)[2]
    differences = differences[differences > 0]
    if not len(differences):
        raise ValueError(f"mapping.time.period: missing, and {rule.column!r} has no two different times of a slice")
    return float(np.median(differences))


def _shown(rule: TimeRule, stamp: Any) -> str:
    return shown(float(stamp) * UNITS["iso"]) if rule.unit == "iso" else f"{float(stamp):.12g}"
