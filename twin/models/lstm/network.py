"""The LSTM as PyTorch fits it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LstmNetwork(nn.Module):
    """Features (batch, time, F) to mixture outputs (batch, time, P)."""

    def __init__(self, memory_size: int, hidden_size: int, num_features: int, num_outputs: int) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(num_features, memory_size, batch_first=True)
        self.hidden = nn.Linear(memory_size + num_features, hidden_size)
        self.output = nn.Linear(hidden_size + num_features, num_outputs)

    def forward(self, features: Tensor) -> Tensor:
        """The outputs at every time, from what was seen until then."""
        return self._outputs(self.recurrent(features)[0], features)

    def step(self, features: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """One interval of n cells: outputs (n, P) and the memory that follows, of features (n, F) and memory (n, 2 H).

        The memory is that of `LstmSettings.step`: outputs of the LSTM, then its cells.
        """
        weights = self.recurrent.all_weights[0]
        after = torch.lstm_cell(features, memory.chunk(2, dim=-1), *weights)
        return self._outputs(after[0], features), torch.cat(after, dim=-1)

    def _outputs(self, remembered: Tensor, features: Tensor) -> Tensor:
        hidden = torch.relu(self.hidden(torch.cat([remembered, features], dim=-1)))
        outputs: Tensor = self.output(torch.cat([hidden, features], dim=-1))
        return outputs
