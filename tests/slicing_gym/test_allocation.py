from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicing_gym import allocation_index, allocation_table, even_split
from slicing_gym.allocation import share_out


@pytest.mark.parametrize(
    ("units", "slices", "count"), [(100, 3, 4851), (20, 3, 171), (12, 5, 330), (7, 2, 6), (4, 4, 1)]
)
def test_table_holds_every_allocation_once_and_index_inverts_it(units, slices, count):
    table = allocation_table(units, slices)
    assert table.shape == (count, slices)
    assert table.min() == 1 or slices == 1
    assert (table.sum(axis=1) == units).all()
    assert len({tuple(row) for row in table.tolist()}) == count
    np.testing.assert_array_equal(allocation_index(table), np.arange(count))
    assert not table.flags.writeable


def test_index_keeps_the_shape():
    assert allocation_index([33, 33, 34]).shape == ()
    assert allocation_index([[[1, 1, 98]], [[98, 1, 1]]]).tolist() == [[0], [4850]]


@pytest.mark.parametrize("units", [[0, 50, 50], [[1, 2], [1, 3]], [0.5, 0.5], 3])
def test_index_refuses_what_is_no_allocation(units):
    with pytest.raises(ValueError, match="units"):
        allocation_index(units)


@pytest.mark.parametrize(
    ("units", "slices", "allowed"),
    [(3, 100, "1 to 3"), (5, 0, "1 to 5"), (0, 1, "none here: 1 or more, and 0 at most")],
)
def test_table_refuses_more_slices_than_units(units, slices, allowed):
    with pytest.raises(ValueError, match=f"num_slices: {slices} given, allowed is {allowed}"):
        allocation_table(units, slices)


def test_hard_slicing():
    assert even_split(100, 3).tolist() == [33, 33, 34]
    assert even_split(20, 3).tolist() == [6, 7, 7]
    assert even_split(9, 3).tolist() == [3, 3, 3]


def test_index_refuses_another_total():
    assert allocation_index([1, 94, 5], num_units=100) == 93
    with pytest.raises(ValueError, match="a total of 101 given, allowed is num_units = 100"):
        allocation_index([1, 94, 6], num_units=100)


@given(st.lists(st.floats(0.0, 1e6), min_size=2, max_size=6), st.integers(6, 200))
def test_shares_are_allocations_near_the_weights(weights, units):
    shared = share_out(weights, units)
    assert shared.sum() == units
    assert shared.min() >= 1
    total = sum(weights)
    exact = [1 + (units - len(weights)) * (w / total if total > 0 else 1 / len(weights)) for w in weights]
    assert np.abs(shared - exact).max() < 1.0 + 1e-6


def test_shares_row_by_row():
    rows = np.array([[115.0, 1752.0, 9.0], [0.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
    assert share_out(rows, 100).tolist() == [share_out(row, 100).tolist() for row in rows]
