"""What the allocations of a history can teach."""

from __future__ import annotations

import numpy as np

from twin import History
from twin.data.allocations import about_allocations, different


def held(history, rows):
    """The history with other allocations."""
    return History(
        **vars(history.layout),
        run=history.run,
        interval=history.interval,
        allocation=rows,
        arrivals=history.arrivals,
        next_arrivals=history.next_arrivals,
        performance=history.performance,
        controls=history.controls,
    )


def test_a_constant_is_no_action(history):
    constant = held(history, np.tile([3, 5], (9, 1)))
    assert "always [3, 5]: a constant is no action" in about_allocations(constant)[0]
    assert about_allocations(history) == []  # all 7 that there are


def test_different_rows_are_those_that_differ():
    rows = np.random.default_rng(0).integers(0, 4, size=(200, 3))
    np.testing.assert_array_equal(different(rows, 9), np.unique(rows, axis=0))
    wide = np.random.default_rng(0).integers(0, 2, size=(50, 30))
    np.testing.assert_array_equal(different(wide, 273), np.unique(wide, axis=0))
