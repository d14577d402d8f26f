"""The performance g of equation (9): dense networks that predict what the reward is made of (PyTorch)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from twin.models.settings import PerformanceSettings


class EnsembleNetwork(nn.Module):
    """Features (batch, F), or (members, batch, F), to mixture outputs (members, batch, P)."""

    def __init__(self, settings: PerformanceSettings, num_features: int, num_outputs: int) -> None:
        super().__init__()
        members, size = settings.members, settings.hidden_size
        self.first, self.first_bias = _layer(members, num_features, size)
        self.second, self.second_bias = _layer(members, size, size)
        self.output, self.output_bias = _layer(members, size + num_features, num_outputs)

    def forward(self, features: Tensor) -> Tensor:
        """What every member predicts."""
        seen = features.expand(len(self.first), *features.shape) if features.dim() == 2 else features
        first = torch.relu(torch.baddbmm(self.first_bias, seen, self.first))
        second = torch.relu(torch.baddbmm(self.second_bias, first, self.second))
        return torch.baddbmm(self.output_bias, torch.cat([second, seen], dim=-1), self.output)


def _layer(members: int, inputs: int, outputs: int) -> tuple[nn.Parameter, nn.Parameter]:
    """Weights (members, inputs, outputs) and biases (members, 1, outputs), drawn as PyTorch's linear layers are."""
    bound = inputs**-0.5
    weight = torch.empty(members, inputs, outputs).uniform_(-bound, bound)
    return nn.Parameter(weight), nn.Parameter(torch.empty(members, 1, outputs).uniform_(-bound, bound))
