"""The policy of DQN and DDQN: a Q-network, its target, and their optimizer."""

from __future__ import annotations

from typing import Any

import torch
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
        head: "dense" (one output an action, the paper's), "geometry" (`agents.dqn.heads.GeometryHead`) or "factored"
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
