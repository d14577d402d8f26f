"""The moment of a history that is asked about: by a time stamp of its log, or by the number of a decision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slicing_gym.errors import check_integer, shown
from twin import History
from twin.data.checks import follows
from twin.data.logs import dates

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

DATED = 1e8
"""Seconds from which a time is a date (since 1970: from 1973 on); below, a log counts from a moment of its own."""

_MOST_LISTED = 8
"""Decisions that a message lists."""

_MOST_RUNS = 3
"""Runs that are named, each."""


@dataclass(frozen=True)
class Moment:
    """Decisions with consecutive numbers. Those of `find_moment` follow one another in a run, without a gap.

    Args:
        history: of the network.
        row: number of the first decision, from 0.
        ahead: how many.
    """

    history: History
    row: int
    ahead: int

    @property
    def rows(self) -> slice:
        """Of its decisions."""
        return slice(self.row, self.row + self.ahead)

    def __str__(self) -> str:
        """Which decisions they are, of which runs if there are several, and when."""
        history, last = self.history, "" if self.ahead == 1 else f" to {self.row + self.ahead - 1}"
        found = f"decision{'s' if last else ''} {self.row}{last} of 0 to {len(history) - 1}"
        if len(history.runs) > 1:
            found += f" ({self._runs()})"
        if history.time is None:
            return found
        time = history.time[self.rows]
        if follows(history.run[self.rows], history.interval[self.rows]).all():
            return f"{found}, from {show_time(time[0])} on"
        return f"{found}, from {show_time(time.min())} to {show_time(time.max())}"

    def _runs(self) -> str:
        """Whose decisions they are; of many runs the first and the last."""
        _, first = np.unique(self.history.run[self.rows], return_index=True)
        named = [self.history.run_of(self.row + row) for row in np.sort(first)]
        return ", ".join(named) if len(named) <= _MOST_RUNS else f"{len(named)} runs, {named[0]} to {named[-1]}"


def find_moment(history: History, at: str | float | None = None, interval: int | None = None, ahead: int = 1) -> Moment:
    """The decision for the interval nearest to a time, or of a number.

    Args:
        history: of the network.
        at: a time stamp as the log has it: a date (2026-10-13 20:15, 13.10.2026 20:15), or seconds. As with the log's
            own stamps, a zone in it is left out, and moves nothing.
        interval: number of the decision in the history, from 0, in place of it.
        ahead: decisions that have to follow one another from there on.

    Raises:
        ValueError, TypeError: both or none are given; there is no such decision, no interval within half a period of
            the time, or one in each of several runs or repeated hours; or a gap follows too soon.
    """
    if (at is None) == (interval is None):
        given = "missing" if at is None else f"{shown(at)} given together with interval"
        raise ValueError(f"at: {given}, allowed is a time stamp of the log, or interval=<number of a decision>")
    if interval is None:
        row = _nearest(history, at)
    else:
        row = check_integer("interval", interval, at_least=0, at_most=len(history) - 1)
    (block,) = [each for each in history.sequences() if each.start <= row < each.stop]
    check_integer("ahead", ahead, at_least=1)
    if row + ahead > block.stop:
        raise ValueError(
            f"ahead: {ahead} given, allowed is 1 to {block.stop - row}: after decision {block.stop - 1} the history "
            "ends, or has a gap"
        )
    return Moment(history, row, ahead)


def show_time(seconds: float) -> str:
    """A time of a history as its log has it: a date, or seconds."""
    return f"{seconds:g} s" if seconds < DATED else dates.shown(seconds)


def _nearest(history: History, at: object) -> int:
    """The only decision whose interval is at most half a period away from a time."""
    time = history.time
    if time is None:
        raise ValueError(
            f"at: {shown(at)} given, but the history has no times (its log numbers the intervals, or it was written "
            "before times were kept: read the log again); allowed is interval=<number>"
        )
    readings = seconds_of(at)
    found = {wanted: _rows_at(history, time, wanted) for wanted in readings}
    fitting = [wanted for wanted in readings if len(found[wanted])]
    if not fitting:
        raise ValueError(f"at: {shown(at)} given, {_what_there_is(time, readings[0])}")
    if len(fitting) > 1:
        both = " or ".join(map(show_time, fitting))
        raise ValueError(f"at: {shown(at)} given, which may be {both}, allowed are dates with the year first")
    rows = found[fitting[0]]
    if len(rows) > 1:
        listed = [
            f"interval={row} ({history.run_of(row)}, {show_time(time[row])}{_of_two(history, time, rows, row)})"
            for row in rows[:_MOST_LISTED]
        ]
        more = f", or one of {len(rows) - _MOST_LISTED} more" if len(rows) > _MOST_LISTED else ""
        raise ValueError(
            f"at: {shown(at)} given, which {len(rows)} decisions fit, allowed is one of them: {', '.join(listed)}{more}"
        )
    return int(rows[0])


def _of_two(history: History, time: FloatArray, rows: IntArray, row: int) -> str:
    """Which of two decisions at one time of a run it is, where the clock was set back between them."""
    same = [int(each) for each in rows if (history.run[each], time[each]) == (history.run[row], time[row])]
    if len(same) < 2:
        return ""
    return ", before the clock was set back" if row == same[0] else ", after the clock was set back"


def _rows_at(history: History, time: FloatArray, wanted: float) -> IntArray:
    """Decisions at most half a period from a time, none of which has a neighbour that is nearer."""
    joined = follows(history.run, history.interval)
    steps = np.diff(time)[joined]
    half = 0.5 * float(np.median(steps[steps > 0.0])) if (steps > 0.0).any() else 0.0
    away = np.abs(time - wanted)
    best = away <= half
    best[1:] &= ~joined | (away[1:] < away[:-1])  # of two that are as near the first
    best[:-1] &= ~joined | (away[:-1] <= away[1:])
    return np.flatnonzero(best)


def _what_there_is(time: FloatArray, wanted: float) -> str:
    """What is allowed where a log has no interval: its times, or those around a gap."""
    first, last = time.min(), time.max()
    if not first < wanted < last:
        return f"allowed are the times of the log, {show_time(first)} to {show_time(last)}"
    before, after = time[time <= wanted].max(), time[time >= wanted].min()
    return f"where the log has no decision; the nearest are at {show_time(before)} and {show_time(after)}"


def seconds_of(at: object) -> list[float]:
    """What a time stamp may mean, in seconds; of a date since 1970, as a clock shows it.

    07/11/2026 may be of November or of July, all others have one meaning.

    Raises:
        ValueError, TypeError: it is neither a date nor a number.
    """
    allowed = "allowed is a date like '2026-10-13 20:15' or '13.10.2026 20:15', or seconds"
    if isinstance(at, int | float) and not isinstance(at, bool):
        return [float(at)]
    if not isinstance(at, str):
        raise TypeError(f"at: {shown(at)} given, {allowed}")
    found = dates.readings(at)
    if not found:
        raise ValueError(f"at: {shown(at)} given, {allowed}")
    return found
