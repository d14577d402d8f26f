"""The action space: every way to give each slice at least one unit and all units away."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from slicing_gym.ranking import count_allocations, in_shape, no_allocation, ways_to_share
from slicing_gym.ranking_kernel import first_wrong, rank, unrank

IntArray = npt.NDArray[np.int64]

MAX_LISTED = 2_000_000
"""Most allocations that `allocation_table` lists."""


@lru_cache(maxsize=8)
def allocation_table(num_units: int, num_slices: int) -> IntArray:
    """All allocations, in lexicographic order; the action is the row.

    Args:
        num_units: units to share out.
        num_slices: that share them, each with one unit or more.

    Returns:
        Read-only int array (C(num_units - 1, num_slices - 1), num_slices) of units; each row sums to `num_units`.

    Raises:
        ValueError: there are not enough units for each slice to get one, or more than 2 million allocations.
    """
    number = count_allocations(num_units, num_slices)
    if number > MAX_LISTED:
        raise ValueError(
            f"allocation_table: {num_units} units for {num_slices} slices make {number} allocations, listed are at "
            f"most {MAX_LISTED}; slicing_gym.allocation_units(index, {num_units}, {num_slices}) makes the rows you need"
        )
    table = allocation_units(np.arange(number), num_units, num_slices)
    table.flags.writeable = False
    return table


def allocation_units(index: npt.ArrayLike, num_units: int, num_slices: int) -> IntArray:
    """Allocations by their numbers in lexicographic order, the rows of `allocation_table`, without the table.

    Args:
        index: int array (...).
        num_units: what each allocation shares out.
        num_slices: among how many.

    Returns:
        int64 array (..., num_slices) of units.

    Raises:
        ValueError: no allocation has such a number, or there are more than 2**62 allocations.
    """
    numbers = np.asarray(index)
    if numbers.dtype.kind not in "iu":
        raise ValueError(f"index: {numbers.dtype} given, allowed are integers")
    ways = ways_to_share(num_units, num_slices)
    units = np.empty((numbers.size, num_slices), np.int64)
    wrong = unrank(np.array(numbers, np.int64).ravel(), ways, units)
    if wrong >= 0:
        number = numbers.reshape(-1)[wrong]
        raise ValueError(f"index: {number} given, allowed are 0 to {count_allocations(num_units, num_slices) - 1}")
    return units.reshape(*numbers.shape, num_slices)


def allocation_index(units: npt.ArrayLike, num_units: int | None = None) -> IntArray:
    """The number of each allocation in lexicographic order, its row in `allocation_table`; inverts `allocation_units`.

    Rows of another length have numbers of their own: one of two slices means another allocation in a cell of three.
    Nothing here knows the cell, so compare the length with its `scenario.num_slices`.

    Args:
        units: int array (..., num_slices), a row for all slices of the cell.
        num_units: what each allocation has to share out; by default whatever the first one does.

    Returns:
        int array (...).

    Raises:
        ValueError: a slice has less than one unit, the allocations do not share out the same number of units, or there
            are more than 2**62 such allocations.
    """
    given = np.asarray(units)
    if given.ndim == 0 or given.shape[-1] == 0 or given.dtype.kind not in "iu":
        raise ValueError(f"units: shape {given.shape} of {given.dtype} given, allowed are integers (..., n_slices)")
    num_slices = given.shape[-1]
    if given.size == 0:  # no row that says how many units there are
        return np.empty(given.shape[:-1], np.int64)
    rows = given.astype(np.int64).reshape(-1, num_slices)
    total = sum(rows[0].tolist())  # exact, whatever the units
    if num_units is not None and total != num_units:
        raise ValueError(f"units: a total of {total} given, allowed is num_units = {num_units}")
    index = np.empty(given.shape[:-1], np.int64)
    wrong = rank(rows, ways_to_share(total, num_slices), index.reshape(-1)) if rows[0].min() > 0 else 0
    if wrong >= 0:
        raise ValueError(
            f"units: {rows[wrong].tolist()} given, allowed is 1 or more a slice and in all rows the same total, {total}"
        )
    return index


def units_of_table(num_actions: int, num_slices: int) -> int | None:
    """The number of units of which there are so many allocations to so many slices; None if there is no such number."""
    if num_slices < 2:  # every number of units has the one
        return None
    units = num_slices
    while math.comb(units - 1, num_slices - 1) < num_actions:
        units += 1
    return units if math.comb(units - 1, num_slices - 1) == num_actions else None


def are_not_allocations(units: IntArray, num_units: int) -> npt.NDArray[np.bool_]:
    """Which rows of (n, num_slices) leave a slice without a unit, or do not give `num_units` away (n,)."""
    wrong: npt.NDArray[np.bool_] = (units.min(axis=1) < 1) | (units.sum(axis=1) != num_units)
    return wrong


def checked_allocations(units: npt.ArrayLike, num_rows: int, num_units: int, num_slices: int) -> IntArray:
    """Allocations as a contiguous int64 array (num_rows, num_slices).

    Args:
        units: int array (num_rows, num_slices), or (num_slices,) for all rows.
        num_rows: how many are wanted.
        num_units: what each has to give away.
        num_slices: to how many.

    Raises:
        TypeError: they are not whole numbers.
        ValueError: another shape, a slice without a unit, or another total than `num_units`.
    """
    given = in_shape(units, num_rows, num_slices)
    allocation = np.empty((num_rows, num_slices), np.int64)
    allocation[:] = given
    wrong = first_wrong(allocation, num_units)
    if wrong >= 0:
        raise no_allocation(allocation[wrong], num_units)
    return allocation


def even_split(num_units: int, num_slices: int) -> IntArray:
    """Hard slicing: the same for every slice (num_slices,), what is left over going to the last ones.

    Args:
        num_units: units to share out.
        num_slices: that share them.
    """
    units = np.full(num_slices, num_units // num_slices, np.int64)
    units[num_slices - num_units % num_slices :] += 1
    return units


def share_out(weights: npt.ArrayLike, num_units: int) -> IntArray:
    """Allocations in proportion to weights, at least one unit each, by the largest-remainder method.

    Args:
        weights: non-negative float array (..., num_slices); a row of zeros is shared evenly.
        num_units: units to give away.

    Returns:
        int array (..., num_slices), each row summing to `num_units`.
    """
    parts = np.asarray(weights, np.float64)
    num_slices = parts.shape[-1]
    totals = parts.sum(axis=-1, keepdims=True)
    shares = np.where(totals > 0.0, parts / np.where(totals > 0.0, totals, 1.0), 1.0 / num_slices)
    quotas = shares * (num_units - num_slices)  # beyond the one unit that everybody has
    units = np.floor(quotas).astype(np.int64)
    left = num_units - num_slices - units.sum(axis=-1, keepdims=True)
    order = np.argsort(units - quotas, axis=-1, kind="stable")  # largest remainder first
    ranks = np.argsort(order, axis=-1, kind="stable")
    result: IntArray = 1 + units + (ranks < left)
    return result
