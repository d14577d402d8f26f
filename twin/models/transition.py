"""The transition f of equation (9): networks that predict the next arrivals from all that was seen (PyTorch)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from twin.models.settings import TransitionSettings


class TransitionEnsemble(nn.Module):
    """Members that are fitted apart: features (batch, time, F) to mixture outputs (batch, time, members, P)."""

    def __init__(self, settings: TransitionSettings, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(
            [settings.make_network(num_features, num_outputs) for _ in range(settings.members)]
        )

    def forward(self, features: Tensor) -> Tensor:
        """What every member predicts."""
        return torch.stack([member(features) for member in self.members], dim=-2)
