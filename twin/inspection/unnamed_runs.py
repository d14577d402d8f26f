"""A column that tells the rows of a slice and time apart though its name does not say so: cells of one file."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from twin.inspection.cells import Cells, FloatArray, IntArray
from twin.inspection.roles import WORDS, says, tokens

OFTEN = 0.3
"""Least share of rows that stand at the same slice and time as another, where something has to tell them apart."""

DOUBLED = 0.05
"""Most rows that may stand twice all the same: lines that were written twice, an hour at the end of summer time."""

FILLED = 0.5
"""Least share of slices and times that have a row of each value: a cell goes on, what was measured changes."""

_DIRECTIONS = frozenset({"ul", "dl", "uplink", "downlink", "up", "down", "tx", "rx"})
_NAMES = frozenset({"ul", "dl", "uldl", "dlul", "uplink", "downlink", "direction", "dir", "richtung"})
"""Words of the names of columns in which numbers stand for the two directions."""


def telling_apart(
    cells: Mapping[str, Cells], known: Collection[str], series: IntArray, times: FloatArray, again: int
) -> str | None:
    """The column whose values are what rows of a slice and time are there for; None if rows are there once, or none is.

    Args:
        cells: of all columns.
        known: names of columns that are something else.
        series: (n,) rows of the same number are of one slice, user and run.
        times: of each row (n,), as the log has it.
        again: how many rows follow another one of their series and time.
    """
    number = len(series)
    if again <= OFTEN * number:
        return None
    places, _ = numbered(series, times)
    groups, found = int(places.max()) + 1, []
    for order, (name, each) in enumerate(cells.items()):
        if name in known or each.kind not in ("whole", "text") or each.constant or _is_direction(each):
            continue
        values = len(np.unique(each.numbers[~np.isnan(each.numbers)]))
        if values * groups * FILLED > number:
            continue
        different = int(numbered(places, each.numbers)[0].max()) + 1
        if number - different <= DOUBLED * number and different >= FILLED * values * groups:
            found.append((each.kind != "text", values, order, name))
    return min(found)[-1] if found else None


def numbered(one: IntArray, other: FloatArray) -> tuple[IntArray, npt.NDArray[np.intp]]:
    """A number for each different pair of values (n,), and where each pair is first; NaN is a value, too."""
    _, codes = np.unique(np.where(np.isnan(other), np.inf, other), return_inverse=True)
    _, first, numbers = np.unique(one * (int(codes.max(initial=0)) + 1) + codes, return_index=True, return_inverse=True)
    return numbers.astype(np.int64), first


def _is_direction(cells: Cells) -> bool:
    """Whether rows are of the downlink and the uplink, which are one cell's: `DL`, `0 (DL)`, or two numbers."""
    if not cells.labels:
        named = says(cells.name, _NAMES) and not says(cells.name, WORDS["run"])  # `dl_cell_id` numbers cells
        return named and cells.distinct() == 2 and (cells.low, cells.high) in ((0, 1), (1, 2))
    labels = {label.lower(): label for label in cells.labels if label}
    said = [_DIRECTIONS.intersection(tokens(label)) for label in labels.values()]
    return all(said) and len(set(said)) == len(said)  # each once: `north DL` and `south DL` are cells
