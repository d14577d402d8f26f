"""The factored head: the value of an allocation is a sum of one term per slice."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn
from torch.nn import functional

from agents.allocation_search import best_allocations, log_sum_exp
from agents.dqn.units import scaled_shares, slices_and_units
from slicing_gym.allocation import MAX_LISTED, allocation_index, allocation_table, allocation_units
from slicing_gym.errors import check_instance, check_integer, unknown_name
from slicing_gym.ranking import count_allocations
from slicing_gym.spaces import AllocationSpace

VALUES = ("embedding", "table")
"""How a slice values a number of units."""

_MARKED = 4
"""So many of the first units are told apart one by one: there one more changes most."""


class FactoredHead(nn.Module):
    """The value of an allocation as a sum over slices, Q(s, a) = sum_n q_n(s, u_n), u_n being the units of slice n.

    Value decomposition (Sunehag et al. 2018, https://arxiv.org/abs/1706.05296) over slices in place of agents. The
    utility is such a sum exactly: a slice's SSR and share of SE depend on its own load and its own units, and slices
    meet only in that the units add up. Q is one nearly; what couples slices is what queues carry over. So one decision
    teaches about all allocations that share a slice's units, and the best allocation is found exactly without listing
    any (`agents.allocation_search`). Where the reward is no such sum (equation 6, `clip`, a twin's `penalty`) it does
    not hold. Not in the paper.

    Args:
        width: of the layer before.
        observation_space: Box; gives the number of slices where `action_space` is a plain Discrete.
        action_space: `slicing_gym.spaces.AllocationSpace`, or a Discrete with as many actions as one.
        values: "embedding": q_n is a product of features of the state, some for each slice, and an embedding of the
            number of units, so that neighbouring numbers teach each other; "table": an output for each slice and number
            of units.
        embedding_size: of both factors of the product.
        hidden_size: of the hidden layer of the embedding.
        approximate: learn from a reward that is no sum over slices all the same; without it that is refused.

    Raises:
        ValueError, TypeError: the actions cannot be allocations, or an argument is not allowed.
    """

    features: Tensor

    def __init__(
        self,
        width: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Discrete,
        values: str = "embedding",
        embedding_size: int = 32,
        hidden_size: int = 64,
        approximate: bool = False,
    ) -> None:
        super().__init__()
        if values not in VALUES:
            raise ValueError(unknown_name("head_kwargs.values", values, VALUES))
        check_integer("head_kwargs.embedding_size", embedding_size, at_least=1)
        check_integer("head_kwargs.hidden_size", hidden_size, at_least=1)
        check_instance("head_kwargs.approximate", approximate, (bool,))
        self.approximate = approximate
        self.num_slices, self.num_units = slices_and_units("factored", observation_space, action_space)
        self.most_units = self.num_units - self.num_slices + 1
        if values == "table":
            self.embedding = None
            self.state = nn.Linear(width, self.num_slices * self.most_units)
            return
        features = unit_features(self.num_units, self.most_units)
        self.register_buffer("features", features, persistent=False)
        self.embedding = nn.Sequential(
            nn.Linear(features.shape[1], hidden_size), nn.ReLU(), nn.Linear(hidden_size, embedding_size)
        )
        self.state = nn.Linear(width, self.num_slices * embedding_size)
        self.scale = 1.0 / math.sqrt(embedding_size)

    def slice_values(self, hidden: Tensor) -> Tensor:
        """What u = 1, 2, ... units are worth to each slice (batch, n_slices, most_units) of hidden (batch, width)."""
        state: Tensor = self.state(hidden)
        if self.embedding is None:
            return state.view(-1, self.num_slices, self.most_units)
        units: Tensor = self.embedding(self.features)  # (most_units, embedding_size)
        values: Tensor = (self.scale * state).view(-1, units.shape[1]) @ units.T  # (batch * n_slices, most_units)
        return values.view(-1, self.num_slices, self.most_units)

    def taken(self, hidden: Tensor, actions: Tensor) -> Tensor:
        """See `ActionHead`."""
        if self.embedding is not None:
            return self._at(self.slice_values(hidden), actions)
        # Of a table only the rows of the units that were taken are read and differentiated.
        first = torch.arange(0, self.state.out_features, self.most_units, device=actions.device)
        places = self.units_of(actions) - 1 + first  # (batch, n_slices)
        rows = functional.embedding(places, self.state.weight).sum(dim=1)  # (batch, width)
        values: Tensor = torch.linalg.vecdot(hidden, rows) + self.state.bias[places].sum(dim=1)
        return values

    def best(self, hidden: Tensor) -> Tensor:
        """See `ActionHead`."""
        return self.actions_of(best_allocations(self.slice_values(hidden), self.num_units)[0])

    def highest(self, hidden: Tensor) -> Tensor:
        """See `ActionHead`."""
        return best_allocations(self.slice_values(hidden), self.num_units)[1]

    def surplus(self, hidden: Tensor, actions: Tensor) -> Tensor:
        """See `ActionHead`; exact, and no allocation is listed."""
        values = self.slice_values(hidden)
        return log_sum_exp(values, self.num_units) - self._at(values, actions)

    def cross_entropy(self, hidden: Tensor, wanted: Tensor) -> Tensor:
        """See `ActionHead`.

        Args:
            hidden: (batch, width).
            wanted: as there; or the probability that a slice holds so many units (batch, n_slices, most_units), which
                is all that a sum over slices can tell of the probabilities of allocations.
        """
        values = self.slice_values(hidden)
        if wanted.ndim == 1:
            return (log_sum_exp(values, self.num_units) - self._at(values, wanted)).mean()
        shares = wanted if wanted.ndim == 3 else self.shares_of(wanted)
        return (log_sum_exp(values, self.num_units) - (shares * values).sum(dim=(1, 2))).mean()

    def shares_of(self, probabilities: Tensor) -> Tensor:
        """How probable it is that a slice holds so many units (batch, n_slices, most_units).

        Args:
            probabilities: of all allocations (batch, num_actions).
        """
        shares = probabilities.new_zeros(len(probabilities), self.num_slices, self.most_units)
        for n, column in enumerate(self._columns(probabilities.device)):
            shares[:, n].index_add_(1, column, probabilities)
        return shares

    def forward(self, hidden: Tensor) -> Tensor:
        """See `ActionHead`.

        Raises:
            ValueError: there are more allocations than can be listed.
        """
        number = count_allocations(self.num_units, self.num_slices)
        if number > MAX_LISTED:
            raise ValueError(
                f"values: those of all {number} allocations asked for, listed are at most {MAX_LISTED}; best, highest, "
                "taken and slice_values list none"
            )
        columns, values = self._columns(hidden.device), self.slice_values(hidden)
        total: Tensor = sum(values[:, n].index_select(1, column) for n, column in enumerate(columns))  # type: ignore[assignment]
        return total

    def _columns(self, device: torch.device) -> Tensor:
        """For each slice the place in its values of every allocation's units (n_slices, num_actions)."""
        return torch.as_tensor(allocation_table(self.num_units, self.num_slices).T - 1, device=device)

    def _at(self, values: Tensor, actions: Tensor) -> Tensor:
        """The sum (batch,) of values (batch, n_slices, most_units) at the units of actions (batch,)."""
        places = self.units_of(actions)[:, :, None] - 1
        return values.gather(2, places).sum(dim=(1, 2))

    def units_of(self, actions: Tensor) -> Tensor:
        """Allocations (batch, n_slices) [units] of actions (batch,)."""
        units = allocation_units(actions.numpy(force=True), self.num_units, self.num_slices)
        return torch.as_tensor(units, device=actions.device)

    def actions_of(self, units: Tensor) -> Tensor:
        """Actions (batch,) of allocations (batch, n_slices) [units]."""
        actions = allocation_index(units.numpy(force=True), self.num_units)
        return torch.as_tensor(actions, device=units.device)


def check_env(head: object, action_space: spaces.Space[Any], env: VecEnv | None) -> None:
    """Refuse to let a factored head learn in an environment whose rewards are no sum, or whose allocations are others.

    Args:
        head: of the agent; any other than a factored one is let in everywhere.
        action_space: of the agent.
        env: what it is to act in, if it is known; what does not say how it rewards (of another package, or with a
            reward function that has no `sums_over_slices`) is let in.

    Raises:
        ValueError: the rewards are no sum of one term per slice, and `approximate` is not given; or its allocations are
            of other units or slices, and only as many.
    """
    if not isinstance(head, FactoredHead) or env is None:
        return
    own, given = (each if isinstance(each, AllocationSpace) else None for each in (action_space, env.action_space))
    if own is not None and given is not None and repr(own) != repr(given):
        raise ValueError(f"env: its actions are {given}, the agent's are {own}")
    if head.approximate or not env.has_attr("sums_over_slices"):
        return
    if any(each is False for each in env.get_attr("sums_over_slices")):
        raise ValueError(
            "head: 'factored' given, which learns values that are a sum over slices; this reward is none (allowed is "
            "reward='utility' without uncertainty='penalty'; shaped and clip compare the sum with a threshold). "
            "head_kwargs={'approximate': True} learns it all the same, 'geometry' and 'dense' learn any reward"
        )


def unit_features(num_units: int, most_units: int) -> Tensor:
    """What the embedding sees of u = 1, ..., most_units units: float32 (most_units, 7).

    The share of all units, its square root and its logarithm, each scaled to unit variance, and a mark for each of the
    first few: where a slice has few units one more changes much.
    """
    units = np.arange(1, most_units + 1)
    scaled = scaled_shares(units[:, None] / num_units)
    marks = units[:, None] == np.arange(1, _MARKED + 1)
    return torch.tensor(np.concatenate([scaled, marks], axis=1), dtype=torch.float32)
