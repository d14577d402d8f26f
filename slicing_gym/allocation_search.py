"""Exact search and sums over all allocations of values that add up over the slices, without listing the allocations.

The value of an allocation is v_1(u_1) + ... + v_S(u_S), u_n being slice n's units. What slices n, n + 1, ... bring
depends on the slices before them only through how many units those have spent. So the best of all allocations is found
from the last slice to the first (dynamic programming, Bellman 1957), in O(S R^2) for R units; a sum over all
allocations likewise, with sums of products in place of maxima of sums. Listing was never quicker in the CPU's memory,
not for the 171 allocations of 20 units to 3 slices either.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from slicing_gym import allocation_kernel as kernel
from slicing_gym import allocation_sums as sums
from slicing_gym.errors import check_integer
from slicing_gym.ranking import MAX_ALLOCATIONS

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Limits(NamedTuple):
    """The units that each slice can hold in some allocation."""

    lowest: IntArray  # (S,) fewest
    narrower: bool  # whether some slice cannot hold every number of units from 1 on
    reach: kernel.Reach
    num_allocations: int  # exact up to 2**53


def limits(shape: Sequence[int], num_units: int, lowest: Any = None, highest: Any = None) -> Limits:
    """What bounds on the units of each slice leave of the allocations that values of a shape are for.

    Args:
        shape: that of the values, (k, num_slices, num_units - num_slices + 1).
        num_units: units to share out.
        lowest: int (num_slices,), the fewest units of each slice; 1 by default.
        highest: int (num_slices,), the most units of each slice, however large; no bound by default.

    Raises:
        TypeError: units or bounds are not whole numbers.
        ValueError: another shape of the values or the bounds, bounds that no allocation meets, or that more than 2**62
            do.
    """
    num_units = check_integer("num_units", num_units, at_least=1)
    if len(shape) != 3 or shape[1] < 1 or shape[2] != num_units - shape[1] + 1:
        raise ValueError(
            f"values: shape {tuple(shape)} given, allowed is (k, num_slices, num_units - num_slices + 1) "
            f"with num_units = {num_units}"
        )
    num_slices = shape[1]
    return _limits(
        num_units, _bound("lowest", lowest, 1, num_slices), _bound("highest", highest, num_units, num_slices)
    )


def _bound(key: str, bound: Any, usual: int, num_slices: int) -> tuple[int, ...]:
    if bound is None:
        return (usual,) * num_slices
    given = np.asarray(bound)
    if given.shape != (num_slices,):
        raise ValueError(f"{key}: shape {given.shape} given, allowed is ({num_slices},), a number of units a slice")
    if not np.issubdtype(given.dtype, np.integer):
        raise TypeError(f"{key}: {given.dtype} given, allowed are integers")
    if given.min() < 1:
        raise ValueError(f"{key}: {given.tolist()} given, allowed is 1 or more a slice")
    return tuple(given.tolist())


@lru_cache(maxsize=64)
def _limits(num_units: int, lowest: tuple[int, ...], highest: tuple[int, ...]) -> Limits:
    if any(low > high for low, high in zip(lowest, highest, strict=True)) or not (
        sum(lowest) <= num_units <= sum(highest)
    ):
        raise ValueError(
            f"lowest, highest: no allocation of num_units = {num_units} meets {list(lowest)} and {list(highest)}"
        )
    at_least, at_most = sum(lowest), sum(highest)
    fewest = np.array([max(low, num_units - at_most + high) for low, high in zip(lowest, highest, strict=True)])
    most = np.array([min(high, num_units - at_least + low) for low, high in zip(lowest, highest, strict=True)])
    widths: IntArray = most - fewest + 1
    spare = num_units - int(fewest.sum())
    most_spent = np.cumsum(widths - 1) - (widths - 1)  # by the slices before each
    most_left = most_spent[-1] + widths[-1] - 1 - most_spent  # by it and those after it
    reach = kernel.Reach(spare, widths, np.maximum(0, spare - most_left), np.minimum(spare, most_spent))
    full = num_units - len(lowest) + 1
    ways = _room(reach)
    kernel.fill(np.ones((len(widths), widths.max())), reach, False, ways)
    if ways[0, 0] > MAX_ALLOCATIONS:
        raise ValueError(
            f"num_units: {num_units} units for {len(lowest)} slices make {ways[0, 0]:.3g} allocations within the "
            f"bounds, allowed are 2**62 = {MAX_ALLOCATIONS:.3g}; take fewer units or slices, or narrower bounds"
        )
    return Limits(fewest, bool((widths < full).any()), reach, int(ways[0, 0]))


def best_allocations(
    values: npt.ArrayLike, num_units: int, lowest: Any = None, highest: Any = None
) -> tuple[IntArray, FloatArray]:
    """The allocation of highest value of each row; of equal ones the lowest index (lexicographically smallest units).

    Args:
        values: float array (k, num_slices, num_units - num_slices + 1); values[i, n, u - 1] is what slice n is worth
            with u units. -inf forbids that; neither NaN nor +inf is allowed.
        num_units: units to share out.
        lowest: int array (num_slices,), the fewest units of each slice; 1 by default.
        highest: int array (num_slices,), the most units of each slice; no bound by default.

    Returns:
        Units int64 (k, num_slices) and their values float64 (k,). Equal values are recognised where sums are exact, as
        those of integers are.

    Raises:
        TypeError: the bounds are not whole numbers.
        ValueError: another shape, NaN or +inf, bounds that no allocation meets or more than 2**62 do, or a row in which
            every allocation that meets them is forbidden.
    """
    cell, spare_values = _spare_values(values, num_units, lowest, highest)
    units, totals = np.empty(spare_values.shape[:2], np.int64), np.empty(len(spare_values))
    kernel.best(spare_values, cell.reach, _room(cell.reach), units, totals)
    return units + cell.lowest, _checked_totals(totals)


def top_allocations(
    values: npt.ArrayLike, num_units: int, count: int, lowest: Any = None, highest: Any = None
) -> tuple[IntArray, FloatArray]:
    """The allocations of highest value of each row, the best first, those of equal value in lexicographic order.

    There are `count` of them, or all where there are fewer. Those that are forbidden come last, with a value of -inf.
    Errors are those of `best_allocations`.

    Args:
        values: float array (k, num_slices, num_units - num_slices + 1); values[i, n, u - 1] is what slice n is worth
            with u units; -inf forbids that.
        num_units: units to share out.
        count: allocations of each row, the best ones.
        lowest: int array (num_slices,), the fewest units of each slice; 1 by default.
        highest: int array (num_slices,), the most units of each slice; no bound by default.

    Returns:
        Units int64 (k, count, num_slices) and their values float64 (k, count).
    """
    count = check_integer("count", count, at_least=1)
    cell, spare_values = _spare_values(values, num_units, lowest, highest)
    num_rows, num_slices = spare_values.shape[:2]
    count = min(count, cell.num_allocations)
    room = (num_slices, cell.reach.spare + 1)
    ranking = kernel.Ranking(
        np.empty((*room, count)),
        np.empty((*room, count), np.int64),
        np.empty((*room, count), np.int64),
        np.empty(room, np.int64),
    )
    units, totals = np.empty((num_rows, count, num_slices), np.int64), np.empty((num_rows, count))
    kernel.top(spare_values, cell.reach, ranking, units, totals)
    _checked_totals(totals[:, 0])
    return units + cell.lowest, totals


def log_sum_exp(values: npt.ArrayLike, num_units: int, lowest: Any = None, highest: Any = None) -> FloatArray:
    """The logarithm of the sum of exp(value) over all allocations of each row, float64 (k,).

    Errors are those of `best_allocations`.

    Args:
        values: float array (k, num_slices, num_units - num_slices + 1); values[i, n, u - 1] is what slice n is worth
            with u units; -inf forbids that.
        num_units: units to share out.
        lowest: int array (num_slices,), the fewest units of each slice; 1 by default.
        highest: int array (num_slices,), the most units of each slice; no bound by default.
    """
    cell, spare_values = _spare_values(values, num_units, lowest, highest)
    totals = np.empty(len(spare_values))
    sums.log_sums(spare_values, *_weights(spare_values), cell.reach, _room(cell.reach), totals)
    return _checked_totals(totals)


def allocation_shares(
    values: npt.ArrayLike, num_units: int, lowest: Any = None, highest: Any = None
) -> tuple[FloatArray, FloatArray]:
    """The softmax over all allocations, seen from each slice; also the slopes of `log_sum_exp` by the values.

    Errors are those of `best_allocations`.

    Args:
        values: float array (k, num_slices, num_units - num_slices + 1); values[i, n, u - 1] is what slice n is worth
            with u units; -inf forbids that.
        num_units: units to share out.
        lowest: int array (num_slices,), the fewest units of each slice; 1 by default.
        highest: int array (num_slices,), the most units of each slice; no bound by default.

    Returns:
        `log_sum_exp` (k,) and the shares float64 (k, num_slices, num_units - num_slices + 1): the probability that
        slice n holds u units is shares[i, n, u - 1].
    """
    cell, spare_values = _spare_values(values, num_units, lowest, highest)
    totals, spare_shares = np.empty(len(spare_values)), np.empty_like(spare_values)
    weights = _weights(spare_values)
    sums.shares(spare_values, *weights, cell.reach, _room(cell.reach), _room(cell.reach), totals, spare_shares)
    _checked_totals(totals)
    if not cell.narrower:
        return totals, spare_shares
    shares = np.zeros((*spare_values.shape[:2], num_units - spare_values.shape[1] + 1))
    for n, held in enumerate(held_units(cell)):
        shares[:, n, held] = spare_shares[:, n, : held.stop - held.start]
    return totals, shares


def held_units(cell: Limits) -> list[slice]:
    """Where the values of a slice stand that it can hold, for each slice."""
    return [slice(low - 1, low - 1 + width) for low, width in zip(cell.lowest, cell.reach.widths, strict=True)]


def _spare_values(values: npt.ArrayLike, num_units: int, lowest: Any, highest: Any) -> tuple[Limits, FloatArray]:
    """Values by slice and spare units (k, S, W), checked."""
    given = np.require(values, np.float64, ["C", "A", "W"])  # one kind of array: the kernels are compiled for each
    cell = limits(given.shape, num_units, lowest, highest)
    if not given.max(initial=-np.inf) < np.finfo(np.float64).max / given.shape[1]:  # NaN is not smaller either
        raise ValueError("values: NaN, +inf or numbers too large to add given, allowed are finite numbers and -inf")
    return cell, _narrowed(given, cell) if cell.narrower else given


def _narrowed(values: FloatArray, cell: Limits) -> FloatArray:
    spare_values = np.full((*values.shape[:2], cell.reach.widths.max()), -np.inf)
    for n, held in enumerate(held_units(cell)):
        spare_values[:, n, : held.stop - held.start] = values[:, n, held]
    return spare_values


def _room(reach: kernel.Reach) -> FloatArray:
    return np.empty((len(reach.widths), reach.spare + 4))  # the kernels read beyond the end, where nothing counts


def _weights(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """exp(values - each slice's largest) (k, S, W) and the sum of the largest (k,)."""
    largest = values.max(axis=2)
    largest[np.isneginf(largest)] = 0.0
    weights: FloatArray = values - largest[:, :, None]
    return np.exp(weights, out=weights), largest.sum(axis=1)


def _checked_totals(totals: FloatArray) -> FloatArray:
    forbidden = np.isneginf(totals)
    if forbidden.any():
        raise ValueError(f"values: every allocation of row {forbidden.argmax()} is forbidden by -inf")
    return totals
