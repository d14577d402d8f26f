"""What a planner may choose: bounds, sets and demands against brute force over all allocations; errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planner.constraints import Constraints
from slicing_gym import get_scenario
from slicing_gym.allocation import allocation_table

SCENARIO = get_scenario("paper-1mhz")
NAMES = SCENARIO.slice_names
UNITS, SLICES = SCENARIO.num_units, SCENARIO.num_slices
TABLE = allocation_table(UNITS, SLICES)
MOST = UNITS - SLICES + 1

seeds = st.integers(0, 2**32 - 1)


def whole(generator, shape, levels):
    """Few different whole numbers: sums are exact, and many are equal."""
    return generator.integers(levels, size=shape).astype(float)


def at(table, rows):
    """Entries of a table (n_slices, M) at the units of rows (r, n_slices)."""
    return table[np.arange(SLICES), rows - 1]


def some_rows(generator):
    return TABLE[generator.choice(len(TABLE), size=12, replace=False)]


def between(lowest, highest):
    return TABLE[(lowest <= TABLE).all(axis=1) & (highest >= TABLE).all(axis=1)]


def bounds(generator):
    """Bounds that some allocation meets."""
    held = TABLE[generator.integers(len(TABLE))]
    lowest = np.maximum(held - generator.integers(0, 4, size=SLICES), 1)
    return lowest, held + generator.integers(0, 4, size=SLICES)


@given(seeds, st.booleans(), st.booleans())
def test_the_best_is_that_of_brute_force(seed, within, listed):
    generator = np.random.default_rng(seed)
    lowest, highest = bounds(generator) if within else (np.ones(SLICES, int), np.full(SLICES, UNITS))
    rows = between(lowest, highest)
    values = whole(generator, (3, SLICES, MOST), 5)
    totals = np.stack([at(row, TABLE).sum(axis=1) for row in values])
    constraints = Constraints(SCENARIO, lowest, highest)
    units, best = constraints.best(totals if listed else values)
    for row, chosen, value in zip(values, units, best, strict=True):
        own = at(row, rows).sum(axis=1)
        assert value == own.max()
        np.testing.assert_array_equal(chosen, rows[own.argmax()])


@given(seeds, st.booleans())
def test_a_set_of_allocations_is_all_there_is(seed, listed):
    generator = np.random.default_rng(seed)
    rows = some_rows(generator)
    values = whole(generator, (2, SLICES, MOST), 5)
    totals = np.stack([at(row, TABLE).sum(axis=1) for row in values])
    units, best = Constraints(SCENARIO, allowed=rows[::-1]).best(totals if listed else values)
    ordered = np.array(sorted(rows.tolist()))
    for row, chosen, value in zip(values, units, best, strict=True):
        own = at(row, ordered).sum(axis=1)
        assert value == own.max()
        np.testing.assert_array_equal(chosen, ordered[own.argmax()])


@given(seeds, st.sampled_from(["all", "bounds", "set"]), st.sampled_from([0.3, 0.9, 1.0]), st.booleans())
def test_demands_are_met_or_come_as_close_as_brute_force_can(seed, kind, least, listed):
    generator = np.random.default_rng(seed)
    lowest, highest, allowed, rows = None, None, None, TABLE
    if kind == "bounds":
        lowest, highest = bounds(generator)
        rows = between(lowest, highest)
    if kind == "set":
        allowed = some_rows(generator)
        rows = np.array(sorted(allowed.tolist()))
    demand = {NAMES[0]: 0.5, NAMES[2]: 0.9}
    constraints = Constraints(SCENARIO, lowest, highest, allowed, demand, least)
    satisfied = generator.random((SLICES, MOST)) ** generator.choice([0.1, 1.0, 4.0])
    values = whole(generator, (1, SLICES, MOST), 3)
    permitted = constraints.permitted(satisfied)
    totals = at(values[0], TABLE).sum(axis=1)[None]
    units, _ = constraints.best(totals if listed else values, permitted.units)

    smallest = at(satisfied, rows)[:, [0, 2]].min(axis=1)  # nothing is demanded of the slice between them
    assert permitted.meets == (smallest.max() >= least)
    assert permitted.probability == min(smallest.max(), least)
    left = rows[smallest >= min(smallest.max(), least)]
    np.testing.assert_array_equal(units[0], left[at(values[0], left).sum(axis=1).argmax()])


def test_without_demands_everything_is_permitted():
    permitted = Constraints(SCENARIO, min_ssr={NAMES[1]: 0.0}).permitted(np.zeros((SLICES, MOST)))
    assert permitted.units.all()
    assert permitted.meets


def test_bounds_by_name_are_those_of_arrays():
    named = Constraints(SCENARIO, lowest={NAMES[1]: 4}, highest={NAMES[2]: 9})
    arrays = Constraints(SCENARIO, lowest=[1, 4, 1], highest=[UNITS, UNITS, 9])
    np.testing.assert_array_equal(named.rows, arrays.rows)
    again = Constraints(SCENARIO, **named.to_dict())
    np.testing.assert_array_equal(named.rows, again.rows)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"lowest": {"urlc": 3}}, ValueError, r"lowest: unknown name 'urlc'; did you mean 'urllc'"),
        ({"lowest": {"urllc": 0}}, ValueError, r"lowest\.urllc: 0 given, allowed is 1 or more"),
        ({"highest": {"urllc": 2.5}}, TypeError, r"highest\.urllc: 2\.5 is not a whole number"),
        ({"highest": [5, 5]}, ValueError, r"highest: shape \(2,\) given, allowed is \(3,\)"),
        ({"lowest": 3}, ValueError, r"lowest: shape \(\) given"),
        ({"lowest": [8, 8, 8]}, ValueError, r"lowest, highest: no allocation of num_units = 20 meets"),
        ({"highest": [5, 5, 5]}, ValueError, r"lowest, highest: no allocation of num_units = 20 meets"),
        ({"allowed": []}, ValueError, r"allowed: shape \(0,\) given, allowed are 1 or more rows \(r, 3\)"),
        ({"allowed": np.empty((0, 3), int)}, ValueError, r"allowed: shape \(0, 3\) given"),
        ({"allowed": [[1, 1, 1]]}, ValueError, r"allowed: units: \[1, 1, 1\] given, allowed is .* 20 in all"),
        ({"allowed": [[1.0, 1.0, 18.0]]}, TypeError, r"allowed: units: float64 given"),
        ({"allowed": [[1, 18]]}, ValueError, r"allowed: units: shape \(1, 2\) given"),
        ({"allowed": [[1, 1, 18]], "lowest": [2, 1, 1]}, ValueError, r"allowed: none of 1 allocations is within"),
        ({"min_ssr": {"voltee": 0.9}}, ValueError, r"min_ssr: unknown name 'voltee'; did you mean 'volte'"),
        ({"min_ssr": {"volte": 1.2}}, ValueError, r"min_ssr\.volte: 1\.2 given, allowed is at most 1\.0"),
        ({"min_ssr": {"volte": float("nan")}}, ValueError, r"min_ssr\.volte: nan given"),
        ({"min_ssr": [0.9, 0.9, 0.9]}, TypeError, r"min_ssr: .* given, allowed is a mapping of slice names"),
        ({"min_probability": 0.0}, ValueError, r"min_probability: 0\.0 given, allowed is above 0"),
        ({"min_probability": "high"}, TypeError, r"min_probability: 'high' is not a number"),
    ],
)
def test_what_is_refused(arguments, kind, message):
    with pytest.raises(kind, match=message):
        Constraints(SCENARIO, **arguments)
