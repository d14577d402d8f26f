"""`TransformerSettings`: a transition with a causal transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from twin.models.parameters import Parameters, Shapes, linear_shapes
from twin.models.settings import TransitionSettings
from twin.models.transformer.step import transformer_step
from twin.models.transformer.weights import TransformerWeights, transformer_weights

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class TransformerSettings(TransitionSettings):
    """A small causal transformer (pre-norm; keys lose weight with age, as in ALiBi, Press et al. 2022).

    Args:
        width: of the stream.
        layers: of attention and dense part.
        heads: of attention; they divide the width.
        context: intervals that attention looks back, the present one among them.
        members, components, learning_rate, weight_decay: see `TransitionSettings`.
    """

    width: int = 48
    layers: int = 2
    heads: int = 4
    context: int = 32
    name: ClassVar[str] = "transformer"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_sizes("width", "layers", "heads", "context")
        if self.width % self.heads:
            raise ValueError(f"transition.heads: {self.heads} given, allowed are divisors of width = {self.width}")

    def make_network(self, num_features: int, num_outputs: int) -> nn.Module:
        """See `TransitionSettings`."""
        from twin.models.transformer.network import TransformerNetwork

        return TransformerNetwork(self.width, self.layers, self.heads, self.context, num_features, num_outputs)

    def parameter_shapes(self, num_features: int, num_outputs: int) -> Shapes:
        """See `TransitionSettings`."""
        width = self.width
        shapes: Shapes = {"slope": (self.heads,), **linear_shapes("embed", num_features, width)}
        for layer in range(self.layers):
            shapes |= linear_shapes(f"attention.{layer}", width, 3 * width)
            shapes |= linear_shapes(f"project.{layer}", width, width)
            shapes |= linear_shapes(f"expand.{layer}", width, 2 * width)
            shapes |= linear_shapes(f"contract.{layer}", 2 * width, width)
        for norm in range(2 * self.layers + 1):
            shapes |= {f"norm.{norm}.weight": (width,), f"norm.{norm}.bias": (width,)}
        return {**shapes, **linear_shapes("output", width + num_features, num_outputs)}

    def step_arrays(self, parameters: Parameters) -> TransformerWeights:
        """See `TransitionSettings`."""
        return transformer_weights(parameters, self.layers, self.context)

    def state_size(self, num_features: int) -> int:  # noqa: ARG002  # every kind is asked alike
        """Keys and values of the context, in each layer."""
        return self.layers * self.context * 2 * self.width

    def scratch_size(self, num_features: int) -> int:  # noqa: ARG002
        """The stream, its norm, the mixed values, three times the width for a layer, and the scores."""
        return 6 * self.width + self.context

    step = staticmethod(transformer_step)
