"""Q-networks of DQN and DDQN: the layers before the head are the same, the head is dense or knows the geometry."""

from __future__ import annotations

from typing import Any

from stable_baselines3.dqn.policies import QNetwork
from torch import Tensor, nn

from agents.dqn.heads import ActionHead, make_head


class SlicingQNetwork(QNetwork):
    """Q(s, .): hidden layers and a head.

    With the dense head the layers and their names are those of Stable-Baselines3's `QNetwork`, and the same seed draws
    the same weights.

    Args:
        head: "dense" or "geometry", see `agents.dqn.heads`.
        head_kwargs: arguments of the head.
        arguments: of Stable-Baselines3's `QNetwork`.
    """

    def __init__(self, *, head: str = "dense", head_kwargs: dict[str, Any] | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
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
        """What the head sees (batch, width) of observations (batch, n_slices)."""
        hidden: Tensor = self.q_net[:-1](self.extract_features(observations, self.features_extractor))
        return hidden

    def taken(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Q (batch,) of one action (batch,) in each observation (batch, n_slices); no other is computed."""
        return self.head.taken(self.before_head(observations), actions)
