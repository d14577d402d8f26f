"""Allocations to their numbers and back, many at a time, by the combinatorial number system; compiled by numba."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from slicing_gym._jit import njit

IntArray = npt.NDArray[np.int64]

# Numba notices changes of a file, not of what it calls; tests/project says what to write here.
COMPILED_WITH = "bd01ad497188"


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
