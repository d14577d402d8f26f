"""What is an allocation, how many there are, and the number of one among all; nothing here is compiled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from slicing_gym.errors import check_integer

IntArray = npt.NDArray[np.int64]

MAX_ALLOCATIONS = 2**62
"""Most allocations that are numbered, so that sums of two of their numbers are still int64."""

MAX_UNITS = 2**21
"""Most units that are shared out."""


def count_allocations(num_units: int, num_slices: int) -> int:
    """Ways to give every slice at least one unit and all units away: C(num_units - 1, num_slices - 1).

    Raises:
        ValueError: there are not enough units for each slice to get one, or more allocations than can be numbered.
    """
    check_integer("num_slices", num_slices, at_least=1, at_most=num_units)
    check_integer("num_units", num_units, at_least=num_slices, at_most=MAX_UNITS)
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


def allocation_number(units: Sequence[int]) -> int:
    """The number of one allocation (num_slices,) in lexicographic order, as `slicing_gym.allocation_index` counts.

    Raises:
        ValueError: a slice has less than one unit.
    """
    if not units or min(units) < 1:
        raise ValueError(f"units: {list(units)} given, allowed is 1 or more a slice")
    number, spare = 0, sum(units) - len(units)
    for position, each in enumerate(units):
        later, left = len(units) - 1 - position, spare - (each - 1)
        number += math.comb(later + spare, later) - math.comb(later + left, later)
        spare = left
    return number


def in_shape(units: npt.ArrayLike, num_rows: int, num_slices: int) -> IntArray:
    """What was given as allocations (num_rows, num_slices), or as one (num_slices,) for all rows, as an array.

    Raises:
        TypeError: they are not whole numbers.
        ValueError: another shape.
    """
    given = np.asarray(units)
    if given.dtype.kind not in "iu":
        raise TypeError(f"units: {given.dtype} given, allowed are integers")
    wanted = (num_rows, num_slices)
    if given.shape not in (wanted, wanted[1:]):
        raise ValueError(f"units: shape {given.shape} given, allowed are {wanted} and {wanted[1:]}")
    return given


def no_allocation(units: IntArray, num_units: int) -> ValueError:
    """The error for units (num_slices,) that are not an allocation of `num_units`."""
    return ValueError(f"units: {units.tolist()} given, allowed is at least 1 a slice and {num_units} in all")
