"""What an exported graph computes: observations of arrivals, values, and the units of the best allocation."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.dqn.factored import FactoredHead
from slicing_gym import Scenario
from slicing_gym.ranking import ways_to_share

_FEWEST_ROWS = 64
"""A layer of the recursion is done in halves of this many rows or more: the second needs not see what is never left."""


class Graph(nn.Module):
    """The units (batch, n_slices) of the best allocation for arrivals (batch, n_slices), float64 [packets/interval].

    Args:
        scenario: whose nominal arrivals scale them.
        highest: at which observations are clipped (n_slices,): where the policy's space ends.
        values: of observations: (batch, num_actions), or with a factored head (batch, n_slices, units).
        factored: whether the head is one.
    """

    nominal: Tensor
    highest: Tensor

    def __init__(
        self, scenario: Scenario, highest: npt.NDArray[np.float32], values: nn.Module, *, factored: bool
    ) -> None:
        super().__init__()
        self.register_buffer("nominal", torch.as_tensor(scenario.nominal_arrivals))
        self.register_buffer("highest", torch.as_tensor(highest))
        self.values, self.factored = values, factored
        self.num_units, self.num_slices = scenario.num_units, scenario.num_slices

    def forward(self, arrivals: Tensor) -> Tensor:
        """See the class; divided in float64, rounded, and clipped, as `SpaceSpec.observe` does."""
        values = self.values(torch.minimum((arrivals / self.nominal).float(), self.highest))
        if self.factored:
            return best_units(values)
        return units_of(values.argmax(dim=1, keepdim=True), self.num_units, self.num_slices)


class SliceValues(nn.Module):
    """What each number of units is worth to each slice (batch, n_slices, units) of observations (batch, n_slices).

    Args:
        network: with a factored head; it is changed: its embedding of the units becomes a constant.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        head = network.head
        assert isinstance(head, FactoredHead)
        if head.embedding is not None:
            head.embedding = _Constant(head.embedding(head.features))  # type: ignore[assignment]

    def forward(self, observations: Tensor) -> Tensor:
        """See the class."""
        values: Tensor = self.network.head.slice_values(self.network.before_head(observations))  # type: ignore[operator, union-attr]
        return values


class _Constant(nn.Module):
    """A module that always gives the same."""

    value: Tensor

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value)

    def forward(self, _: Tensor) -> Tensor:
        return self.value


def units_of(index: Tensor, num_units: int, num_slices: int) -> Tensor:
    """Allocations (batch, num_slices) by their numbers (batch, 1), as `slicing_gym.allocation_units` makes them.

    By the combinatorial number system: what is compared are the binomials of `ways_to_share`.
    """
    if num_slices == 1:
        return index + num_units
    ways = torch.from_numpy(ways_to_share(num_units, num_slices).copy())
    remaining = ways[-1, -1] - index  # counted from the end: how many allocations there are from this one on
    spares = []  # units beyond everybody's one that are left after each slice
    for later in range(num_slices - 1, 1, -1):
        spare = (ways[later] >= remaining).to(torch.int32).argmax(dim=1, keepdim=True)  # the first
        before = functional.pad(ways[later], (1, 0))
        remaining = remaining - functional.embedding(spare, before[:, None])[:, :, 0]
        spares.append(spare)
    # A slice has what is left before it, less what is left after it; before the last it is `remaining` - 1.
    step, offset = torch.eye(num_slices, dtype=torch.int64), [1] * num_slices
    offset[0] += num_units - num_slices
    offset[-2] += 1
    offset[-1] -= 1
    return torch.cat([*spares, remaining], dim=1) @ (step[1:] - step[:-1]) + torch.tensor(offset)


def best_units(values: Tensor) -> Tensor:
    """The allocation (batch, n_slices) of the highest sum; of equal ones that of the lowest index.

    By the max-plus recursion of `slicing_gym.allocation_search`, in the dtype of the values: from the last slice on,
    what is the best that all slices from this one on can make of so many units; then from the first slice on, the
    fewest units that attain it.

    Args:
        values: (batch, n_slices, most_units); values[i, n, u - 1] is what slice n is worth with u units.
    """
    num_slices, most = values.shape[1:]
    # By how many of the spare units, those beyond everybody's one, are not left; more than there are is worth -inf.
    worth = torch.flip(values[:, -1], [1])
    worths = []
    for n in range(num_slices - 1, 0, -1):
        worths.append(functional.pad(worth, (0, most - 1), value=-math.inf))
        if n > 1:
            worth = _with_one_more(values[:, n - 1], worth)
    every = torch.arange(most)
    taken = torch.zeros_like(values[:, 0, :1], dtype=torch.int64)  # spare units
    spares = []
    for n, later in enumerate(reversed(worths)):
        spare = (values[:, n] + later.gather(1, taken + every)).argmax(dim=1, keepdim=True)
        taken = taken + spare
        spares.append(spare)
    return torch.cat([*spares, most - 1 - taken], dim=1) + 1


def _with_one_more(values: Tensor, worth: Tensor) -> Tensor:
    """What the best is worth with a slice more (batch, most), by the spare units that are not left.

    With r of them not left, that is the maximum over u of values[u] + worth[r + u]: `values` and a window of `worth`,
    which starts one further in the next row.

    Args:
        values: of that slice (batch, most).
        worth: of the slices after it (batch, most), by the spare units that are not left.
    """
    most = values.shape[1]
    rows = max(-(-most // 2), min(most, _FEWEST_ROWS))
    padded = functional.pad(worth, (0, rows), value=-math.inf)
    width = most + rows
    # Copies one after another, read as rows that are one number longer: each row starts one further than the last.
    copies = padded[:, None, :].expand(-1, rows + 1, -1).reshape(-1, (rows + 1) * width)
    windows = copies[:, : rows * (width + 1)].reshape(-1, rows, width + 1)
    parts = []
    for first in range(0, most, rows):  # where all windows of these rows have come to -inf nothing is added
        sums = values[:, None, : most - first] + windows[:, : most - first, first:most]
        parts.append(sums.amax(dim=2))
    return torch.cat(parts, dim=1)
