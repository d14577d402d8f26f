"""The last layer of a Q-network over allocations, by name; and the two heads that list all of them."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn import functional

from agents.conservative import DenseSurplus
from agents.dqn.factored import FactoredHead
from agents.dqn.units import scaled_shares, slices_and_units
from agents.products import dense_product
from slicing_gym.allocation import MAX_LISTED, allocation_table
from slicing_gym.errors import check_integer, unknown_name


class ActionHead(Protocol):
    """Values of actions from what the hidden layers make of a state; hidden is (batch, width) everywhere."""

    def __call__(self, hidden: Tensor) -> Tensor:
        """Values (batch, num_actions) of all actions."""

    def taken(self, hidden: Tensor, actions: Tensor) -> Tensor:
        """Values (batch,) of one action (batch,) in each row."""

    def best(self, hidden: Tensor) -> Tensor:
        """The actions (batch,) of the highest values; of equal ones the first."""

    def highest(self, hidden: Tensor) -> Tensor:
        """The highest values (batch,)."""

    def surplus(self, hidden: Tensor, actions: Tensor) -> Tensor:
        """The log-sum-exp of the values of all actions, less the value of one (batch,)."""

    def cross_entropy(self, hidden: Tensor, wanted: Tensor) -> Tensor:
        """Mean of -sum_a p(a) log softmax(values)_a ().

        Args:
            hidden: (batch, width).
            wanted: actions (batch,), or probabilities p of all of them (batch, num_actions).
        """


class ListedHead(nn.Module):
    """A head that computes the values of all actions."""

    def best(self, hidden: Tensor) -> Tensor:
        """See `ActionHead`."""
        best: Tensor = self(hidden).argmax(dim=1)
        return best

    def highest(self, hidden: Tensor) -> Tensor:
        """See `ActionHead`."""
        highest: Tensor = self(hidden).amax(dim=1)
        return highest

    def surplus(self, hidden: Tensor, actions: Tensor) -> Tensor:
        """See `ActionHead`."""
        values = self(hidden)
        surplus: Tensor = torch.logsumexp(values, dim=1) - values.gather(1, actions[:, None])[:, 0]
        return surplus

    def cross_entropy(self, hidden: Tensor, wanted: Tensor) -> Tensor:
        """See `ActionHead`."""
        return functional.cross_entropy(self(hidden), wanted)


class DenseHead(nn.Linear, ListedHead):
    """One output per action, as in the paper: what is learned of one allocation says nothing of its neighbours.

    Args:
        width: of the layer before.
        observation_space: not used.
        action_space: Discrete.
    """

    def __init__(self, width: int, observation_space: spaces.Space[Any], action_space: spaces.Discrete) -> None:
        del observation_space
        super().__init__(width, int(action_space.n))

    def forward(self, hidden: Tensor) -> Tensor:
        """See `ActionHead`."""
        return dense_product(hidden, self.weight, self.bias)

    def taken(self, hidden: Tensor, actions: Tensor) -> Tensor:
        """See `ActionHead`; only the rows of the weights that belong to `actions` are read and differentiated."""
        rows = functional.embedding(actions, self.weight)  # (batch, width)
        values: Tensor = torch.linalg.vecdot(hidden, rows) + self.bias[actions]
        return values

    def surplus(self, hidden: Tensor, actions: Tensor) -> Tensor:
        """See `ActionHead`."""
        surplus: Tensor = DenseSurplus.apply(hidden, self.weight, self.bias, actions)  # type: ignore[no-untyped-call]
        return surplus


class GeometryHead(ListedHead):
    """The value of an allocation as the product of features of the state and an embedding of its unit shares.

    Allocations that give nearly the same have nearly the same embedding, so that what is learned of one tells about its
    neighbours; the number of weights does not depend on the number of actions. Not in the paper.

    Args:
        width: of the layer before.
        observation_space: Box (n_slices,), gives the number of slices.
        action_space: Discrete, as many actions as there are allocations of some number of units to the slices.
        embedding_size: of both factors of the product.
        hidden_size: of the two hidden layers of the embedding.

    Raises:
        ValueError: the actions cannot be allocations.
    """

    def __init__(
        self,
        width: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Discrete,
        embedding_size: int = 64,
        hidden_size: int = 64,
    ) -> None:
        super().__init__()
        check_integer("head_kwargs.embedding_size", embedding_size, at_least=1)
        check_integer("head_kwargs.hidden_size", hidden_size, at_least=1)
        shares = share_features(observation_space, action_space)
        self.register_buffer("shares", shares, persistent=False)
        self.shares: Tensor
        self.embedding = nn.Sequential(
            nn.Linear(shares.shape[1], hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, embedding_size),
        )
        self.state = nn.Linear(width, embedding_size)
        self.scale = 1.0 / math.sqrt(embedding_size)

    def forward(self, hidden: Tensor) -> Tensor:
        """See `ActionHead`."""
        every: Tensor = self.embedding(self.shares)  # (num_actions, embedding_size)
        values: Tensor = self.scale * self.state(hidden) @ every.T
        return values

    def taken(self, hidden: Tensor, actions: Tensor) -> Tensor:
        """See `ActionHead`."""
        own: Tensor = self.embedding(self.shares[actions])  # (batch, embedding_size)
        values: Tensor = self.scale * torch.linalg.vecdot(self.state(hidden), own)
        return values


Head = DenseHead | GeometryHead | FactoredHead

HEADS: dict[str, type[DenseHead] | type[GeometryHead] | type[FactoredHead]] = {
    "dense": DenseHead,
    "geometry": GeometryHead,
    "factored": FactoredHead,
}
"""Heads by name."""


def is_listed(name: str) -> bool:
    """Whether the head of that name computes the values of all actions."""
    return issubclass(HEADS[name], ListedHead)


def check_head(name: str, action_space: spaces.Discrete) -> None:
    """Refuse a head that there is not, or that cannot list so many actions, before anything is made.

    Args:
        name: of the head, as `policy_kwargs` has it.
        action_space: whose actions it is to value.

    Raises:
        ValueError: the message names what is allowed.
    """
    if name not in HEADS:
        raise ValueError(unknown_name("head", name, HEADS))
    if is_listed(name) and action_space.n > MAX_LISTED:
        raise ValueError(
            f"head: {name!r} given, which lists all of the {action_space.n} actions; allowed are {MAX_LISTED}. "
            "Take 'factored', which lists none, for rewards that are the utility"
        )


def make_head(
    name: str,
    width: int,
    observation_space: spaces.Space[Any],
    action_space: spaces.Discrete,
    arguments: dict[str, Any] | None = None,
) -> Head:
    """The head of that name.

    Raises:
        ValueError: there is no such head, or it cannot serve these spaces.
        TypeError: it has no such arguments.
    """
    check_head(name, action_space)
    return HEADS[name](width, observation_space, action_space, **(arguments or {}))


def share_features(observation_space: spaces.Space[Any], action_space: spaces.Discrete) -> Tensor:
    """What the geometry head sees of each allocation: float32 (num_actions, 3 n_slices).

    Of every slice the share of the units, its square root and its logarithm, each scaled to about unit variance: where
    a slice has few units one more changes much, and the last two show it.

    Raises:
        ValueError: the actions are not as many as there are allocations of some number of units.
    """
    slices, units = slices_and_units("geometry", observation_space, action_space)
    return torch.tensor(scaled_shares(allocation_table(units, slices) / units), dtype=torch.float32)
