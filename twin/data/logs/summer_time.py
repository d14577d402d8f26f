"""The end of summer time in logs of local time: an hour stands twice, and is two hours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

HOUR_S = 3600
"""By how much clocks are put back [s]."""


@dataclass(frozen=True, eq=False)
class Repeated:
    """Where the time of a series runs back by less than an hour.

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
    """Where an hour stands twice.

    Args:
        stamps: of each row (n,), in the order of the file.
        group: of each row (n,): rows of one slice, user and run.
        hour: in the unit of the stamps.
        period: of the intervals, likewise; of an hour or more, a stamp that stands twice is such a one, too.
    """
    before, after, apart = neighbours(stamps, group)
    back = (apart > -hour) & ((apart < 0) | ((apart == 0) & (period >= hour)))
    places, top = after[back], stamps[before[back]]
    hours: list[tuple[Any, Any]] = []
    for start, end in sorted(zip(stamps[places].tolist(), top.tolist(), strict=True)):
        if hours and start <= hours[-1][1]:
            hours[-1] = (hours[-1][0], max(end, hours[-1][1]))
        else:
            hours.append((start, end))
    return Repeated(places, top, tuple(hours))


def unfolded(stamps: npt.NDArray[Any], group: IntArray, hour: float, found: Repeated) -> npt.NDArray[Any]:
    """Stamps that do not run back (n,): the second of two hours, and all that is later, is an hour on."""
    shifts = np.zeros(len(stamps), np.int64)
    for _, end in found.hours:
        shifts += stamps > end
    rows = np.arange(len(stamps))
    for place, top in zip(found.places.tolist(), found.top.tolist(), strict=True):
        end = next(last for first, last in found.hours if first <= top <= last)
        shifts += (group == group[place]) & (rows >= place) & (stamps <= end) & (stamps > end - hour)
    return np.asarray(stamps + (shifts * hour).astype(stamps.dtype), stamps.dtype)
