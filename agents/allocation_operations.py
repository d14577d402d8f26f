"""The recursions of `slicing_gym.allocation_search` in PyTorch's operations, for tensors on a device.

Values are float64 (k, S, W) by slice and spare units, which are those beyond the fewest that it can hold; they are -inf
beyond the most. Nobody looks at them first: a NaN comes out as NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from slicing_gym.allocation import allocation_table
from slicing_gym.allocation_search import Limits

_MOST_LISTED = 10_000
"""Up to so many rows times allocations fewer operations win over less work: for one state of the `paper` scenario
listing took two thirds of the recursion's time, for 32 four times its time (measured in the CPU's memory)."""


def best(values: Tensor, cell: Limits) -> tuple[Tensor, Tensor]:
    """Spare units (k, S) and value (k,) of the best allocation; of equal ones of the lexicographically smallest."""
    if _few(values, cell):
        table, listed = _listed(values, cell)
        largest, action = listed.max(dim=1)  # the first of equal ones
        return table[:, action].T, largest
    after = _after(values, cell, torch.amax)
    spent = torch.zeros(len(values), 1, dtype=torch.int64, device=values.device)
    units, totals = [], []
    for n, worth in enumerate(after):
        reached = spent + torch.arange(values.shape[2], device=values.device)
        largest, mine = (values[:, n] + worth.gather(1, reached)).max(dim=1, keepdim=True)
        units.append(mine)
        totals.append(largest)
        spent = spent + mine
    return torch.cat(units, dim=1), totals[0][:, 0]


def top(values: Tensor, cell: Limits, count: int) -> tuple[Tensor, Tensor]:
    """Spare units (k, count, S) and values (k, count) of the best `count` allocations, which have to be there."""
    num_rows, num_slices, width = values.shape
    allowed = values.clamp(min=-1e300)  # forbidden allocations stay above places where there is none
    worth = _nothing(values, cell)[:, :, None]  # (k, places, rank)
    held = []  # for each slice its units and the rank of what the slices after it hold, (k, spare + 1, rank) each
    for n in range(num_slices - 1, -1, -1):
        candidates = allowed[:, n, None, :, None] + worth.unfold(1, width, 1).transpose(2, 3)
        ranks = worth.shape[2]
        # Stable: equal ones stay in the order of units, then of ranks, which is the lexicographic one.
        ordered, order = candidates.flatten(2).sort(dim=2, descending=True, stable=True)
        held.append((order[:, :, :count] // ranks, order[:, :, :count] % ranks))
        worth = pad(ordered[:, :, :count], (0, 0, 0, width - 1), value=-torch.inf)
    row = torch.arange(num_rows, device=values.device)[:, None]
    rank = torch.arange(count, device=values.device).expand(num_rows, -1)
    spent, units = torch.zeros_like(rank), []
    for mine, following in reversed(held):
        units.append(mine[row, spent, rank])
        rank, spent = following[row, spent, rank], spent + units[-1]
        spent = spent.clamp(max=cell.reach.spare)  # beyond lie only places that a NaN leads to
    totals = worth[:, 0, :count]
    return torch.stack(units, dim=2), totals.masked_fill(totals < -1e299, -torch.inf)


def log_sum_exp(values: Tensor, cell: Limits) -> Tensor:
    """The logarithm of the sum of exp(value) over all allocations (k,)."""
    if _few(values, cell):
        return torch.logsumexp(_listed(values, cell)[1], dim=1)
    return _log_sum(values, _after(values, cell, torch.logsumexp))


def shares(values: Tensor, cell: Limits) -> tuple[Tensor, Tensor]:
    """`log_sum_exp` (k,) and the probability under softmax of each number of units of each slice (k, S, W)."""
    width = values.shape[2]
    after = _after(values, cell, torch.logsumexp)
    totals = _log_sum(values, after)
    # What the slices before one bring is what those after it bring in the reverse order, by what they leave.
    backwards = _after(values.flip(1), cell, torch.logsumexp)[::-1]
    before = [worth[:, : cell.reach.spare + 1].flip(1) for worth in backwards]
    others = [
        torch.logsumexp(first[:, :, None] + second.unfold(1, width, 1), 1)
        for first, second in zip(before, after, strict=True)
    ]
    return totals, (values + torch.stack(others, dim=1) - totals[:, None, None]).exp()


def _after(values: Tensor, cell: Limits, combine: Callable[[Tensor, int], Tensor]) -> list[Tensor]:
    """For each slice (k, spare + W), by spare units spent up to and with it: what the slices after it bring."""
    width = values.shape[2]
    found = [_nothing(values, cell)]
    for n in range(values.shape[1] - 1, 0, -1):
        brought = combine(values[:, n, None] + found[-1].unfold(1, width, 1), 2)
        found.append(pad(brought, (0, width - 1), value=-torch.inf))
    return found[::-1]


def _nothing(values: Tensor, cell: Limits) -> Tensor:
    """What no slice brings: 0 if all is spent, else there is no such allocation."""
    worth = values.new_full((len(values), cell.reach.spare + values.shape[2]), -torch.inf)
    worth[:, cell.reach.spare] = 0.0
    return worth


def _log_sum(values: Tensor, after: list[Tensor]) -> Tensor:
    return torch.logsumexp(values[:, 0] + after[0][:, : values.shape[2]], dim=1)


def _few(values: Tensor, cell: Limits) -> bool:
    num_slices = values.shape[1]
    return num_slices > 1 and len(values) * math.comb(cell.reach.spare + num_slices - 1, num_slices - 1) <= _MOST_LISTED


def _listed(values: Tensor, cell: Limits) -> tuple[Tensor, Tensor]:
    """Spare units (S, num_allocations) of all allocations and their values (k, num_allocations)."""
    table = _table(cell.reach.spare, tuple(cell.reach.widths.tolist()), values.device)
    totals = values[:, -1].index_select(1, table[-1])
    for n in range(values.shape[1] - 2, -1, -1):
        totals = totals.add_(values[:, n].index_select(1, table[n]))
    return table, totals


@lru_cache(maxsize=8)
def _table(spare: int, widths: tuple[int, ...], device: torch.device) -> Tensor:
    units = allocation_table(spare + len(widths), len(widths)) - 1
    return torch.from_numpy(units[(units < widths).all(axis=1)].T.copy()).to(device)
