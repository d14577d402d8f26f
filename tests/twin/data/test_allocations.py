"""What the allocations of a history can teach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from twin.data.allocations import about_allocations, different


def test_a_constant_is_no_action(history):
    constant = replace(history, allocation=np.tile([3, 5], (9, 1)))
    assert "always [3, 5]: a constant is no action" in about_allocations(constant)[0]
    assert about_allocations(history) == []  # all 7 that there are


def test_different_rows_are_those_that_differ():
    rows = np.random.default_rng(0).integers(0, 4, size=(200, 3))
    np.testing.assert_array_equal(different(rows, 9), np.unique(rows, axis=0))
    wide = np.random.default_rng(0).integers(0, 2, size=(50, 30))
    np.testing.assert_array_equal(different(wide, 273), np.unique(wide, axis=0))
