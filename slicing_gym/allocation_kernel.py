"""Compiled recursions over the units that the slices before have spent: the best allocations, sums of products."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from slicing_gym._jit import njit

COMPILED_WITH = "bd01ad497188"
"""Renewed when what these functions call changes: numba's cache looks at this file alone (a test gives the value)."""

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


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
