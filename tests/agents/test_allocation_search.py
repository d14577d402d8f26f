from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import slicing_gym
from agents import allocation_operations as operations
from agents import allocation_shares, best_allocations, log_sum_exp, top_allocations
from agents.allocation_search import _narrowed
from slicing_gym.allocation_search import limits
from tests.helpers.allocations import searches


def on_a_device(search):
    """What the operations for devices take: values by spare units, and the cell."""
    values, num_units, lowest, highest = search.arguments
    cell = limits(values.shape, num_units, lowest, highest)
    return _narrowed(torch.from_numpy(values), cell), cell


@pytest.mark.parametrize("most_listed", [0, 1_000_000])
@given(search=searches("integers"))
def test_a_device_finds_what_the_compiled_search_finds(most_listed, search):
    values, cell = on_a_device(search)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "_MOST_LISTED", most_listed)
        units, totals = operations.best(values, cell)
        log_sums = operations.log_sum_exp(values, cell)
    expected = slicing_gym.best_allocations(*search.arguments)
    np.testing.assert_array_equal(units + torch.from_numpy(cell.lowest), expected[0])
    np.testing.assert_array_equal(totals, expected[1])
    np.testing.assert_allclose(log_sums, slicing_gym.log_sum_exp(*search.arguments), rtol=1e-12, atol=1e-12)


@given(searches("integers", rows=5), st.integers(1, 30))
def test_a_device_finds_the_best_few(search, count):
    values, cell = on_a_device(search)
    units, totals = operations.top(values, cell, min(count, cell.num_allocations))
    expected = slicing_gym.top_allocations(*search.arguments[:2], count, *search.arguments[2:])
    np.testing.assert_array_equal(totals, expected[1])
    allowed = np.isfinite(expected[1])
    np.testing.assert_array_equal((units + torch.from_numpy(cell.lowest))[allowed], expected[0][allowed])
    np.testing.assert_array_equal(units.sum(dim=2), cell.reach.spare)


def test_a_nan_comes_out_of_a_device_again_and_leads_nowhere_else():
    values = torch.randn(200, 3, 38, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = slicing_gym.best_allocations(values[100:], 40)
    for row in range(100):
        values[row, row % 3 if row < 50 else slice(None), row % 38 :] = torch.nan
    cell = limits(values.shape, 40)
    units, totals = operations.best(values, cell)
    assert totals[:100].isnan().all()
    assert operations.top(values, cell, 100)[1][:100, 0].isnan().all()
    assert operations.log_sum_exp(values, cell)[:100].isnan().all()
    np.testing.assert_array_equal(units[100:] + 1, expected[0])
    np.testing.assert_array_equal(totals[100:], expected[1])


@given(searches("floats"))
def test_a_device_finds_the_shares(search):
    values, cell = on_a_device(search)
    totals, shares = operations.shares(values, cell)
    expected = slicing_gym.allocation_shares(*search.arguments)
    np.testing.assert_allclose(totals, expected[0], rtol=1e-12, atol=1e-12)
    for n, (low, width) in enumerate(zip(cell.lowest, cell.reach.widths, strict=True)):
        mine = expected[1][:, n, low - 1 : low - 1 + width]
        np.testing.assert_allclose(shares[:, n, :width], mine, rtol=1e-9, atol=1e-12)
        assert (shares[:, n, width:] == 0.0).all()


@pytest.mark.parametrize(("lowest", "highest"), [(None, None), ([2, 1, 3], [5, 19, 9])])
def test_the_way_to_a_device_keeps_shapes_dtypes_and_devices(lowest, highest):
    """PyTorch's device without data refuses to mix with tensors elsewhere, as others do."""
    values = torch.empty(7, 3, 28, device="meta", requires_grad=True)
    units, totals = best_allocations(values, 30, lowest, highest)
    some, of_some = top_allocations(values, 30, 4, lowest, highest)
    log_sums, shares = allocation_shares(values, 30, lowest, highest)
    assert (units.shape, some.shape, shares.shape) == ((7, 3), (7, 4, 3), (7, 3, 28))
    assert (totals.shape, of_some.shape, log_sums.shape) == ((7,), (7, 4), (7,))
    assert {each.dtype for each in (units, some)} == {torch.int64}
    assert {each.dtype for each in (totals, of_some, log_sums, shares)} == {torch.float32}
    log_sum_exp(values, 30, lowest, highest).sum().backward()
    assert values.grad.shape == values.shape
    assert log_sum_exp(values.detach(), 30, lowest, highest).device.type == "meta"


@given(searches("floats", rows=3))
def test_tensors_in_the_cpus_memory_go_through_the_compiled_search(search):
    values, *others = search.arguments
    for function, name in ((best_allocations, "best_allocations"), (allocation_shares, "allocation_shares")):
        expected = getattr(slicing_gym, name)(values, *others)
        for mine, same in zip(function(torch.from_numpy(values), *others), expected, strict=True):
            np.testing.assert_array_equal(mine, same)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_results_have_the_dtype_of_the_values(dtype):
    values = torch.randn(4, 3, 18, generator=torch.Generator().manual_seed(0)).to(dtype)
    units, totals = best_allocations(values, 20)
    assert units.dtype == torch.int64
    exact = slicing_gym.best_allocations(values.double().numpy(), 20)
    assert (units.numpy() == exact[0]).all()
    assert torch.equal(totals, torch.from_numpy(exact[1]).to(dtype))
    assert log_sum_exp(values, 20).dtype == top_allocations(values, 20, 3)[1].dtype == dtype


@pytest.mark.parametrize(("scale", "bounds"), [(1.0, ()), (400.0, ()), (1.0, ([2, 1, 1], [3, 4, 6]))])
def test_the_slopes_of_log_sum_exp_are_those_of_a_listed_one(scale, bounds):
    values = torch.randn(5, 3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * scale
    values.requires_grad_()
    assert torch.autograd.gradcheck(lambda given: log_sum_exp(given, 8, *bounds), values)
    table = slicing_gym.allocation_table(8, 3).copy()  # PyTorch wants what it may write on
    if bounds:
        table = table[((table >= bounds[0]) & (table <= bounds[1])).all(axis=1)]
    listed = torch.logsumexp(values[:, torch.arange(3), torch.from_numpy(table) - 1].sum(dim=2), dim=1)
    weights = torch.arange(1.0, 6.0, dtype=torch.float64)
    (expected,) = torch.autograd.grad(listed @ weights, values)
    (slopes,) = torch.autograd.grad(log_sum_exp(values, 8, *bounds) @ weights, values)
    torch.testing.assert_close(slopes, expected, rtol=1e-9, atol=1e-12)


def test_slopes_of_slopes_are_refused():
    values = torch.zeros(2, 3, 6, dtype=torch.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match="slopes of slopes"):
        torch.autograd.grad(log_sum_exp(values, 8).sum(), values, create_graph=True)


def test_bad_values_and_bounds_are_refused_as_without_tensors():
    with pytest.raises(ValueError, match="values: NaN"):
        best_allocations(torch.full((2, 3, 6), torch.nan), 8)
    for device in ("cpu", "meta"):
        values = torch.zeros(2, 3, 6, device=device)
        with pytest.raises(ValueError, match=r"num_units = 8 meets \[4, 4, 4\]"):
            log_sum_exp(values, 8, [4, 4, 4])
        with pytest.raises(ValueError, match=r"values: shape \(2, 3, 6\) given"):
            best_allocations(values, 9)
        with pytest.raises(ValueError, match="count: 0 given"):
            top_allocations(values, 8, 0)
