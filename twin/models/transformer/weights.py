"""The weights of a transformer as its compiled step reads them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twin.models.operations import Floats, IntArray
from twin.models.parameters import Parameters, transposed


class TransformerWeights(NamedTuple):
    """Weights of a causal transformer (F features, L layers of width W, C intervals of context, P outputs)."""

    embed: Floats  # (F, W)
    embed_bias: Floats  # (W,)
    attention: Floats  # (L, W, 3 W) query, key, value
    attention_bias: Floats  # (L, 3 W)
    project: Floats  # (L, W, W)
    project_bias: Floats  # (L, W)
    expand: Floats  # (L, W, 2 W)
    expand_bias: Floats  # (L, 2 W)
    contract: Floats  # (L, 2 W, W)
    contract_bias: Floats  # (L, W)
    norm: Floats  # (2 L + 1, 2, W) gain and offset before attention and before the dense part, and at the end
    slope: Floats  # (heads,) by which a key's weight falls with its age (ALiBi)
    context: IntArray  # (1,) C
    output: Floats  # (W + F, P)
    output_bias: Floats  # (P,)


def transformer_weights(parameters: Parameters, layers: int, context: int) -> TransformerWeights:
    """Of a `TransformerNetwork`."""

    def weights(part: str) -> Floats:
        return np.stack([transposed(parameters[f"{part}.{layer}.weight"]) for layer in range(layers)])

    def biases(part: str) -> Floats:
        return np.stack([parameters[f"{part}.{layer}.bias"] for layer in range(layers)])

    norms = range(2 * layers + 1)
    return TransformerWeights(
        embed=transposed(parameters["embed.weight"]),
        embed_bias=parameters["embed.bias"],
        attention=weights("attention"),
        attention_bias=biases("attention"),
        project=weights("project"),
        project_bias=biases("project"),
        expand=weights("expand"),
        expand_bias=biases("expand"),
        contract=weights("contract"),
        contract_bias=biases("contract"),
        norm=np.stack([np.stack([parameters[f"norm.{i}.weight"], parameters[f"norm.{i}.bias"]]) for i in norms]),
        slope=parameters["slope"],
        context=np.array([context]),
        output=transposed(parameters["output.weight"]),
        output_bias=parameters["output.bias"],
    )
