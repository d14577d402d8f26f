"""What is an allocation; its number among all of them, and back again, by the combinatorial number system."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from slicing_gym._jit import njit

IntArray = npt.NDArray[np.int64]

# Numba notices changes of a file, not of what it calls; tests/project says what to write here.
COMPILED_WITH = "716639e0db82"

MAX_ALLOCATIONS = 2**62
"""Most allocations that are numbered, so that sums of two of their numbers are still int64."""

MAX_UNITS = 2**21
"""Most units that are shared out."""


def count_allocations(num_units: int, num_slices: int) -> int:
    """Ways to give every slice at least one unit and all units away: C(num_units - 1, num_slices - 1).

    Raises:
        ValueError: there are not enough units for each slice to get one, or more allocations than can be numbered.
    """
    if not 1 <= num_slices <= num_units:
        raise ValueError(f"num_slices: {num_slices} given, allowed is 1 to the number of units ({num_units})")
    if num_units > MAX_UNITS:
        raise ValueError(f"num_units: {num_units} given, allowed are {num_slices} to {MAX_UNITS}")
    number = math.comb(num_units - 1, num_slices - 1)
    if number > MAX_ALLOCATIONS:
        raise ValueError(
            f"num_units: {num_units} units for {num_slices} slices make {number:.3g} allocations, "
            f"allowed are 2**62 = {MAX_ALLOCATIONS:.3g}; take fewer units or slices"
        )
    return number


@lru_cache(maxsize=32)
def ways_to_share(num_units: int, num_slices: int) -> IntArray:
    """In how many ways units beyond everybody's one are shared: C(later + spare, later).

    Returns:
        int64 array (num_slices, num_units - num_slices + 1): by the slices after this one, and the spare units that
        this slice and they share. Read-only.

    Raises:
        ValueError: as for `count_allocations`.
    """
    count_allocations(num_units, num_slices)
    ways = np.ones((num_slices, num_units - num_slices + 1), np.int64)
    for later in range(1, num_slices):  # the first of them takes what is spare, or less: the others share the rest
        np.cumsum(ways[later - 1], out=ways[later])
    ways.flags.writeable = False
    return ways


@njit
def first_wrong(units: IntArray, num_units: int) -> int:
    """The first row of (k, num_slices) that leaves a slice without a unit or does not share out `num_units`, or -1."""
    for row in range(len(units)):
        left = num_units
        for each in units[row]:
            if each < 1 or each > left:
                return row
            left -= each
        if left != 0:
            return row
    return -1


@njit
def rank(units: IntArray, ways: IntArray, index: IntArray) -> int:
    """Write the numbers of k allocations, in lexicographic order, to `index` (k,).

    Args:
        units: (k, num_slices).
        ways: see `ways_to_share`.
        index: written.

    Returns:
        The first row that is no allocation, or -1.
    """
    num_slices, most = ways.shape
    for row in range(len(units)):
        spare = most - 1
        number = 0
        for position in range(num_slices):
            taken = units[row, position] - 1
            if taken < 0 or taken > spare:
                return row
            later = num_slices - 1 - position
            # Those before it that agree so far and give this slice less.
            number += ways[later, spare] - ways[later, spare - taken]
            spare -= taken
        if spare != 0:
            return row
        index[row] = number
    return -1


@njit
def unrank(index: IntArray, ways: IntArray, units: IntArray) -> int:
    """Write the allocations of k numbers to `units` (k, num_slices); the inverse of `rank`.

    Args:
        index: (k,).
        ways: see `ways_to_share`.
        units: written.

    Returns:
        The first number that no allocation has, or -1.
    """
    num_slices, most = ways.shape
    for row in range(len(index)):
        # Counted from the end: how many allocations there are from this one on.
        remaining = ways[num_slices - 1, most - 1] - index[row]
        if remaining < 1 or index[row] < 0:
            return row
        spare = most - 1
        for position in range(num_slices - 1):
            later = num_slices - 1 - position
            low, high = 0, spare  # the fewest spare units left over that leave ways enough
            while low < high:
                middle = (low + high) // 2
                if ways[later, middle] < remaining:
                    low = middle + 1
                else:
                    high = middle
            units[row, position] = 1 + spare - low
            if low > 0:
                remaining -= ways[later, low - 1]  # those that give this slice more come after
            spare = low
        units[row, num_slices - 1] = 1 + spare
    return -1
