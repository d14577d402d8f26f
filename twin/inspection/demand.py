"""Misses of an SLA for want of demand: little arrived, on as many units as met the SLA in other intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from twin.inspection.cells import FloatArray, IntArray

MOST = 0.5
"""Share of a slice's misses above which it is named."""

TAIL = 0.05
"""Share of the intervals that met the SLA whose arrivals, or units, may be fewer: outliers, and what queues held."""


def short_of_demand(
    slices: Sequence[object],
    performance: FloatArray,
    bounds: npt.ArrayLike,
    arrivals: FloatArray | IntArray,
    units: FloatArray | IntArray,
) -> list[str]:
    """The slices whose misses are mostly for want of demand, with how many are, as texts.

    A slice on fewer units than met its SLA elsewhere is not counted: what is starved sends little, too.

    Args:
        slices: names of S slices.
        performance: (m, S) in an interval; NaN where unknown.
        bounds: (S,), or one of all slices: below it the SLA is missed.
        arrivals: (m, S) in the same interval; NaN where unknown.
        units: (m, S) held in the same interval; NaN where unknown.
    """
    found = []
    missed = performance < np.asarray(bounds)
    every = ~np.isnan(performance) & np.isfinite(arrivals) & np.isfinite(units)
    for number, name in enumerate(slices):
        known = every[:, number]
        miss, came, held = missed[known, number], arrivals[known, number], units[known, number]
        if miss.all() or not miss.any():
            continue
        idle = miss & (came < np.quantile(came[~miss], TAIL)) & (held >= np.quantile(held[~miss], TAIL))
        if idle.sum() > MOST * miss.sum():
            found.append(f"{name} ({idle.sum():,} of {miss.sum():,} misses)")
    return found
