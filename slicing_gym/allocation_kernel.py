"""Compiled recursions over the units that the slices before have spent: the best allocation, the best ones, sums over all."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from slicing_gym._jit import njit

COMPILED_WITH = "716639e0db82"
"""Renewed when what these functions call changes: numba's cache looks at this file alone (a test gives the value)."""

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_SMALLEST_SUM = 1e-270
"""Below it numbers that got lost by underflow (under 1e-308 each, 2**62 of them at most) might matter."""


class Reach(NamedTuple):
    """Which units the slices can hold, counted from the fewest that each must hold ("spare" units)."""

    spare: int  # units that are left once each slice has its fewest
    widths: IntArray  # (S,) how many numbers of units a slice can hold
    first: IntArray  # (S,) fewest spare units that the slices before this one can have spent
    last: IntArray  # (S,) most of them


@njit
def _raise_to(target: FloatArray, base: FloatArray, value: float) -> None:
    """Target = max(target, base + value): along an array, not towards one number, so that it is vectorised."""
    for j in range(len(target)):
        candidate = base[j] + value
        target[j] = candidate if candidate > target[j] else target[j]


@njit
def _add_product(target: FloatArray, base: FloatArray, value: float) -> None:
    """Target += base * value."""
    for j in range(len(target)):
        target[j] += base[j] * value


@njit
def _fill_last(values: FloatArray, reach: Reach, worth: FloatArray) -> None:
    """The last slice gets whatever is left."""
    n = len(reach.widths) - 1
    for spent in range(reach.first[n], reach.last[n] + 1):
        worth[n, spent] = values[n, reach.spare - spent]


@njit
def _fill_worth(values: FloatArray, reach: Reach, worth: FloatArray) -> None:
    """worth[n, spent]: the most that slices n, n + 1, ... bring if those before spent so many spare units."""
    _fill_last(values, reach, worth)
    for n in range(len(reach.widths) - 2, -1, -1):
        worth[n, reach.first[n] : reach.last[n] + 1] = -np.inf
        for units in range(reach.widths[n]):
            begin = max(reach.first[n], reach.first[n + 1] - units)
            end = max(begin, min(reach.last[n], reach.last[n + 1] - units) + 1)
            _raise_to(worth[n, begin:end], worth[n + 1, begin + units : end + units], values[n, units])


@njit
def best(values: FloatArray, reach: Reach, worth: FloatArray, units: IntArray, totals: FloatArray) -> None:
    """The best allocation of each row.

    Args:
        values: (k, S, W) by slice and spare units.
        reach: of the cell.
        worth: (S, spare + 1) to work in.
        units: (k, S) spare units, written; of allocations of equal value the lexicographically smallest.
        totals: (k,) their values, written.
    """
    for i in range(len(values)):
        _fill_worth(values[i], reach, worth)
        totals[i] = worth[0, 0]
        spent = 0
        for n in range(len(reach.widths) - 1):
            mine = max(0, reach.first[n + 1] - spent)
            while values[i, n, mine] + worth[n + 1, spent + mine] != worth[n, spent]:  # the sums that were compared
                mine += 1
            units[i, n] = mine
            spent += mine
        units[i, len(reach.widths) - 1] = reach.spare - spent


@njit
def _fill_sums(weights: FloatArray, reach: Reach, sums: FloatArray) -> None:
    """sums[n, spent]: sum of the products of weights over what slices n, n + 1, ... can hold together."""
    _fill_last(weights, reach, sums)
    for n in range(len(reach.widths) - 2, -1, -1):
        sums[n, reach.first[n] : reach.last[n] + 1] = 0.0
        for units in range(reach.widths[n]):
            begin = max(reach.first[n], reach.first[n + 1] - units)
            end = max(begin, min(reach.last[n], reach.last[n + 1] - units) + 1)
            _add_product(sums[n, begin:end], sums[n + 1, begin + units : end + units], weights[n, units])


@njit
def _fill_logarithms(values: FloatArray, reach: Reach, sums: FloatArray) -> None:
    """The logarithms of what `_fill_sums` gives: much slower, but no number is too small for it."""
    _fill_last(values, reach, sums)
    for n in range(len(reach.widths) - 2, -1, -1):
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
def _log_sum(
    values: FloatArray, weights: FloatArray, offset: float, reach: Reach, sums: FloatArray
) -> tuple[float, bool]:
    """The logarithm of the sum of one row, and whether `sums` holds logarithms."""
    _fill_sums(weights, reach, sums)
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
        weights: (k, S, W) exp(values - each slice's largest).
        offsets: (k,) sum of the slices' largest.
        reach: of the cell.
        sums: (S, spare + 1) to work in.
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
def _fill_shares(weights: FloatArray, reach: Reach, sums: FloatArray, spent_before: FloatArray, out: FloatArray) -> None:
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
                    probability = spent_before[n, spent] * math.exp(values[n, units] + sums[n + 1, spent + units] - sums[n, spent])
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
        sums: (S, spare + 1) to work in.
        spent_before: (S, spare + 1) to work in.
        totals: (k,) written.
        out: (k, S, W) written: the probability that a slice holds so many spare units.
    """
    for i in range(len(values)):
        totals[i], logarithmic = _log_sum(values[i], weights[i], offsets[i], reach, sums)
        if logarithmic:
            _fill_shares_from_logarithms(values[i], reach, sums, spent_before, out[i])
        else:
            _fill_shares(weights[i], reach, sums, spent_before, out[i])
