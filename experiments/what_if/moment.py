"""The moment of a history that is asked about: by a time stamp of its log, or by the number of a decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np

from slicing_gym.errors import check_integer, shown
from twin import History
from twin.data.logs import dates

DATED = 1e8
"""Seconds from which a time is a date (since 1970: from 1973 on); below, a log counts from a moment of its own."""

_FORMS = ("%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S")
"""Of dates, in addition to ISO's."""


@dataclass(frozen=True)
class Moment:
    """Decisions that follow one another, and what was known before the first.

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
        """Which decision it is, and when."""
        history, last = self.history, "" if self.ahead == 1 else f" to {self.row + self.ahead - 1}"
        found = f"decision{'s' if last else ''} {self.row}{last} of 0 to {len(history) - 1}"
        return found if history.time is None else f"{found}, from {show_time(history.time[self.row])} on"


def find_moment(history: History, at: str | float | None = None, interval: int | None = None, ahead: int = 1) -> Moment:
    """The decision for the interval nearest to a time, or of a number.

    Args:
        history: of the network.
        at: a time stamp of the log: a date (2026-10-13 20:15, 13.10.2026 20:15), or seconds as the log counts them.
        interval: number of the decision in the history, from 0, in place of it.
        ahead: decisions that have to follow one another from there on.

    Raises:
        ValueError, TypeError: both or none are given; there is no such time or decision, or a gap follows too soon.
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
    """The decision whose interval is nearest to a time; half an interval beyond the ends is refused."""
    time = history.time
    if time is None:
        raise ValueError(
            f"at: {shown(at)} given, but the history has no times (its log numbers the intervals, or it was written "
            "before times were kept: read the log again); allowed is interval=<number>"
        )
    wanted, steps = seconds_of(at), np.diff(np.sort(time))
    beyond = 0.5 * float(np.median(steps[steps > 0.0])) if (steps > 0.0).any() else 0.0
    if not time.min() - beyond <= wanted <= time.max() + beyond:
        raise ValueError(
            f"at: {shown(at)} given, allowed are the times of the log, {show_time(time.min())} to "
            f"{show_time(time.max())}"
        )
    return int(np.abs(time - wanted).argmin())


def seconds_of(at: object) -> float:
    """Seconds of a time stamp; of a date since 1970, as a clock shows it (a zone in it is taken off).

    Raises:
        ValueError, TypeError: it is neither a date nor a number.
    """
    allowed = "allowed is a date like '2026-10-13 20:15' or '13.10.2026 20:15', or seconds"
    if isinstance(at, int | float) and not isinstance(at, bool):
        return float(at)
    if not isinstance(at, str):
        raise TypeError(f"at: {shown(at)} given, {allowed}")
    for read in (datetime.fromisoformat, *(lambda text, form=form: datetime.strptime(text, form) for form in _FORMS)):
        try:
            found = read(at.strip())
        except ValueError:
            continue
        moved = found if found.tzinfo is None else found.astimezone(timezone.utc).replace(tzinfo=None)
        return (moved - datetime(1970, 1, 1)).total_seconds()
    raise ValueError(f"at: {shown(at)} given, {allowed}")
