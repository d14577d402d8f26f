"""When rows were written: the interval of each, the period, jitter and pauses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.data.logs.rules import UNITS
from twin.data.logs.summer_time import HOUR_S, neighbours, repeated_hours, unfolded
from twin.inspection.cells import Cells, FloatArray, IntArray
from twin.inspection.roles import tokens

REGULAR = 0.75
"""Least share of the times between rows that are near a multiple of the period, where rows are intervals."""

_DAYS = (20_000, 80_000)
"""Days since 1900 of dates from 1954 to 2119."""

MOST_STEPS = 2.0**40
"""A longer pause counts as so many intervals: a broken time stamp may be any number."""


@dataclass(frozen=True)
class Timing:
    """The intervals of a log, m in all, in order of run and time.

    Args:
        column: that says when.
        unit: "us", "ms", "s", "iso" (dates), or "count" (numbers of intervals).
        period: between intervals, in the column's unit, seconds for dates; NaN if there are no two.
        shortest, longest: between neighbours that follow each other.
        run: of each interval (m,).
        time: of each interval (m,), that of its first row; an hour more from the end of summer time on.
        clock: of each interval (m,), as the log has it.
        on_grid: share of the times between neighbours in a series that are a multiple of the period, but for a quarter.
        steps: (m,) intervals since the one before in its run; 0 for the first of a run.
        of_row: the interval of each row (n,), -1 where there is no time.
        back: positions of rows whose time is before that of the row before in its series.
        repeated: the hours (start, end) that stand twice because summer time ended.
        of_rows: the time of each row (n,), as `time` counts it.
    """

    column: str
    unit: str
    period: float
    shortest: float
    longest: float
    on_grid: float
    run: IntArray
    time: FloatArray
    clock: FloatArray
    steps: IntArray
    of_row: IntArray
    back: npt.NDArray[np.intp]
    repeated: tuple[tuple[float, float], ...]
    of_rows: FloatArray

    @property
    def pauses(self) -> npt.NDArray[np.intp]:
        """Intervals that do not follow the one before in their run."""
        return np.flatnonzero(self.steps > 1)

    @property
    def irregular(self) -> bool:
        """Whether rows are events rather than intervals: of random times half are near a multiple of any period."""
        return self.on_grid < REGULAR

    @property
    def jitter(self) -> bool:
        """Whether stamps leave a grid, by more than the digits that they have."""
        return self.longest - self.shortest > 1e-6 * self.period

    @property
    def per_second(self) -> float:
        """The column's units in a second; numbers of intervals count as seconds, dates are in seconds."""
        return 1.0 if self.unit in ("count", "iso") else 1.0 / UNITS[self.unit]

    @property
    def serial_dates(self) -> str:
        """The query that makes dates of what look like days since 1900, as Excel counts them; empty if they do not."""
        known = self.clock[np.isfinite(self.clock)]
        in_days = (
            self.unit == "s" and 1e-5 < self.period < 1.0 and not {"s", "sec", "seconds"} & set(tokens(self.column))
        )
        if not in_days or known.min() < _DAYS[0] or known.max() > _DAYS[1]:
            return ""
        name = '"' + self.column.replace('"', '""') + '"'
        minutes = self.period * 1440 > 0.9  # digits that a table cuts off are less than a minute
        count, each = (1440, 60_000) if minutes else (86_400, 1_000)
        when = f"epoch_ms(round(({name} - 25569) * {count})::BIGINT * {each})"
        return f"SELECT * REPLACE ({when} AS {name}) FROM log"

    def follows(self) -> npt.NDArray[np.bool_]:
        """Whether the next interval is that of the next time (m - 1,)."""
        return np.asarray(self.steps[1:] == 1)


def timing_of(cells: Cells, run: IntArray, series: IntArray) -> Timing:
    """The intervals of rows.

    Args:
        cells: of the column that says when.
        run: of each row (n,).
        series: (n,) rows of the same number are of one slice, user and run.
    """
    given = np.flatnonzero(~np.isnan(cells.numbers))
    times, repeated = _without_summer_time(cells, run, series, given)
    period, on_grid, back = _period(times[given], series[given])
    order = given[np.lexsort((times[given], run[given]))]
    stamps, runs = times[order], run[order]
    starts, steps = _starts(stamps, runs, period)
    of_row = np.full(len(times), -1, np.int64)
    of_row[order] = np.repeat(np.arange(len(starts)), np.diff([*starts, len(order)]))
    apart = np.diff(stamps[starts], prepend=np.nan)[steps == 1]
    shortest, longest = (float(apart.min()), float(apart.max())) if len(apart) else (np.nan, np.nan)
    return Timing(
        cells.name,
        _unit(cells, period),
        period,
        shortest,
        longest,
        on_grid,
        runs[starts],
        stamps[starts],
        cells.numbers[order][starts],
        steps,
        of_row,
        given[back],
        repeated,
        times,
    )


def _without_summer_time(
    cells: Cells, run: IntArray, series: IntArray, given: npt.NDArray[np.intp]
) -> tuple[FloatArray, tuple[tuple[float, float], ...]]:
    """Times (n,) that do not run back where summer time ends, and the hours that stand twice there.

    Nothing is changed unless all dates that run back do so there.
    """
    times, stamps, group = cells.numbers, cells.numbers[given], series[given]
    if cells.kind != "time":
        return times, ()
    period, _, back = _period(stamps, group)
    found = repeated_hours(stamps, group, HOUR_S, period)
    if not found.hours or not set(back.tolist()) <= set(found.places.tolist()):
        return times, ()
    times = times.copy()
    times[given] = unfolded(stamps, group, run[given], HOUR_S, found)
    return times, found.hours


def _period(times: FloatArray, series: IntArray) -> tuple[float, float, npt.NDArray[np.intp]]:
    """The usual time between rows of a series, how many are multiples of it, and positions of rows that go back."""
    _, after, apart = neighbours(times, series)
    forward, back = apart[apart > 0], after[apart < 0]
    if not len(forward):
        return float("nan"), 1.0, back
    period = float(np.median(forward))
    periods = forward / period
    near = (np.abs(periods - periods.round()) <= 0.25) & (periods >= 0.75)
    return period, float(near.mean()), back


def _starts(stamps: FloatArray, runs: IntArray, period: float) -> tuple[npt.NDArray[np.intp], IntArray]:
    """Where intervals start among rows in order of run and time, and how many intervals after the one before."""
    new = np.diff(runs, prepend=-1) != 0
    different = np.flatnonzero(new | (np.diff(stamps, prepend=-np.inf) > 0))
    if np.isnan(period):
        return different, np.where(new[different], 0, 1).astype(np.int64)
    starts, steps = [], []
    last = -np.inf
    for place, stamp, first in zip(
        different.tolist(), stamps[different].tolist(), new[different].tolist(), strict=True
    ):
        if first or stamp - last > 0.5 * period:
            steps.append(0 if first else max(round(min((stamp - last) / period, MOST_STEPS)), 1))
            starts.append(place)
            last = stamp
    return np.array(starts, np.intp), np.array(steps, np.int64)


def _unit(cells: Cells, period: float) -> str:
    """In what times are: as dates, by the size of epochs, by the name, or counts of intervals."""
    if cells.kind == "time":
        return "iso"
    for unit, least in (("us", 1e14), ("ms", 1e11), ("s", 1e8)):
        if cells.low >= least:
            return unit
    words = tokens(cells.name)
    for unit, names in (("us", {"us", "usec"}), ("ms", {"ms", "msec", "millis"}), ("s", {"s", "sec", "seconds"})):
        if names & set(words):
            return unit
    return "count" if cells.kind == "whole" and period == 1.0 else "s"
