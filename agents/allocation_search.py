"""`slicing_gym.allocation_search` for tensors: compiled code for those in the CPU's memory, PyTorch's operations on a device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from slicing_gym import allocation_search as search
from slicing_gym.allocation_search import Limits


def best_allocations(values: Tensor, num_units: int, lowest: Any = None, highest: Any = None) -> tuple[Tensor, Tensor]:
    """The allocation of highest value of each row; of equal ones the lowest index (lexicographically smallest units).

    No gradient goes through it: gather the values of the units where one is wanted.

    Args:
        values: float tensor (k, num_slices, num_units - num_slices + 1); values[i, n, u - 1] is what slice n is worth
            with u units. -inf forbids that. In the CPU's memory NaN and +inf are refused; on a device nobody looks,
            which would wait for it, and NaN comes out again.
        num_units: units to share out.
        lowest: int array (num_slices,), the fewest units of each slice; 1 by default.
        highest: int array (num_slices,), the most units of each slice; no bound by default.

    Returns:
        Units int64 (k, num_slices) and their values (k,), added in float64 and of the dtype of `values`.

    Raises:
        TypeError: the bounds are not whole numbers.
        ValueError: another shape, bounds that no allocation meets; in the CPU's memory also NaN or +inf, or a row in
            which every allocation is forbidden.
    """
    if values.device.type == "cpu":
        units, totals = search.best_allocations(values.detach().double().numpy(), num_units, lowest, highest)
        return torch.from_numpy(units), torch.from_numpy(totals).to(values.dtype)
    cell = search.limits(values.shape, num_units, lowest, highest)
    device_units, device_totals = best_by_operations(narrowed(values.detach().double(), cell), cell)
    return device_units, device_totals.to(values.dtype)


def log_sum_exp(values: Tensor, num_units: int, lowest: Any = None, highest: Any = None) -> Tensor:
    """The logarithm of the sum of exp(value) over all allocations of each row, of the dtype of `values` (k,).

    It can be differentiated once. Arguments and errors are those of `best_allocations`.
    """
    total: Tensor = _LogSumExp.apply(values, num_units, lowest, highest)  # type: ignore[no-untyped-call]
    return total


def allocation_shares(
    values: Tensor, num_units: int, lowest: Any = None, highest: Any = None
) -> tuple[Tensor, Tensor]:
    """The softmax over all allocations, seen from each slice; also the slopes of `log_sum_exp` by the values.

    No gradient goes through it. Arguments and errors are those of `best_allocations`.

    Returns:
        `log_sum_exp` (k,) and the shares (k, num_slices, num_units - num_slices + 1), of the dtype of `values`: the
        probability that slice n holds u units is shares[i, n, u - 1].
    """
    if values.device.type == "cpu":
        found = search.allocation_shares(values.detach().double().numpy(), num_units, lowest, highest)
        totals, shares = torch.from_numpy(found[0]), torch.from_numpy(found[1])
    else:
        cell = search.limits(values.shape, num_units, lowest, highest)
        totals, spare_shares = shares_by_operations(narrowed(values.detach().double(), cell), cell)
        shares = widened(spare_shares, cell, values.shape[2])
    return totals.to(values.dtype), shares.to(values.dtype)


class _LogSumExp(torch.autograd.Function):
    """The slopes come with the sum, and only where somebody will ask for them."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, num_units: int, lowest: Any, highest: Any) -> Tensor:
        if ctx.needs_input_grad[0]:
            totals, shares = allocation_shares(values, num_units, lowest, highest)
            ctx.save_for_backward(shares)
            return totals
        if values.device.type == "cpu":
            found = search.log_sum_exp(values.detach().double().numpy(), num_units, lowest, highest)
            return torch.from_numpy(found).to(values.dtype)
        cell = search.limits(values.shape, num_units, lowest, highest)
        spare_values = narrowed(values.detach().double(), cell)
        return torch.logsumexp(spare_values[:, 0] + log_sums_after(spare_values, cell)[0][:, : spare_values.shape[2]], 1).to(values.dtype)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None, None]:
        (shares,) = ctx.saved_tensors
        return slope[:, None, None] * shares, None, None, None
