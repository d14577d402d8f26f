"""What a twin was fitted to: units by load, what lies outside, and that a log is not outside of itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.twins import following, history_of
from twin.runtime.coverage import PART, Coverage


def test_units_that_follow_the_load_cover_no_even_split():
    history, rank = following(5 * PART)
    found = Coverage.of(history)
    assert found.held.shape == (3, 5, 2)
    assert (np.abs(found.held[0] - [[3, 4], [5, 6], [7, 8], [9, 10], [11, 12]]) <= 2).all()  # loads are tied
    assert not found.outside(history.layout, history.arrivals, history.allocation)
    even = np.tile([7, 3, 8], (len(history), 1))
    outside = found.outside(history.layout, history.arrivals, even)
    assert 0.6 < outside.share < 1.0
    assert str(outside.slices["volte"]).startswith("7, held ")
    at_top = rank > 0.85
    there = found.outside(history.layout, history.arrivals[at_top], even[at_top])
    low, high = found.held[0, -1]
    assert str(there.slices["volte"]) == f"7, held {low} to {high} at its highest loads"
    assert there.share == 1.0


@pytest.mark.parametrize("seed", [0, 1])
def test_other_decisions_of_the_same_kind_are_inside(seed):
    """Of random decisions as of those that follow the load: half of the decisions tell of the other half."""
    for history in (history_of("paper-1mhz", 8 * PART, seed), following(8 * PART, seed)[0]):
        even, odd = (history.take(np.arange(len(history)) % 2 == part) for part in (0, 1))
        assert not Coverage.of(even).outside(odd.layout, odd.arrivals, odd.allocation)


@pytest.mark.parametrize("seed", range(5))
def test_units_that_are_rare_at_any_load_are_inside_if_they_were_held(seed):
    """Random decisions hardly ever give a slice 17 of 20 units, whatever its load."""
    history = history_of("paper-1mhz", 8 * PART, seed)
    most = int(history.allocation.max())
    given = np.tile([1, most, 19 - most], (len(history), 1))
    assert (history.allocation[:, 1] == most).mean() < 0.02
    assert history.allocation[:, 1].max() == most
    assert not Coverage.of(history).outside(history.layout, history.arrivals, given)


def test_loads_that_are_the_same_make_no_part_of_few_decisions():
    history, _ = following(5 * PART)
    loads = np.minimum(history.arrivals[:, 0] - history.arrivals[:, 0].min(), 3)  # most are 3
    loads[:4] = 1
    number = np.arange(len(history))  # runs of one decision each, so that loads need not follow one another
    arrivals = np.stack([loads, *history.arrivals[:, 1:].T], axis=1)
    history = replace(history, arrivals=arrivals, run=number, interval=np.zeros_like(number))
    found = Coverage.of(history)
    counts = np.bincount(np.searchsorted(found.edges[0], loads, side="right"), minlength=found.held.shape[1])
    few = counts < PART // 2
    assert few.any()
    assert (found.held[0, few] == found.ends[0]).all()


def test_what_is_said_is_of_the_decisions_that_are_counted():
    history, _ = following(5 * PART)
    given = history.allocation.copy()
    given[17] = [1, 3, 16]
    outside = Coverage.of(history).outside(history.layout, history.arrivals, given)
    assert outside.share == 1 / len(given)
    assert str(outside.slices["volte"]).startswith("1 to ")
    assert not outside.slices["volte"].loads


def test_units_that_were_never_held_are_outside_at_any_load():
    history, _ = following(2 * PART - 1)
    found = Coverage.of(history)
    assert found.held.shape == (3, 1, 2)  # of so few decisions nothing is said by load
    given = history.allocation.copy()
    assert not found.outside(history.layout, history.arrivals, given)
    given[17] = [1, 3, 14]
    outside = found.outside(history.layout, history.arrivals, given)
    assert outside.share == 1 / len(given)
    assert str(outside.slices["volte"]) == "1 to 12, held 3 to 12"


def test_a_calibration_adds_what_it_holds():
    history, _ = following(5 * PART)
    more = replace(history, allocation=history.allocation[:, [2, 1, 0]])
    both = Coverage.of(history).with_decisions(more)
    for each in (history, more):
        assert not both.outside(each.layout, each.arrivals, each.allocation)
    few = following(PART)[0]
    wide = Coverage.of(few).with_decisions(more.take(np.arange(PART)))
    assert not wide.outside(few.layout, few.arrivals, few.allocation)
    np.testing.assert_array_equal(wide.held[:, 0], wide.ends)
