"""The end of summer time in logs of local time: an hour stands twice, and is two hours."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.data.logs.dates import shown

IntArray = npt.NDArray[np.int64]

HOUR_S = 3600
"""By how much clocks are put back [s]."""

NIGHT = "Saturday 23:00 to Sunday 04:00, once in 150 days"
"""When summer time may end."""

_APART_H = 150 * 24


@dataclass(frozen=True, eq=False)
class Repeated:
    """Where the time of a series runs back by less than an hour, because summer time ended.

    Args:
        places: of the rows that run back (k,).
        top: the stamp before each of them (k,).
        hours: [start, end] of the hours that stand twice, each once.
    """

    places: npt.NDArray[np.intp]
    top: npt.NDArray[Any]
    hours: tuple[tuple[Any, Any], ...]


def neighbours(stamps: npt.NDArray[Any], group: IntArray) -> tuple[IntArray, IntArray, npt.NDArray[Any]]:
    """Pairs of rows that follow each other in a group: the first of each, the second, and the time between.

    Args:
        stamps: of each row (n,).
        group: of each row (n,): rows of one slice, user and run.
    """
    order = np.argsort(group, kind="stable")
    same = group[order][1:] == group[order][:-1]
    return order[:-1][same], order[1:][same], np.diff(stamps[order])[same]


def repeated_hours(stamps: npt.NDArray[Any], group: IntArray, hour: float, period: float) -> Repeated:
    """Where an hour stands twice: time runs back by less than an hour in a night in which summer time may end.

    Of two such nights within 150 days neither counts: summer time ends once a year.

    Args:
        stamps: of each row (n,), in the order of the file, since 1970.
        group: of each row (n,): rows of one slice, user and run.
        hour: in the unit of the stamps.
        period: of the intervals, likewise; of an hour or more, a stamp that stands twice is such a one, too.
    """
    before, after, apart = neighbours(stamps, group)
    back = (apart > -hour) & ((apart < 0) | ((apart == 0) & (period >= hour)))
    places, top = after[back], stamps[before[back]]
    hours: list[tuple[Any, Any]] = []
    for start, end in sorted(zip(stamps[places].tolist(), top.tolist(), strict=True)):
        if hours and (start <= hours[-1][1] or start < hours[-1][0] + hour):  # a slice may lack a part of it
            hours[-1] = (hours[-1][0], max(end, hours[-1][1]))
        else:
            hours.append((start, end))
    kept = [each for each in hours if may_end_at(each[0] / hour)]
    for one, other in itertools.pairwise(tuple(kept)):
        if other[0] - one[0] < _APART_H * hour:
            kept = [each for each in kept if each not in (one, other)]
    of_these = _hour_of(stamps[places], kept) >= 0
    return Repeated(places[of_these], top[of_these], tuple(kept))


def may_end_at(hours: float) -> bool:
    """Whether a time [hours since 1970] is between Saturday, 23 o'clock, and Sunday, 4 o'clock."""
    day, hour = divmod(hours + 1.0, 24.0)  # 1 January 1970 was a Thursday
    return day % 7 == 3 and hour < 5.0


def _hour_of(stamps: npt.NDArray[Any], hours: Sequence[tuple[Any, Any]]) -> IntArray:
    """The number of the hour that each stamp (k,) is in, -1 where it is in none."""
    found = np.full(len(stamps), -1, np.int64)
    for number, (start, end) in enumerate(hours):
        found[(start <= stamps) & (stamps <= end)] = number
    return found


def unfolded(
    stamps: npt.NDArray[Any], group: IntArray, run: npt.NDArray[Any], hour: float, found: Repeated
) -> npt.NDArray[Any]:
    """Stamps that do not run back (n,): the second of two hours, and all that is later, is an hour on.

    Where a run is in order of time, its first row that runs back begins the second hour of all groups: one may have no
    row in the first hour, and does not run back itself.

    Args:
        stamps: of each row (n,), in the order of the file.
        group: of each row (n,): rows of one slice, user and run.
        run: of each row (n,).
        hour: in the unit of the stamps.
        found: by `repeated_hours`.
    """
    shifts = np.zeros(len(stamps), np.int64)
    for _, end in found.hours:
        shifts += stamps > end
    rows = np.arange(len(stamps))
    firsts, tops = _first_of_runs(stamps, run, found)
    by_time = np.isin(run, run[firsts])
    alone = ~by_time[found.places]
    for own, places, top in ((run, firsts, tops), (group, found.places[alone], found.top[alone])):
        ends = [found.hours[number][1] for number in _hour_of(top, found.hours)]
        for place, end in zip(places.tolist(), ends, strict=True):
            shifts += (own == own[place]) & (rows >= place) & (stamps <= end) & (stamps > end - hour)
    return np.asarray(stamps + (shifts * hour).astype(stamps.dtype), stamps.dtype)


def _first_of_runs(
    stamps: npt.NDArray[Any], run: npt.NDArray[Any], found: Repeated
) -> tuple[npt.NDArray[np.intp], npt.NDArray[Any]]:
    """Rows with which the second hours of runs begin, and the stamps before them; of runs in order of time alone."""
    before, after, apart = neighbours(stamps, run)
    places, top = after[apart < 0], stamps[before[apart < 0]]
    numbers = _hour_of(stamps[places], found.hours)
    pairs = run[places].astype(np.int64) * (len(found.hours) + 1) + numbers
    _, which, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    otherwise = (numbers < 0) | (numbers != _hour_of(top, found.hours)) | (counts[which] > 1)
    in_order = ~np.isin(run[places], run[places][otherwise])
    return places[in_order], top[in_order]


def said(column: str, hours: Sequence[tuple[float, float]]) -> list[str]:
    """For reports: that the hours of a column (start and end [s]) stand twice, and what is made of it."""
    spans = [[shown(start), shown(end).partition(" ")[2]][: 1 + (end > start)] for start, end in hours]
    return [
        f"{column}: {' to '.join(span)} stands twice because summer time ended; the second is taken for the hour after "
        "the first (time.repeated_hour)"
        for span in spans
    ]
