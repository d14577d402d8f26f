"""The policy of DQN and DDQN: a Q-network, its target, and their optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.dqn.policies import DQNPolicy

from agents.dqn.networks import SlicingQNetwork

PAPER_LAYERS = (256, 256, 128, 128)
"""Hidden layers of the paper's network (section V-A)."""


class SlicingPolicy(DQNPolicy):
    """Q-network and target network over allocations.

    Args:
        observation_space, action_space, lr_schedule: given by the algorithm.
        net_arch: widths of the hidden layers; by default the paper's.
        head: "dense" (one output per action, the paper's), "geometry" (`agents.dqn.heads.GeometryHead`) or "factored"
            (`agents.dqn.factored.FactoredHead`).
        head_kwargs: arguments of the head.
        optimizer_class: by default Adam.
        optimizer_kwargs: by default `{"fused": True}`, one pass over the weights, for Adam and AdamW.
        arguments: of Stable-Baselines3's `DQNPolicy`.
    """

    q_net: SlicingQNetwork
    q_net_target: SlicingQNetwork

    def __init__(
        self,
        observation_space: Any,
        action_space: Any,
        lr_schedule: Schedule,
        net_arch: list[int] | None = None,
        *,
        head: str = "dense",
        head_kwargs: dict[str, Any] | None = None,
        optimizer_class: type[torch.optim.Optimizer] = torch.optim.Adam,
        optimizer_kwargs: dict[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        self.head = head
        self.head_kwargs = dict(head_kwargs or {})
        if optimizer_kwargs is None and optimizer_class in (torch.optim.Adam, torch.optim.AdamW):
            optimizer_kwargs = {"fused": True}
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            net_arch=list(PAPER_LAYERS) if net_arch is None else list(net_arch),
            optimizer_class=optimizer_class,
            optimizer_kwargs=optimizer_kwargs,
            **arguments,
        )

    def make_q_net(self) -> SlicingQNetwork:
        """A fresh Q-network."""
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        return SlicingQNetwork(head=self.head, head_kwargs=self.head_kwargs, **arguments).to(self.device)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {**super()._get_constructor_parameters(), "head": self.head, "head_kwargs": self.head_kwargs}


def check_policy(policy: str | type[BasePolicy], aliases: Mapping[str, type[BasePolicy]], env: object) -> None:
    """Refuse what is no policy over allocations, and observations that those with a name cannot see.

    Args:
        policy: that is asked for.
        aliases: the agent's policies by name.
        env: that it is for; what has no spaces yet (an id) is let in.

    Raises:
        TypeError, ValueError: the message says what to do.
    """
    if not isinstance(policy, str):
        if not issubclass(policy, SlicingPolicy):
            raise TypeError(f"policy: {policy!r} given, allowed are 'MlpPolicy' and subclasses of SlicingPolicy")
        return
    space = getattr(env, "single_observation_space", getattr(env, "observation_space", None))
    if policy not in aliases or isinstance(space, spaces.Dict):
        raise ValueError(
            f"policy: {policy!r} given{'' if space is None else f' for {space}'}, allowed are "
            f"{', '.join(map(repr, aliases))} and subclasses of SlicingPolicy; gymnasium.wrappers.FlattenObservation "
            "makes arrays of dicts, policy_kwargs={'features_extractor_class': NatureCNN} sees images as CnnPolicy does"
        )
