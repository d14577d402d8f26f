"""Compiled sums of exp(value) over all allocations, as logarithms, and their slopes; they do not underflow."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from slicing_gym._jit import njit
from slicing_gym.allocation_kernel import Reach, fill

COMPILED_WITH = "b0e5ad170f19"
"""Renewed when what these functions call changes: numba's cache looks at this file alone (a test gives the value)."""

FloatArray = npt.NDArray[np.float64]

_SMALLEST_SUM = 1e-270
"""Below it numbers that got lost by underflow (under 1e-308 each, 2**62 of them at most) might matter."""


@njit
def _fill_logarithms(values: FloatArray, reach: Reach, sums: FloatArray) -> None:
    """The logarithms of what `fill` gives for exp(values): much slower, but no number is too small for it."""
    last = len(reach.widths) - 1
    for spent in range(reach.first[last], reach.last[last] + 1):
        sums[last, spent] = values[last, reach.spare - spent]
    for n in range(last - 1, -1, -1):
        for spent in range(reach.first[n], reach.last[n] + 1):
            begin = max(0, reach.first[n + 1] - spent)
            end = min(reach.widths[n], reach.last[n + 1] - spent + 1)
            peak = -np.inf
            for units in range(begin, end):
                peak = max(peak, values[n, units] + sums[n + 1, spent + units])
            total = 0.0
            if peak > -np.inf:
                for units in range(begin, end):
                    total += math.exp(values[n, units] + sums[n + 1, spent + units] - peak)
            sums[n, spent] = peak + math.log(total) if peak > -np.inf else -np.inf


@njit
def _largest_at(values: FloatArray, slope: float) -> int:
    """The first u at which values[u] + slope u is largest."""
    place = 0
    for units in range(1, len(values)):
        if values[units] + slope * units > values[place] + slope * place:
            place = units
    return place


@njit
def _tilt(values: FloatArray, reach: Reach, weights: FloatArray) -> float:
    """Write weights exp(values + slope units - each slice's largest) of one row; return what makes up for it.

    A slope adds the same to all allocations. With one at which the slices' largest hold about all spare units together,
    these are nearly an allocation, and the sum is seldom too small; `_fill_logarithms` takes some fifty times as long.
    """
    up = 0.0
    for n in range(len(values)):
        for each in values[n]:
            up = max(up, abs(each) if each > -np.inf else 0.0)
    down, up = -2.0 * up, 2.0 * up  # beyond these the slices hold the fewest or the most that they can
    slope = 0.0
    for _ in range(60):
        if (up - down) * reach.spare < 1.0:
            break
        slope, held = 0.5 * (down + up), 0
        for n in range(len(values)):
            held += _largest_at(values[n], slope)
        if held < reach.spare:
            down = slope
        else:
            up = slope
    offset = -slope * reach.spare
    for n in range(len(values)):
        place = _largest_at(values[n], slope)
        largest = values[n, place] + slope * place
        if largest == -np.inf:  # nothing is allowed
            return -np.inf
        offset += largest
        for units in range(len(values[n])):
            weights[n, units] = math.exp(values[n, units] + slope * units - largest)
    return offset


@njit
def _log_sum(
    values: FloatArray, weights: FloatArray, offset: float, reach: Reach, sums: FloatArray
) -> tuple[float, bool]:
    """The logarithm of the sum of one row, and whether `sums` holds logarithms."""
    fill(weights, reach, False, sums)
    if sums[0, 0] > _SMALLEST_SUM:
        return offset + math.log(sums[0, 0]), False
    offset = _tilt(values, reach, weights)
    if offset > -np.inf:
        fill(weights, reach, False, sums)
        if sums[0, 0] > _SMALLEST_SUM:
            return offset + math.log(sums[0, 0]), False
    _fill_logarithms(values, reach, sums)
    return sums[0, 0], True


@njit
def log_sums(
    values: FloatArray, weights: FloatArray, offsets: FloatArray, reach: Reach, sums: FloatArray, totals: FloatArray
) -> None:
    """The logarithm of the sum of exp(value) over all allocations of each row.

    Args:
        values: (k, S, W) by slice and spare units.
        weights: (k, S, W) exp(values - each slice's largest); others are written where their sum is too small.
        offsets: (k,) sum of the slices' largest.
        reach: of the cell.
        sums: (S, spare + 4) to work in.
        totals: (k,) written; -inf where no allocation has a finite value.
    """
    for i in range(len(values)):
        totals[i], _ = _log_sum(values[i], weights[i], offsets[i], reach, sums)


@njit
def _hand_on(
    held: FloatArray, spent_after: FloatArray, weights: FloatArray, sums_after: FloatArray, factor: float
) -> None:
    """Add factor * weight * sum to the probability of each number of units, and to that of what is spent then."""
    for j in range(len(held)):
        probability = factor * (weights[j] * sums_after[j])
        held[j] += probability
        spent_after[j] += probability


@njit
def _fill_shares(
    weights: FloatArray, reach: Reach, sums: FloatArray, spent_before: FloatArray, out: FloatArray
) -> None:
    """From the first slice to the last, how probable it is that a slice holds so many spare units."""
    spent_before[:] = 0.0
    spent_before[0, 0] = 1.0
    out[:] = 0.0
    last = len(reach.widths) - 1
    for n in range(last):
        for spent in range(reach.first[n], reach.last[n] + 1):
            if sums[n, spent] > 0.0:
                begin = max(0, reach.first[n + 1] - spent)
                end = max(begin, min(reach.widths[n], reach.last[n + 1] - spent + 1))
                _hand_on(
                    out[n, begin:end],
                    spent_before[n + 1, spent + begin : spent + end],
                    weights[n, begin:end],
                    sums[n + 1, spent + begin : spent + end],
                    spent_before[n, spent] / sums[n, spent],
                )
    for spent in range(reach.first[last], reach.last[last] + 1):
        out[last, reach.spare - spent] = spent_before[last, spent]


@njit
def _fill_shares_from_logarithms(
    values: FloatArray, reach: Reach, sums: FloatArray, spent_before: FloatArray, out: FloatArray
) -> None:
    """As `_fill_shares`, from what `_fill_logarithms` gives."""
    spent_before[:] = 0.0
    spent_before[0, 0] = 1.0
    out[:] = 0.0
    last = len(reach.widths) - 1
    for n in range(last):
        for spent in range(reach.first[n], reach.last[n] + 1):
            if spent_before[n, spent] > 0.0:
                for units in range(
                    max(0, reach.first[n + 1] - spent), min(reach.widths[n], reach.last[n + 1] - spent + 1)
                ):
                    probability = spent_before[n, spent] * math.exp(
                        values[n, units] + sums[n + 1, spent + units] - sums[n, spent]
                    )
                    out[n, units] += probability
                    spent_before[n + 1, spent + units] += probability
    for spent in range(reach.first[last], reach.last[last] + 1):
        out[last, reach.spare - spent] = spent_before[last, spent]


@njit
def shares(
    values: FloatArray,
    weights: FloatArray,
    offsets: FloatArray,
    reach: Reach,
    sums: FloatArray,
    spent_before: FloatArray,
    totals: FloatArray,
    out: FloatArray,
) -> None:
    """As `log_sums`; also its slopes by the values, which are softmax probabilities.

    Args:
        values: as for `log_sums`.
        weights: as for `log_sums`.
        offsets: as for `log_sums`.
        reach: of the cell.
        sums: (S, spare + 4) to work in.
        spent_before: (S, spare + 4) to work in.
        totals: (k,) written.
        out: (k, S, W) written: the probability that a slice holds so many spare units.
    """
    for i in range(len(values)):
        totals[i], logarithmic = _log_sum(values[i], weights[i], offsets[i], reach, sums)
        if logarithmic:
            _fill_shares_from_logarithms(values[i], reach, sums, spent_before, out[i])
        else:
            _fill_shares(weights[i], reach, sums, spent_before, out[i])
