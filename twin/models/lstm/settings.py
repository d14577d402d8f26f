"""`LstmSettings`: a transition with an LSTM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from twin.models.lstm.step import lstm_step
from twin.models.lstm.weights import LstmWeights, lstm_weights
from twin.models.parameters import Parameters, Shapes, linear_shapes
from twin.models.settings import TransitionSettings

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class LstmSettings(TransitionSettings):
    """An LSTM with a hidden layer above it.

    Args:
        memory_size: memory cells of each member.
        hidden_size: of the layer between memory and outputs.
        members, components, learning_rate, weight_decay: see `TransitionSettings`.
    """

    memory_size: int = 64
    hidden_size: int = 64
    name: ClassVar[str] = "lstm"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_sizes("memory_size", "hidden_size")

    def make_network(self, num_features: int, num_outputs: int) -> nn.Module:
        """See `TransitionSettings`."""
        from twin.models.lstm.network import LstmNetwork

        return LstmNetwork(self.memory_size, self.hidden_size, num_features, num_outputs)

    def parameter_shapes(self, num_features: int, num_outputs: int) -> Shapes:
        """See `TransitionSettings`."""
        size, hidden = self.memory_size, self.hidden_size
        return {
            "recurrent.weight_ih_l0": (4 * size, num_features),
            "recurrent.weight_hh_l0": (4 * size, size),
            "recurrent.bias_ih_l0": (4 * size,),
            "recurrent.bias_hh_l0": (4 * size,),
            **linear_shapes("hidden", size + num_features, hidden),
            **linear_shapes("output", hidden + num_features, num_outputs),
        }

    def step_arrays(self, parameters: Parameters) -> LstmWeights:
        """See `TransitionSettings`."""
        return lstm_weights(parameters)

    def state_size(self, num_features: int) -> int:  # noqa: ARG002  # every kind is asked alike
        """Outputs and cells of the LSTM."""
        return 2 * self.memory_size

    def scratch_size(self, num_features: int) -> int:  # noqa: ARG002
        """Four gates and the hidden layer."""
        return 4 * self.memory_size + self.hidden_size

    step = staticmethod(lstm_step)
