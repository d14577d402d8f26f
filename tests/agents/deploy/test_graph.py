"""What the graph makes of values, before it is exported: the same allocations as the library's own routes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.deploy.graph import best_units, units_of
from slicing_gym import allocation_table, allocation_units
from slicing_gym.allocation_search import best_allocations
from slicing_gym.ranking import count_allocations
from tests.helpers.learners import _one_thread as _one_thread

CELLS = st.tuples(st.integers(1, 6), st.integers(0, 12)).map(lambda cell: (cell[0] + cell[1], cell[0]))


@given(CELLS, st.integers(0, 2**32 - 1))
def test_the_best_units_are_those_of_all_allocations(cell, seed):
    """Whole numbers of which many sums are equal: the first of all allocations it is."""
    units, slices = cell
    most, table = units - slices + 1, allocation_table(units, slices)
    values = np.random.default_rng(seed).integers(-2, 3, (5, slices, most)).astype(np.float32)
    totals = values[:, np.arange(slices), table - 1].sum(axis=2)
    np.testing.assert_array_equal(best_units(torch.as_tensor(values)), table[totals.argmax(axis=1)])


@pytest.mark.parametrize("cell", [(273, 8), (130, 2), (129, 3), (128, 3), (66, 3), (65, 2), (500, 4)])
def test_the_best_units_of_large_cells(cell):
    units, slices = cell
    generator = np.random.default_rng(0)
    whole = generator.integers(-3, 4, (40, slices, units - slices + 1)).astype(np.float32)
    smooth = np.cumsum(generator.normal(size=whole.shape), axis=2)
    np.testing.assert_array_equal(best_units(torch.as_tensor(whole)), best_allocations(whole, units)[0])
    np.testing.assert_array_equal(best_units(torch.as_tensor(smooth)), best_allocations(smooth, units)[0])


@pytest.mark.parametrize("cell", [(1, 1), (9, 1), (9, 2), (9, 9), (14, 5), (100, 3)])
def test_every_number_has_its_allocation(cell):
    table = allocation_table(*cell)
    np.testing.assert_array_equal(units_of(torch.arange(len(table))[:, None], *cell), table)


@given(st.tuples(st.integers(2, 9), st.integers(0, 270)), st.data())
def test_numbers_of_large_cells_have_their_allocations(cell, data):
    units, slices = cell[0] + cell[1], cell[0]
    last = count_allocations(units, slices) - 1
    numbers = np.array([0, last, *data.draw(st.lists(st.integers(0, last), max_size=5))])
    found = units_of(torch.as_tensor(numbers)[:, None], units, slices)
    np.testing.assert_array_equal(found, allocation_units(numbers, units, slices))
