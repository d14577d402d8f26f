"""Counts that are not those of an interval: below 0, or of a counter that runs on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from twin.data.logs.counters import differences, is_running
from twin.inspection.cells import FloatArray
from twin.inspection.grid import Grid
from twin.inspection.timing import Timing


def without_negative(grid: Grid, arrivals: str) -> Grid:
    """A grid whose arrivals below 0, as of a counter that was reset, are unknown; all stay if too few are left."""
    values = grid.values[arrivals]
    if not may_lack_negative(values):
        return grid
    return replace(grid, values={**grid.values, arrivals: np.where(values < 0.0, np.nan, values)})


def may_lack_negative(values: FloatArray) -> bool:
    """Whether without values (intervals, slices) below 0 each slice has one, and one interval has them all."""
    return bool((values >= 0.0).any(axis=0).all() and not (values < 0.0).any(axis=1).all())


def without_running(names: Iterable[str], grid: Grid, timing: Timing) -> tuple[Grid, tuple[str, ...]]:
    """A grid with the differences of those quantities that are counters which run on, and which these are."""
    follow = timing.follows()
    running = tuple(name for name in names if is_running(grid.values[name], follow))
    own = {name: differences(grid.values[name], follow) for name in running}
    return replace(grid, values={**grid.values, **own}), running
