"""Compiled recursions over the units that the slices before have spent: the best allocations, sums over all of them."""

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
def _raise_to(target: FloatArray, base: FloatArray, a: float, b: float, c: float, d: float) -> None:
    """target[j] = max(target[j], base[j] + a, base[j + 1] + b, base[j + 2] + c, base[j + 3] + d).

    It goes along an array, not towards one number, so that it is vectorised; four at a time halves the time, which
    goes into reading and writing `target`.
    """
    first, second, third, fourth = base[:-3], base[1:-2], base[2:-1], base[3:]
    for j in range(len(target)):
        one, two, three, four = first[j] + a, second[j] + b, third[j] + c, fourth[j] + d
        one = two if two > one else one
        three = four if four > three else three
        one = three if three > one else one
        target[j] = one if one > target[j] else target[j]


@njit
def _add_products(target: FloatArray, base: FloatArray, a: float, b: float, c: float, d: float) -> None:
    """target[j] += base[j] * a + base[j + 1] * b + base[j + 2] * c + base[j + 3] * d."""
    first, second, third, fourth = base[:-3], base[1:-2], base[2:-1], base[3:]
    for j in range(len(target)):
        target[j] += (first[j] * a + second[j] * b) + (third[j] * c + fourth[j] * d)


@njit
def fill(values: FloatArray, reach: Reach, largest: bool, table: FloatArray) -> None:
    """Work out the table of one row of values (S, W).

    table[n, spent] is taken over all that slices n, n + 1, ... can hold once those before have spent so many spare
    units: the `largest` sum of values, or else the sum of the products of values; -inf or 0 where that is nothing.
    """
    nothing = -np.inf if largest else 0.0
    table[:] = nothing
    last = len(reach.widths) - 1
    for spent in range(reach.first[last], reach.last[last] + 1):
        table[last, spent] = values[last, reach.spare - spent]  # the last slice holds what is left
    for n in range(last - 1, -1, -1):
        width = reach.widths[n]
        for units in range(0, width, 4):
            begin = max(reach.first[n], reach.first[n + 1] - units - 3)
            end = max(begin, min(reach.last[n], reach.last[n + 1] - units) + 1)
            target, base = table[n, begin:end], table[n + 1, begin + units : end + units + 3]
            a = values[n, units]
            b = values[n, units + 1] if units + 1 < width else nothing
            c = values[n, units + 2] if units + 2 < width else nothing
            d = values[n, units + 3] if units + 3 < width else nothing
            if largest:
                _raise_to(target, base, a, b, c, d)
            else:
                _add_products(target, base, a, b, c, d)


@njit
def best(values: FloatArray, reach: Reach, worth: FloatArray, units: IntArray, totals: FloatArray) -> None:
    """The best allocation of each row.

    Args:
        values: (k, S, W) by slice and spare units.
        reach: of the cell.
        worth: (S, spare + 4) to work in.
        units: (k, S) spare units, written; of allocations of equal value the lexicographically smallest.
        totals: (k,) their values, written.
    """
    last = len(reach.widths) - 1
    for i in range(len(values)):
        fill(values[i], reach, True, worth)
        totals[i] = worth[0, 0]
        spent = 0
        for n in range(last):
            mine = max(0, reach.first[n + 1] - spent)
            while values[i, n, mine] + worth[n + 1, spent + mine] != worth[n, spent]:  # the very sums of `fill`
                mine += 1
            units[i, n] = mine
            spent += mine
        units[i, last] = reach.spare - spent


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
def _log_sum(
    values: FloatArray, weights: FloatArray, offset: float, reach: Reach, sums: FloatArray
) -> tuple[float, bool]:
    """The logarithm of the sum of one row, and whether `sums` holds logarithms."""
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
        weights: (k, S, W) exp(values - each slice's largest).
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


class Ranking(NamedTuple):
    """The best of what slices n, n + 1, ... can hold, by slice, spare units spent before, and rank."""

    worth: FloatArray  # (S, spare + 1, count)
    units: IntArray  # (S, spare + 1, count) spare units of slice n
    rank: IntArray  # (S, spare + 1, count) rank of what the slices after hold
    size: IntArray  # (S, spare + 1) how many there are


@njit
def _insert(ranking: Ranking, n: int, spent: int, value: float, units: int, rank: int) -> bool:
    """Take in a candidate, after those of equal value, if it is among the best; say whether it is."""
    worth, size = ranking.worth[n, spent], ranking.size[n, spent]
    place = min(size, len(worth) - 1)
    if size == len(worth) and not value > worth[place]:
        return False
    while place > 0 and value > worth[place - 1]:
        worth[place] = worth[place - 1]
        ranking.units[n, spent, place] = ranking.units[n, spent, place - 1]
        ranking.rank[n, spent, place] = ranking.rank[n, spent, place - 1]
        place -= 1
    worth[place] = value
    ranking.units[n, spent, place] = units
    ranking.rank[n, spent, place] = rank
    ranking.size[n, spent] = min(size + 1, len(worth))
    return True


@njit
def top(values: FloatArray, reach: Reach, ranking: Ranking, units: IntArray, totals: FloatArray) -> None:
    """The best allocations of each row, the best first and those of equal value in lexicographic order.

    Args:
        values: (k, S, W) by slice and spare units.
        reach: of the cell, which has `count` allocations or more.
        ranking: to work in.
        units: (k, count, S) spare units, written.
        totals: (k, count) their values, written.
    """
    last = len(reach.widths) - 1
    for i in range(len(values)):
        ranking.size[:] = 0
        for spent in range(reach.first[last], reach.last[last] + 1):
            _insert(ranking, last, spent, values[i, last, reach.spare - spent], reach.spare - spent, 0)
        for n in range(last - 1, -1, -1):
            for spent in range(reach.first[n], reach.last[n] + 1):
                begin = max(0, reach.first[n + 1] - spent)
                for mine in range(begin, min(reach.widths[n], reach.last[n + 1] - spent + 1)):
                    for rank in range(ranking.size[n + 1, spent + mine]):
                        value = values[i, n, mine] + ranking.worth[n + 1, spent + mine, rank]
                        if not _insert(ranking, n, spent, value, mine, rank):
                            break  # those of a higher rank are worth no more
        for place in range(totals.shape[1]):
            totals[i, place] = ranking.worth[0, 0, place]
            spent, rank = 0, place
            for n in range(last + 1):
                units[i, place, n] = ranking.units[n, spent, rank]
                spent, rank = spent + ranking.units[n, spent, rank], ranking.rank[n, spent, rank]
