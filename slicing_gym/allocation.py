"""The action space: every way to give each slice at least one unit and all units away."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import chain, combinations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


@lru_cache(maxsize=8)
def allocation_table(num_units: int, num_slices: int) -> IntArray:
    """All allocations, in lexicographic order; the action is the row.

    Returns:
        Read-only int array (C(num_units - 1, num_slices - 1), num_slices) of units; each row sums to `num_units`.

    Raises:
        ValueError: there are not enough units for each slice to get one.
    """
    if not 1 <= num_slices <= num_units:
        raise ValueError(f"num_slices: {num_slices} given, allowed is 1 to the number of units ({num_units})")
    cuts = np.fromiter(chain.from_iterable(combinations(range(1, num_units), num_slices - 1)), np.int64)
    cuts = cuts.reshape(
        -1, num_slices - 1
    )  # (num_allocations, num_slices - 1) where one slice ends and the next begins
    table = np.diff(cuts, axis=1, prepend=0, append=num_units)
    table.flags.writeable = False
    return table


def allocation_index(units: npt.ArrayLike, num_units: int | None = None) -> IntArray:
    """The row of `allocation_table` that holds each allocation; the inverse of indexing the table.

    Args:
        units: int array (..., num_slices).
        num_units: what each allocation has to share out; by default whatever the first one does.

    Returns:
        int array (...).

    Raises:
        ValueError: a slice has less than one unit, or the allocations do not share out the same number of units.
    """
    allocations = np.asarray(units)
    if allocations.ndim == 0 or not np.issubdtype(allocations.dtype, np.integer):
        raise ValueError(
            f"units: shape {allocations.shape} of {allocations.dtype} given, allowed are integers (..., n_slices)"
        )
    totals = np.unique(allocations.sum(axis=-1))
    if np.any(allocations < 1) or len(totals) != 1:
        raise ValueError(
            f"units: each slice needs 1 or more and all rows the same total; totals {totals.tolist()} given"
        )
    if num_units is not None and totals[0] != num_units:
        raise ValueError(f"units: a total of {totals[0]} given, allowed is num_units = {num_units}")
    num_units, num_slices = int(totals[0]), allocations.shape[-1]
    index = np.zeros(allocations.shape[:-1], np.int64)
    left = np.full(allocations.shape[:-1], num_units)
    for position in range(num_slices - 1):
        # Rows before this one that agree so far and give this slice fewer units: count them by what they leave over.
        later = num_slices - position - 1
        ways = np.array(
            [math.comb(max(rest - 1, 0), later - 1) if rest >= later else 0 for rest in range(num_units + 1)]
        )
        below = np.concatenate([[0], np.cumsum(ways)])
        mine = allocations[..., position]
        index += below[left] - below[left - mine + 1]
        left = left - mine
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
    given = np.asarray(units)
    if not np.issubdtype(given.dtype, np.integer):
        raise TypeError(f"units: {given.dtype} given, allowed are integers")
    wanted = (num_rows, num_slices)
    if given.shape not in (wanted, wanted[1:]):
        raise ValueError(f"units: shape {given.shape} given, allowed are {wanted} and {wanted[1:]}")
    allocation = np.empty(wanted, np.int64)
    allocation[:] = given
    wrong = are_not_allocations(allocation, num_units)
    if wrong.any():
        raise ValueError(
            f"units: {allocation[wrong][0].tolist()} given, allowed is at least 1 a slice and {num_units} in all"
        )
    return allocation


def even_split(num_units: int, num_slices: int) -> IntArray:
    """Hard slicing: the same for every slice (num_slices,), what is left over going to the last ones."""
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
