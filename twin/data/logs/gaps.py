"""Intervals that are left out of a log, as gaps: those with a missing value, those that lack slices, a cut end."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from twin.data.logs.long import Long, when
from twin.data.logs.mapping import LogMapping
from twin.data.logs.rows import Rows


def without_missing(long: Long, cleaned: int) -> tuple[Long, str]:
    """The rows without the intervals that have one of `cleaned` missing values, and what is said of it."""
    first, counts = long.groups(with_slice=False)
    lost = np.logical_or.reduceat(long.missing, first)
    said = f"{cleaned} missing value(s): {int(lost.sum())} interval(s) left out as gaps (missing_is)"
    return long.take(~np.repeat(lost, counts)), said


def without_absent(long: Long, number: int) -> tuple[Long, str | None]:
    """The rows without the intervals in which one of `number` slices has none, and what is said of it."""
    if not len(long.run):
        return long, None
    _, counts = long.groups(with_slice=False)
    lacking = counts < number
    if not lacking.any():
        return long, None
    said = f"rows of slices are missing in {int(lacking.sum())} interval(s), left out as gaps (absent: gap)"
    return long.take(~np.repeat(lacking, counts)), said


def without_cut(
    long: Long, rows: Rows, mapping: LogMapping, run: npt.NDArray[Any], number: int
) -> tuple[Long, str | None]:
    """The rows without a run's last interval that lacks slices, as of an export that was cut, and what is said of it.

    All stay where an interval that is not the last of its run lacks slices, too.

    Args:
        long: rows of slices.
        rows: of the log.
        mapping: what its columns mean.
        run: of each of the log's rows (n,), before pauses cut it.
        number: of slices.
    """
    if not len(long.run):
        return long, None
    first, counts = long.groups(with_slice=False)
    whole = run[long.place[first]]
    last = np.append(whole[1:] != whole[:-1], True)
    cut = counts < number
    if not cut.any() or (cut & ~last).any() or cut.all():
        return long, None
    row = int(cut.argmax())
    there = long.slices[first[row] : first[row] + counts[row]]
    absent = [repr(value) for place, value in enumerate(mapping.values) if place not in there]
    more = f", and so do the last of {int(cut.sum()) - 1} more run(s)" if cut.sum() > 1 else ""
    stamp = when(long, rows, mapping, int(first[row]))
    said = f"{stamp}: the last interval lacks {', '.join(absent)}{more}; left out, as where an export was cut"
    return long.take(~np.repeat(cut, counts)), said
