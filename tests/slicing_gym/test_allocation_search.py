from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.special import logsumexp

from slicing_gym import allocation_shares, best_allocations, log_sum_exp, top_allocations
from slicing_gym.allocation_search import limits
from tests.helpers.allocations import brute_force, searches


@given(searches("integers"))
def test_the_best_of_integers_is_that_of_brute_force_and_ties_go_to_the_lowest_index(search):
    units, totals = best_allocations(*search.arguments)
    np.testing.assert_array_equal(units, search.table[search.totals.argmax(axis=1)])
    np.testing.assert_array_equal(totals, search.totals.max(axis=1))


@given(searches("floats"))
def test_the_best_of_floats_is_that_of_brute_force(search):
    units, totals = best_allocations(*search.arguments)
    np.testing.assert_array_equal(units, search.table[search.totals.argmax(axis=1)])
    np.testing.assert_allclose(totals, search.totals.max(axis=1), rtol=1e-9, atol=1e-12)


@given(searches("integers", rows=10), st.integers(1, 30))
def test_the_best_few_are_those_of_a_stable_sort(search, count):
    values, num_units, lowest, highest = search.arguments
    units, totals = top_allocations(values, num_units, count, lowest, highest)
    order = np.argsort(-search.totals, axis=1, kind="stable")[:, :count]
    assert units.shape[1] == min(count, len(search.table)) == totals.shape[1]
    np.testing.assert_array_equal(totals, np.take_along_axis(search.totals, order, axis=1))
    allowed = np.isfinite(totals)
    np.testing.assert_array_equal(units[allowed], search.table[order][allowed])


@given(searches("floats"))
def test_log_sum_exp_and_shares_are_those_of_a_softmax_over_all_allocations(search):
    expected = logsumexp(search.totals, axis=1)
    np.testing.assert_allclose(log_sum_exp(*search.arguments), expected, rtol=1e-9, atol=1e-12)
    totals, shares = allocation_shares(*search.arguments)
    np.testing.assert_array_equal(totals, log_sum_exp(*search.arguments))
    np.testing.assert_allclose(shares, search.shares(), rtol=1e-9, atol=1e-12)


def test_sums_too_small_for_a_float_are_worked_out_in_logarithms():
    """Each slice is worth most with all units, so that products of the weights of allocations underflow."""
    values = np.broadcast_to(np.arange(8) * 400.0, (1, 4, 8)).copy()
    values[0, :, :4] = [-3000.0, -2500.0, -2600.0, -2800.0]
    search = brute_force(values, 11)
    assert np.exp(search.totals - values.max(axis=2).sum(axis=1)).sum() < 1e-300
    totals, shares = allocation_shares(values, 11)
    np.testing.assert_allclose(totals, logsumexp(search.totals, axis=1), rtol=1e-12)
    np.testing.assert_allclose(shares, search.shares(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("num_slices", "num_units", "bounded"), [(4, 40, False), (4, 40, True), (6, 25, True)])
def test_integer_programming_finds_no_better_allocation(num_slices, num_units, bounded):
    """A binary variable says whether a slice holds so many units; HiGHS solves that by branch and cut."""
    random = np.random.default_rng(num_slices + bounded)
    most = num_units - num_slices + 1
    values = random.normal(size=(12, num_slices, most))
    lowest = random.integers(1, 4, num_slices) if bounded else np.ones(num_slices, int)
    highest = lowest + random.integers(num_units // 2, num_units, num_slices) if bounded else np.full(num_slices, most)
    one_each = np.kron(np.eye(num_slices), np.ones(most))
    all_units = np.tile(np.arange(1, most + 1), num_slices)[None]
    held = np.arange(1, most + 1)
    allowed = ((held >= lowest[:, None]) & (held <= highest[:, None])).astype(float).ravel()
    units, totals = best_allocations(values, num_units, lowest, highest)
    for row, mine, total in zip(values, units, totals, strict=True):
        solved = milp(
            -row.ravel(),
            integrality=np.ones(row.size),
            bounds=Bounds(0.0, allowed),
            constraints=[LinearConstraint(one_each, 1.0, 1.0), LinearConstraint(all_units, num_units, num_units)],
            options={"mip_rel_gap": 0.0},
        )
        chosen = solved.x.reshape(row.shape).argmax(axis=1) + 1
        np.testing.assert_allclose(total, row[np.arange(num_slices), chosen - 1].sum(), rtol=1e-9)
        np.testing.assert_array_equal(mine, chosen)  # of random floats one is best


def test_a_cell_with_more_allocations_than_anybody_could_list():
    """Concave values: the best allocation is where units go one by one to whoever gains most (Fox 1966)."""
    random = np.random.default_rng(0)
    gains = -np.sort(-random.random((5, 8, 265)), axis=2)
    values = np.concatenate([np.zeros((5, 8, 1)), gains.cumsum(axis=2)], axis=2)
    units, totals = best_allocations(values, 273)
    greedy = np.sort(gains.reshape(5, -1), axis=1)[:, -265:]
    np.testing.assert_allclose(totals, greedy.sum(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(units, 1 + (gains >= greedy[:, :1, None]).sum(axis=2))
    assert limits(values.shape, 273).num_allocations == 20_218_614_631_344
    np.testing.assert_allclose(log_sum_exp(np.zeros((1, 8, 266)), 273), np.log(20_218_614_631_344), rtol=1e-12)
    shares = allocation_shares(values, 273)[1]
    np.testing.assert_allclose(shares.sum(axis=2), 1.0, rtol=1e-12)
    np.testing.assert_allclose((shares @ np.arange(1, 267)).sum(axis=1), 273.0, rtol=1e-12)


@settings(max_examples=20)
@given(searches("floats", rows=5))
def test_a_row_gets_the_same_bytes_alone_in_a_batch_and_from_an_array_of_another_kind(search):
    values, num_units, lowest, highest = search.arguments
    batch = (
        *best_allocations(*search.arguments),
        log_sum_exp(*search.arguments),
        *allocation_shares(*search.arguments),
        *top_allocations(values, num_units, 3, lowest, highest),
    )
    for i in range(len(values)):
        row = np.asfortranarray(values[i : i + 1])
        row.flags.writeable = False
        alone = (
            *best_allocations(row, num_units, lowest, highest),
            log_sum_exp(row, num_units, lowest, highest),
            *allocation_shares(row, num_units, lowest, highest),
            *top_allocations(row, num_units, 3, lowest, highest),
        )
        for one, all_of_them in zip(alone, batch, strict=True):
            assert one.tobytes() == all_of_them[i : i + 1].tobytes()


def test_no_rows_bring_none():
    none = np.empty((0, 3, 98))
    assert best_allocations(none, 100)[0].shape == (0, 3)
    assert top_allocations(none, 100, 7)[0].shape == (0, 7, 3)
    assert log_sum_exp(none, 100).shape == (0,)
    assert allocation_shares(none, 100)[1].shape == (0, 3, 98)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"values": np.zeros((2, 3, 7))}, ValueError, r"values: shape \(2, 3, 7\) given, .* with num_units = 10"),
        ({"values": np.zeros((3, 8))}, ValueError, r"values: shape \(3, 8\) given"),
        ({"values": np.zeros((2, 11, 0))}, ValueError, "no allocation of num_units = 10"),
        ({"values": np.zeros((1, 600, 601)), "num_units": 1200}, ValueError, "num_units: 1200 .* take fewer units"),
        ({"values": np.zeros((1, 30, 971)), "num_units": 1000}, ValueError, r"make 7\.29e\+55 allocations within"),
        ({"values": np.full((2, 3, 8), np.nan)}, ValueError, "values: NaN"),
        ({"values": np.full((2, 3, 8), np.inf)}, ValueError, "values: NaN, .inf"),
        ({"values": np.full((2, 3, 8), 1e308)}, ValueError, "too large to add"),
        ({"num_units": 0}, ValueError, "num_units: 0 given"),
        ({"num_units": 10.0}, TypeError, "num_units: 10.0 is not a whole number"),
        ({"lowest": [1, 2]}, ValueError, r"lowest: shape \(2,\) given, allowed is \(3,\)"),
        ({"lowest": [1, 0, 2]}, ValueError, r"lowest: \[1, 0, 2\] given, allowed is 1 or more"),
        ({"highest": [3.0, 3.0, 9.0]}, TypeError, "highest: float64 given, allowed are integers"),
        ({"lowest": [4, 4, 4]}, ValueError, r"num_units = 10 meets \[4, 4, 4\] and \[10, 10, 10\]"),
        ({"highest": [3, 3, 3]}, ValueError, r"num_units = 10 meets \[1, 1, 1\] and \[3, 3, 3\]"),
        ({"lowest": [1, 5, 1], "highest": [8, 4, 8]}, ValueError, r"meets \[1, 5, 1\] and \[8, 4, 8\]"),
    ],
)
def test_what_is_no_search_is_refused(change, error, message):
    arguments = {"values": np.zeros((2, 3, 8)), "num_units": 10, **change}
    for function in (best_allocations, log_sum_exp, allocation_shares):
        with pytest.raises(error, match=message):
            function(**arguments)
    with pytest.raises(error, match=message):
        top_allocations(**arguments, count=2)


def test_a_row_of_which_every_allocation_is_forbidden_is_named():
    values = np.zeros((3, 3, 8))
    values[1, 0] = -np.inf
    for function in (best_allocations, log_sum_exp, allocation_shares, lambda *given: top_allocations(*given, 2)):
        with pytest.raises(ValueError, match="every allocation of row 1 is forbidden"):
            function(values, 10)


@pytest.mark.parametrize("count", [0, -3])
def test_the_best_few_are_one_or_more(count):
    with pytest.raises(ValueError, match=f"count: {count} given, allowed is 1 or more"):
        top_allocations(np.zeros((2, 3, 8)), 10, count)
