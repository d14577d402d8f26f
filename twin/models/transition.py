"""The transition f of equation (9): networks that predict the next arrivals from all that was seen (PyTorch)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from twin.models.settings import LstmSettings, TransformerSettings, TransitionSettings


class LstmNetwork(nn.Module):
    """Features (batch, time, F) to mixture outputs (batch, time, P)."""

    def __init__(self, settings: LstmSettings, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(num_features, settings.memory_size, batch_first=True)
        self.hidden = nn.Linear(settings.memory_size + num_features, settings.hidden_size)
        self.output = nn.Linear(settings.hidden_size + num_features, num_outputs)

    def forward(self, features: Tensor) -> Tensor:
        """The outputs at every time, from what was seen until then."""
        remembered, _ = self.recurrent(features)
        hidden = torch.relu(self.hidden(torch.cat([remembered, features], dim=-1)))
        outputs: Tensor = self.output(torch.cat([hidden, features], dim=-1))
        return outputs


class TransformerNetwork(nn.Module):
    """Features (batch, time, F) to mixture outputs (batch, time, P)."""

    def __init__(self, settings: TransformerSettings, num_features: int, num_outputs: int) -> None:
        super().__init__()
        width, layers = settings.width, range(settings.layers)
        self.settings = settings
        self.embed = nn.Linear(num_features, width)
        self.attention = nn.ModuleList([nn.Linear(width, 3 * width) for _ in layers])
        self.project = nn.ModuleList([nn.Linear(width, width) for _ in layers])
        self.expand = nn.ModuleList([nn.Linear(width, 2 * width) for _ in layers])
        self.contract = nn.ModuleList([nn.Linear(2 * width, width) for _ in layers])
        self.norm = nn.ModuleList([nn.LayerNorm(width) for _ in range(2 * settings.layers + 1)])
        self.output = nn.Linear(width + num_features, num_outputs)
        slopes = 2.0 ** (-8.0 * torch.arange(1, settings.heads + 1) / settings.heads)
        self.register_buffer("slope", slopes)

    def forward(self, features: Tensor) -> Tensor:
        """The outputs at every time, from what was seen in the context until then."""
        heads = self.settings.heads
        time = torch.arange(features.shape[1])
        back = time[:, None] - time[None, :]  # (time, time) how old each key is
        bias = -self.get_buffer("slope")[:, None, None] * back  # (heads, time, time)
        bias = bias.masked_fill((back < 0) | (back >= self.settings.context), -math.inf)
        stream = self.embed(features)
        for layer in range(self.settings.layers):
            parts = self.attention[layer](self.norm[2 * layer](stream)).unflatten(-1, (3, heads, -1))
            query, key, value = (part.transpose(1, 2) for part in parts.unbind(dim=2))  # (batch, heads, time, size)
            mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
            stream = stream + self.project[layer](mixed.transpose(1, 2).flatten(-2))
            dense = torch.relu(self.expand[layer](self.norm[2 * layer + 1](stream)))
            stream = stream + self.contract[layer](dense)
        outputs: Tensor = self.output(torch.cat([self.norm[-1](stream), features], dim=-1))
        return outputs


TransitionNetwork = LstmNetwork | TransformerNetwork


class TransitionEnsemble(nn.Module):
    """Members that are fitted apart: features (batch, time, F) to mixture outputs (batch, time, members, P)."""

    def __init__(self, settings: TransitionSettings, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(
            [_make_member(settings, num_features, num_outputs) for _ in range(settings.members)]
        )

    def forward(self, features: Tensor) -> Tensor:
        """What every member says."""
        return torch.stack([member(features) for member in self.members], dim=-2)


def _make_member(settings: TransitionSettings, num_features: int, num_outputs: int) -> TransitionNetwork:
    """A network with fresh weights, drawn from torch's generator."""
    if isinstance(settings, LstmSettings):
        return LstmNetwork(settings, num_features, num_outputs)
    return TransformerNetwork(settings, num_features, num_outputs)
