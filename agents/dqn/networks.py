"""Q-networks over allocations: layers that see the state, and a head that says how allocations are valued."""

from __future__ import annotations

from abc import abstractmethod
from itertools import islice
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.dqn.policies import QNetwork
from torch import Tensor, nn

from agents.dqn.factored import FactoredHead
from agents.dqn.heads import ActionHead, ListedHead, check_head, is_listed, make_head

_STEADY = (nn.Linear, nn.Sequential, nn.Flatten, nn.ReLU, nn.Tanh, FlattenExtractor)
"""Layers that do in training what they do elsewhere; those of this package do, too."""


def _is_steady(module: nn.Module) -> bool:
    kind = type(module)
    return kind in _STEADY or kind.__module__.startswith("agents.")


class AllocationNetwork(QNetwork):
    """What agents ask of the networks that value their actions, whatever the head is.

    Args:
        observation_space, action_space: the agent's.
        head: name of the head, see `agents.dqn.heads`.
        arguments: of Stable-Baselines3's `QNetwork`.

    Raises:
        ValueError: there is no such head, or the action space is too large for it.
    """

    def __init__(
        self, *, observation_space: spaces.Space[Any], action_space: spaces.Discrete, head: str, **arguments: Any
    ) -> None:
        check_head(head, action_space)
        # Stable-Baselines3 begins with an output for each action, which a head that lists none can do without.
        listed = action_space if is_listed(head) else spaces.Discrete(1)
        super().__init__(observation_space=observation_space, action_space=listed, **arguments)
        self.action_space = action_space
        vector = isinstance(observation_space, spaces.Box) and len(observation_space.shape) == 1
        self._is_steady: bool | None = None  # known once all layers are there
        self._flat = type(self.features_extractor) is FlattenExtractor and vector

    def features(self, observations: Tensor) -> Tensor:
        """What the first layer sees (batch, features_dim) of observations (batch, *shape); flat ones are it."""
        if self._flat:
            return observations.float()
        features: Tensor = self.extract_features(observations, self.features_extractor)
        return features

    def set_training_mode(self, mode: bool) -> None:
        """As in Stable-Baselines3, but nothing is done where no layer behaves otherwise in training.

        Each decision and each update sets it, and to tell every layer takes as long as a layer does.
        """
        if self._is_steady is None:
            self._is_steady = all(map(_is_steady, self.modules()))
        if not self._is_steady:
            super().set_training_mode(mode)

    @property
    @abstractmethod
    def head(self) -> ActionHead:
        """What distinguishes actions."""

    @abstractmethod
    def before_head(self, observations: Tensor) -> Tensor:
        """What the head sees (batch, width) of observations (batch, n_slices)."""

    def taken(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Q (batch,) of one action (batch,) in each observation (batch, n_slices); no other is computed."""
        return self.head.taken(self.before_head(observations), actions)

    def best(self, observations: Tensor) -> Tensor:
        """The actions (batch,) of the highest Q for observations (batch, n_slices)."""
        head = self.head
        if isinstance(head, ListedHead):
            best: Tensor = self(observations).argmax(dim=1)
            return best
        return head.best(self.before_head(observations))

    def highest(self, observations: Tensor) -> Tensor:
        """The highest Q (batch,) for observations (batch, n_slices)."""
        return self.head.highest(self.before_head(observations))

    @property
    def is_factored(self) -> bool:
        """Whether its values are sums of one term per slice."""
        return isinstance(self.head, FactoredHead)

    def slice_values(self, observations: Tensor) -> Tensor:
        """What each number of units is worth to each slice (batch, n_slices, units), with a factored head.

        Raises:
            TypeError: the head is another.
        """
        if not isinstance(self.head, FactoredHead):
            raise TypeError(f"head: {type(self.head).__name__} values allocations as a whole, allowed is 'factored'")
        return self.head.slice_values(self.before_head(observations))

    def _predict(self, observation: Any, deterministic: bool = True) -> Tensor:
        del deterministic
        return self.best(observation)


class SlicingQNetwork(AllocationNetwork):
    """Q(s, .): hidden layers and a head.

    With the dense head the layers and their names are those of Stable-Baselines3's `QNetwork`, and the same seed draws
    the same weights.

    Args:
        head, head_kwargs: name and arguments of the head, see `agents.dqn.heads`.
        arguments: of `AllocationNetwork`.
    """

    def __init__(self, *, head: str = "dense", head_kwargs: dict[str, Any] | None = None, **arguments: Any) -> None:
        super().__init__(head=head, **arguments)
        last = self.q_net[-1]
        assert isinstance(last, nn.Linear)
        made = make_head(head, last.in_features, self.observation_space, self.action_space, head_kwargs)
        if isinstance(made, nn.Linear):
            made.load_state_dict(last.state_dict())
        self.q_net[-1] = made

    @property
    def head(self) -> ActionHead:
        """The last layer."""
        head: ActionHead = self.q_net[-1]  # type: ignore[assignment]
        return head

    def before_head(self, observations: Tensor) -> Tensor:
        """See `AllocationNetwork`."""
        hidden = self.features(observations)
        for layer in islice(self.q_net, len(self.q_net) - 1):  # slicing a Sequential makes another one each time
            hidden = layer(hidden)
        return hidden


def clip_gradients(parameters: list[torch.nn.Parameter], largest: float) -> None:
    """`clip_grad_norm_`, which touches the gradients only where they are too long."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norms = torch._foreach_norm(gradients)  # as `get_total_norm`, without a look at where each of them is
    norm = torch.linalg.vector_norm(torch.stack(norms))
    if norm > largest:
        torch.nn.utils.clip_grads_with_norm_(parameters, largest, norm)
