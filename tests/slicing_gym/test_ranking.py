"""Allocations by number: brute force on small cells, exact Python integers on cells that cannot be listed."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicing_gym import allocation_index, allocation_table, allocation_units
from slicing_gym.allocation import are_not_allocations
from slicing_gym.ranking import MAX_ALLOCATIONS, MAX_UNITS, allocation_number, count_allocations
from slicing_gym.ranking_kernel import first_wrong

LARGEST = [(273, 8), (2**21, 2), (99, 18), (1571, 8), (68, 24), (62, 40), (3865, 7)]


def listed(num_units, num_slices):
    """All allocations in lexicographic order, by where one slice ends and the next begins."""
    cuts = [(0, *cut, num_units) for cut in combinations(range(1, num_units), num_slices - 1)]
    return np.diff(cuts, axis=1)


def exact_index(units):
    """The number of an allocation in Python's integers: allocations before it, by the first slice that has less."""
    index, left = 0, sum(units)
    for position, mine in enumerate(units[:-1]):
        later = len(units) - position - 1
        index += sum(math.comb(left - less - 1, later - 1) for less in range(1, mine))
        left -= mine
    return index


@st.composite
def cells(draw):
    """Units and slices with at most 2**62 allocations, the largest among them."""
    if draw(st.booleans()):
        return draw(st.sampled_from(LARGEST))
    slices = draw(st.integers(1, 30))
    units = draw(st.integers(slices, slices + draw(st.sampled_from([2, 20, 300]))))
    while math.comb(units - 1, slices - 1) > MAX_ALLOCATIONS:
        units -= 1
    return units, slices


@pytest.mark.parametrize(("units", "slices"), [(100, 3), (20, 3), (12, 5), (7, 2), (4, 4), (5, 1), (1, 1), (40, 4)])
def test_the_numbers_are_those_of_the_list(units, slices):
    rows = listed(units, slices)
    np.testing.assert_array_equal(allocation_table(units, slices), rows)
    np.testing.assert_array_equal(allocation_units(np.arange(len(rows)), units, slices), rows)
    np.testing.assert_array_equal(allocation_index(rows), np.arange(len(rows)))


@given(cells(), st.data())
def test_units_and_numbers_are_inverse(cell, data):
    units, slices = cell
    count = count_allocations(units, slices)
    assert count == math.comb(units - 1, slices - 1)
    ends = st.sampled_from([0, 1, count // 2, count - 2, count - 1]).map(lambda index: max(0, min(index, count - 1)))
    index = np.array(data.draw(st.lists(ends | st.integers(0, count - 1), min_size=1, max_size=8)))
    rows = allocation_units(index, units, slices)
    assert rows.min() >= 1
    assert (rows.sum(axis=1) == units).all()
    np.testing.assert_array_equal(allocation_index(rows, units), index)
    assert [allocation_number(row) for row in rows.tolist()] == index.tolist()
    for number, row in zip(index.tolist(), rows.tolist(), strict=True):
        if sum(row) < 2000:  # the oracle counts one by one
            assert exact_index(row) == number


@given(cells(), st.data())
def test_the_order_is_that_of_the_units(cell, data):
    count = count_allocations(*cell)
    index = sorted(data.draw(st.lists(st.integers(0, count - 1), min_size=2, max_size=8)))
    rows = allocation_units(index, *cell).tolist()
    assert rows == sorted(rows)


def test_the_largest_number():
    count = count_allocations(1571, 8)
    assert 0.99 * MAX_ALLOCATIONS < count <= MAX_ALLOCATIONS
    assert allocation_units(count - 1, 1571, 8).tolist() == [1564, 1, 1, 1, 1, 1, 1, 1]
    assert allocation_units(0, 1571, 8).tolist() == [1, 1, 1, 1, 1, 1, 1, 1564]
    with pytest.raises(ValueError, match=r"num_units: 1572 units for 8 slices make 4.6\de\+18 allocations"):
        count_allocations(1572, 8)


def test_units_keep_the_shape_and_take_any_integers():
    assert allocation_units(5, 10, 3).shape == (3,)
    assert allocation_units(np.zeros((2, 4, 0), np.uint8), 10, 3).shape == (2, 4, 0, 3)
    read_only = np.broadcast_to(np.int32(7), (3, 2))
    np.testing.assert_array_equal(allocation_units(read_only, 10, 3)[2, 1], allocation_units(7, 10, 3))
    backwards = allocation_table(10, 3)[::-1, ::-1]
    assert allocation_index(backwards).tolist() == [allocation_index(row) for row in backwards.tolist()]


def test_no_rows_have_no_numbers():
    assert allocation_index(np.empty((0, 3), np.int64)).shape == (0,)
    assert allocation_index(np.empty((2, 0, 3), np.int64), 10).shape == (2, 0)
    with pytest.raises(ValueError, match=r"units: shape \(2, 0\) of int64 given"):
        allocation_index(np.empty((2, 0), np.int64))


@pytest.mark.parametrize("index", [36, -1, [0, 36], 2**63, -(2**63), 2**64 - 1])
def test_numbers_that_no_allocation_has_are_refused(index):
    with pytest.raises(ValueError, match=r"index: -?\d+ given, allowed are 0 to 35"):
        allocation_units(np.array(index), 10, 3)


@pytest.mark.parametrize("index", [0.5, True, "one", [1.0]])
def test_what_is_no_number_is_refused(index):
    with pytest.raises(ValueError, match=r"index: .* given, allowed are integers"):
        allocation_units(index, 10, 3)


@pytest.mark.parametrize("units", [[2**62, 2**62, 2**62, 2**62], [2**63 - 1, 2**63 - 1, 4], [2**40, 2**40]])
def test_units_beyond_int64_numbers_are_refused(units):
    with pytest.raises(ValueError, match=r"num_units: \d+ given, allowed is \d to 2097152"):
        allocation_index(units)


def test_cells_of_too_many_allocations_are_refused_before_anything_is_made():
    with pytest.raises(ValueError, match=r"num_units: 273 units for 30 slices make .*e\+\d+ .* 2\*\*62 .* take fewer"):
        allocation_units(0, 273, 30)
    with pytest.raises(ValueError, match=f"num_units: {2**40} given, allowed is 2 to {MAX_UNITS}"):
        allocation_units(0, 2**40, 2)
    with pytest.raises(
        ValueError, match=r"make 20218614631344 .* at most 2000000; .*allocation_units\(index, 273, 8\)"
    ):
        allocation_table(273, 8)


@given(st.integers(1, 12), st.lists(st.lists(st.integers(-1, 12), min_size=3, max_size=3), min_size=1, max_size=9))
def test_the_first_wrong_row_is_found(num_units, rows):
    units = np.array(rows)
    wrong = np.flatnonzero(are_not_allocations(units, num_units))
    assert first_wrong(units, num_units) == (wrong[0] if len(wrong) else -1)
