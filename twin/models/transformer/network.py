"""The transformer as PyTorch fits it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class TransformerNetwork(nn.Module):
    """Features (batch, time, F) to mixture outputs (batch, time, P)."""

    def __init__(self, width: int, layers: int, heads: int, context: int, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.layers, self.heads, self.context = layers, heads, context
        self.embed = nn.Linear(num_features, width)
        self.attention = nn.ModuleList([nn.Linear(width, 3 * width) for _ in range(layers)])
        self.project = nn.ModuleList([nn.Linear(width, width) for _ in range(layers)])
        self.expand = nn.ModuleList([nn.Linear(width, 2 * width) for _ in range(layers)])
        self.contract = nn.ModuleList([nn.Linear(2 * width, width) for _ in range(layers)])
        self.norm = nn.ModuleList([nn.LayerNorm(width) for _ in range(2 * layers + 1)])
        self.output = nn.Linear(width + num_features, num_outputs)
        slopes = 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads)
        self.register_buffer("slope", slopes)

    def forward(self, features: Tensor) -> Tensor:
        """The outputs at every time, from what was seen in the context until then."""
        heads = self.heads
        time = torch.arange(features.shape[1], device=features.device)
        back = time[:, None] - time[None, :]  # (time, time) how old each key is
        bias = -self.get_buffer("slope")[:, None, None] * back  # (heads, time, time)
        bias = bias.masked_fill((back < 0) | (back >= self.context), -math.inf)
        stream = self.embed(features)
        for layer in range(self.layers):
            parts = self.attention[layer](self.norm[2 * layer](stream)).unflatten(-1, (3, heads, -1))
            query, key, value = (part.transpose(1, 2) for part in parts.unbind(dim=2))  # (batch, heads, time, size)
            mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
            stream = stream + self.project[layer](mixed.transpose(1, 2).flatten(-2))
            dense = torch.relu(self.expand[layer](self.norm[2 * layer + 1](stream)))
            stream = stream + self.contract[layer](dense)
        outputs: Tensor = self.output(torch.cat([self.norm[-1](stream), features], dim=-1))
        return outputs
