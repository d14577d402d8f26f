"""`slicing_gym.allocation_search` for tensors: compiled code in the CPU's memory, PyTorch's operations on a device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from agents import allocation_operations as operations
from slicing_gym import allocation_search as search
from slicing_gym.allocation_search import Limits
from slicing_gym.errors import check_integer


def best_allocations(values: Tensor, num_units: int, lowest: Any = None, highest: Any = None) -> tuple[Tensor, Tensor]:
    """The allocation of highest value of each row; of equal ones the lowest index (lexicographically smallest units).

    No gradient goes through it: gather the values of the units where one is wanted.

    Args:
        values: float tensor (k, num_slices, num_units - num_slices + 1); values[i, n, u - 1] is what slice n is worth
            with u units. -inf forbids that. In the CPU's memory NaN and +inf are refused; on a device nobody looks,
            for that would wait for it: a row's value comes out as NaN then, or as -inf if all of it is forbidden.
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
        units, totals = map(torch.from_numpy, search.best_allocations(_array(values), num_units, lowest, highest))
    else:
        cell = search.limits(values.shape, num_units, lowest, highest)
        units, totals = operations.best(_narrowed(values, cell), cell)
        units = units + torch.from_numpy(cell.lowest).to(units.device)
    return units, totals.to(values.dtype)


def top_allocations(
    values: Tensor, num_units: int, count: int, lowest: Any = None, highest: Any = None
) -> tuple[Tensor, Tensor]:
    """The allocations of highest value of each row, the best first, those of equal value in lexicographic order.

    There are `count` of them, or all where there are fewer. Those that are forbidden come last, with a value of -inf.
    Errors are those of `best_allocations`.

    Args:
        values: float tensor (k, num_slices, num_units - num_slices + 1); values[i, n, u - 1] is what slice n is worth
            with u units; -inf forbids that.
        num_units: units to share out.
        count: allocations of each row, the best ones.
        lowest: int array (num_slices,), the fewest units of each slice; 1 by default.
        highest: int array (num_slices,), the most units of each slice; no bound by default.

    Returns:
        Units int64 (k, count, num_slices) and their values (k, count), of the dtype of `values`.
    """
    if values.device.type == "cpu":
        found = search.top_allocations(_array(values), num_units, count, lowest, highest)
        units, totals = map(torch.from_numpy, found)
    else:
        cell = search.limits(values.shape, num_units, lowest, highest)
        count = min(check_integer("count", count, at_least=1), cell.num_allocations)
        units, totals = operations.top(_narrowed(values, cell), cell, count)
        units = units + torch.from_numpy(cell.lowest).to(units.device)
    return units, totals.to(values.dtype)


def log_sum_exp(values: Tensor, num_units: int, lowest: Any = None, highest: Any = None) -> Tensor:
    """The logarithm of the sum of exp(value) over all allocations of each row, of the dtype of `values` (k,).

    It can be differentiated once (a RuntimeError says so). Other errors are those of `best_allocations`.

    Args:
        values: float tensor (k, num_slices, num_units - num_slices + 1); values[i, n, u - 1] is what slice n is worth
            with u units; -inf forbids that.
        num_units: units to share out.
        lowest: int array (num_slices,), the fewest units of each slice; 1 by default.
        highest: int array (num_slices,), the most units of each slice; no bound by default.
    """
    total: Tensor = _LogSumExp.apply(values, num_units, lowest, highest)  # type: ignore[no-untyped-call]
    return total


def allocation_shares(values: Tensor, num_units: int, lowest: Any = None, highest: Any = None) -> tuple[Tensor, Tensor]:
    """The softmax over all allocations, seen from each slice; also the slopes of `log_sum_exp` by the values.

    No gradient goes through it. Errors are those of `best_allocations`.

    Args:
        values: float tensor (k, num_slices, num_units - num_slices + 1); values[i, n, u - 1] is what slice n is worth
            with u units; -inf forbids that.
        num_units: units to share out.
        lowest: int array (num_slices,), the fewest units of each slice; 1 by default.
        highest: int array (num_slices,), the most units of each slice; no bound by default.

    Returns:
        `log_sum_exp` (k,) and the shares (k, num_slices, num_units - num_slices + 1), of the dtype of `values`: the
        probability that slice n holds u units is shares[i, n, u - 1].
    """
    if values.device.type == "cpu":
        found = search.allocation_shares(_array(values), num_units, lowest, highest)
        totals, shares = map(torch.from_numpy, found)
    else:
        cell = search.limits(values.shape, num_units, lowest, highest)
        totals, spare_shares = operations.shares(_narrowed(values, cell), cell)
        shares = torch.zeros(values.shape, dtype=torch.float64, device=values.device)
        for n, held in enumerate(search.held_units(cell)):
            shares[:, n, held] = spare_shares[:, n, : held.stop - held.start]
    return totals.to(values.dtype), shares.to(values.dtype)


class _LogSumExp(torch.autograd.Function):
    """Its slopes, the shares, come with the sum, and only where somebody will ask for them."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, num_units: int, lowest: Any, highest: Any) -> Tensor:
        """See `log_sum_exp`."""
        if ctx.needs_input_grad[0]:
            totals, shares = allocation_shares(values, num_units, lowest, highest)
            ctx.save_for_backward(shares)
            return totals
        if values.device.type == "cpu":
            totals = torch.from_numpy(search.log_sum_exp(_array(values), num_units, lowest, highest))
        else:
            cell = search.limits(values.shape, num_units, lowest, highest)
            totals = operations.log_sum_exp(_narrowed(values, cell), cell)
        return totals.to(values.dtype)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None, None]:
        """The slope by the values is the shares."""
        if torch.is_grad_enabled():  # by create_graph=True: the shares would be taken for constants
            raise RuntimeError("log_sum_exp: slopes of slopes (create_graph=True) are not there")
        (shares,) = ctx.saved_tensors
        return slope[:, None, None] * shares, None, None, None


def _array(values: Tensor) -> Any:
    return values.detach().double().numpy()


def _narrowed(values: Tensor, cell: Limits) -> Tensor:
    """Values by slice and spare units (k, S, W), float64."""
    given = values.detach().double()
    if not cell.narrower:
        return given
    spare_values = given.new_full((*values.shape[:2], int(cell.reach.widths.max())), -torch.inf)
    for n, held in enumerate(search.held_units(cell)):
        spare_values[:, n, : held.stop - held.start] = given[:, n, held]
    return spare_values
