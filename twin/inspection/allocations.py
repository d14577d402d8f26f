"""Which column is the allocation, in what it is counted, what it adds up to, and how much of all there is was held."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from twin.data.allocations import are_few
from twin.data.logs.rules import AllocationRule
from twin.data.logs.units import SLACK, units_of
from twin.inspection.cells import Cells, FloatArray
from twin.inspection.grid import Grid
from twin.inspection.roles import (
    DECISIONS,
    UNITS,
    is_ahead,
    is_policy_ratio,
    may_be_allocation,
    says,
    says_percent,
    tokens,
)

CARRIERS = (
    *(6, 11, 15, 18, 24, 25, 31, 38, 50, 51, 52, 65, 66, 75, 78, 79, 100, 106, 133, 135, 160, 162, 189, 216, 217),
    *(245, 264, 270, 273),
)
"""Resource blocks of LTE's and NR's carriers (3GPP TS 36.101, table 5.6-1; TS 38.101-1, table 5.3.2-1)."""
OF_30_KHZ = (51, 65, 78, 162, 189, 217, 245, 273)
"""Of these, those that are carriers of NR at 30 kHz and of none at 15 kHz, nor of LTE."""

_SHARES = frozenset({"share", "shares"})

_HUNDRED = 101.0
"""Most that percents add up to, but for rounding."""

FOLLOWS = 0.9
"""Share of the variance of the units above which the volume of the same row explains them, and no decision does."""

LEAST = 8
"""Fewest intervals whose equal sums say that a column is an allocation, whatever its name."""


@dataclass(frozen=True)
class Allocations:
    """What slices were given.

    Args:
        column: of it.
        counted_as: "units", "share", "percent", "mask" or "caps" (in percents, of 100 units).
        units: (m, S) whole units, NaN where there are none.
        total: units that there are to give away.
        rounded: whether shares are multiples of no number of units, and were rounded to those of `total`.
        lowest, highest: sums over the slices of an interval, in what the column counts.
        idle: whether some of the units are given to nobody though all slices are there.
        held: different allocations among intervals in which all slices are there.
        complete: such intervals.
        possible: allocations that there are.
    """

    column: str
    counted_as: str
    units: FloatArray
    total: int
    rounded: bool
    lowest: float
    highest: float
    idle: bool
    held: int
    complete: int
    possible: int

    @property
    def block_hz(self) -> float:
        """A resource block, by the number of them [Hz]: of LTE and of NR at 15 kHz where nothing says otherwise."""
        return 360e3 if self.counted_as == "units" and self.total in OF_30_KHZ else 180e3

    @property
    def doubtful(self) -> bool:
        """Whether the column may as well be percents: it always adds up to 100, and its name says neither."""
        hundred = self.total == 100 and not self.idle
        return self.counted_as == "units" and hundred and not says(self.column, UNITS)

    @property
    def bound(self) -> bool:
        """Whether the column may be what slices get at most or at least, and not what they were given."""
        in_parts = self.counted_as in ("share", "percent", "caps") or says_percent(self.column)
        return in_parts and _is_bound(self.column)

    @property
    def constant(self) -> bool:
        """Whether there is no more than one."""
        return self.held <= 1

    @property
    def few(self) -> bool:
        """Whether those that were held are a small share of all, and were held many times each."""
        return are_few(self.held, self.possible, self.complete)

    def follows(self, volume: FloatArray) -> float:
        """How well the volume of the same row explains the units within slices: R², 0 where nothing can be told.

        PRB that were used are what was carried over each slice's spectral efficiency. Where all units are given away,
        the column has parts of these.

        Args:
            volume: (m, S) that came or was carried; NaN where unknown.
        """
        if self.constant or is_ahead(self.column) or says(self.column, DECISIONS):
            return 0.0
        good = np.isfinite(self.units).all(axis=1) & (volume.sum(axis=1) > 0.0)
        if good.sum() < LEAST:
            return 0.0
        came, held = volume[good], self.units[good]
        came = came * held.sum(axis=0) / np.maximum(came.sum(axis=0), 1e-12)
        came = came if self.idle else came / came.sum(axis=1, keepdims=True)
        came, held = came - came.mean(axis=0), held - held.mean(axis=0)
        steep = (came * held).sum(axis=0) / np.maximum((came**2).sum(axis=0), 1e-12)
        return float(1.0 - ((held - steep * came) ** 2).sum() / (held**2).sum())


def allocation_column(grid: Grid, cells: Mapping[str, Cells | None]) -> str | None:
    """The column that is most likely the allocation; None if none is.

    A name that says so and sums that are always the same count most; either alone will do. What is a bound by its name
    is taken only where nothing else is. The ratios of a policy add up to 100 at most, unless they are maxima. Of maxima
    that add up to more, fractions of a percent are no caps: those are whole units.
    """
    best, found = 0.0, None
    for name, values in grid.values.items():
        each = cells.get(name)
        named = each is not None and may_be_allocation(each)
        sums = _sums(values)
        if not len(sums) or not np.nanmax(values) > 0.0 or np.nanmin(values) < 0.0 or len(grid.slices) < 2:
            continue
        if are_caps(name) and sums.max() > _HUNDRED and _has_fractions(values):
            continue
        even = bool(np.ptp(sums) <= 0.021 * sums.max())
        varied = bool(np.nanstd(values, axis=0).max() > 0.0)
        if named and is_policy_ratio(name):
            named = varied if _is_bound(name) else bool(sums.max() <= _HUNDRED)
        if not named and not (even and varied and len(sums) >= LEAST and np.ptp(sums) <= 1e-6 * sums.max()):
            continue
        mask = each is not None and each.kind == "mask"
        score = 4.0 * even + 3.0 * named + 2.0 * mask + is_ahead(name) + 0.5 * (grid.how[name] == "once") + 0.5 * varied
        score *= 0.25 if _is_bound(name) else 1.0
        if score > best:
            best, found = score, name
    return found


def allocations_of(grid: Grid, name: str, cells: Cells | None) -> Allocations:
    """The allocations in a column of a grid."""
    values = grid.values[name]
    sums = _sums(values)
    highest = float(sums.max())
    low, high, rounded = float(sums.min()), highest, False
    if cells is not None and cells.kind == "mask":
        counted_as, total, units = "mask", cells.width, values
    elif highest <= 1.05 and _has_fractions(values):
        counted_as, (units, total, rounded) = "share", _whole_units(values)
    elif are_caps(name) and not _has_fractions(values):
        counted_as, total, units = "caps", 100, _capped(values, 100)
    elif highest <= _HUNDRED and (
        says_percent(name) or (highest >= 99.0 and (says(name, _SHARES) or (values % 1.0 > 0.0).any()))
    ):
        counted_as, (units, total, rounded) = "percent", _whole_units(values / 100.0)
    else:
        even = high - low <= 1e-6 * high
        counted_as, units = "units", values
        total = round(high) if even else next((c for c in CARRIERS if c >= high), math.ceil(high))
    complete = units[np.isfinite(units).all(axis=1)]
    idle = bool((np.round(complete.sum(axis=1), 6) < total).any())
    slices = units.shape[1]
    possible = math.comb(total, slices) if idle else math.comb(total - 1, slices - 1)
    held = len(np.unique(complete, axis=0))
    possible = max(possible, 1)
    return Allocations(name, counted_as, units, total, rounded, low, high, idle, held, len(complete), possible)


def are_caps(name: str) -> bool:
    """Whether a column's name is that of the most that slices may use, in percents."""
    return "max" in tokens(name) and says_percent(name)


def _has_fractions(values: FloatArray) -> bool:
    return bool((values[np.isfinite(values)] % 1.0).any())


def _is_bound(name: str) -> bool:
    """Whether a column's name is that of the most or the least that slices get, and not of what they were given."""
    return bool({"min", "max"} & set(tokens(name)))


def _sums(values: FloatArray) -> FloatArray:
    """Over the slices of the intervals in which all are there."""
    return np.asarray(values[np.isfinite(values).all(axis=1)].sum(axis=1))


def _whole_units(shares: FloatArray) -> tuple[FloatArray, int, bool]:
    """Shares as whole units, of the least number of which they are multiples but for rounding; whether none is."""
    given = np.unique(shares[np.isfinite(shares)])
    for total in sorted({*range(2, 101), *CARRIERS}):
        units = given * total
        fits = np.abs(units - units.round()).max() <= min(0.006 * total, 0.2)
        if fits and len(np.unique(units.round())) == len(given):
            return _apportioned(shares, total), total, False
    return _apportioned(shares, 100), 100, True


def _capped(caps: FloatArray, total: int) -> FloatArray:
    """Caps (m, S) as units, as a log is read: those that add up to more than there is are shared out in proportion."""
    units = caps.copy()
    beyond = caps.sum(axis=1) > total
    units[beyond], _ = units_of(AllocationRule("caps", "caps"), caps[beyond], (), total, str)
    return units


def _apportioned(shares: FloatArray, total: int) -> FloatArray:
    """Shares (m, S) as whole units, as a log is read: those that add up to 1 but for rounding make up all units."""
    units = (shares * total).round()
    full = np.abs(shares.sum(axis=1) - 1.0) <= SLACK
    units[full] = units_of(AllocationRule("share", "share"), shares[full], (), total, str)[0]
    return units
