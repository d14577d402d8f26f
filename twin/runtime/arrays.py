"""The arrays that the kernel reads and writes: how variables are scaled, and the weights of the networks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
WordArray = npt.NDArray[np.uint64]


class Table(NamedTuple):
    """How V measured variables (arrivals of each slice, then the performance) are scaled and bounded."""

    transform: IntArray  # (V,)
    seen_center: Doubles  # (V,) mean over the history, on the transformed scale: what features are measured from
    seen_spread: Doubles  # (V,) standard deviation over the history, on the transformed scale
    center: Doubles  # (V,) what predictions are measured from: as above, until a calibration moves them
    spread: Doubles  # (V,)
    lower: Doubles  # (V,) least value
    upper: Doubles  # (V,) largest value
    low: Doubles  # (V,) standardised value below which none is drawn
    high: Doubles  # (V,) and above which
    resolution: Doubles  # (V,)
    whole: IntArray  # (V,) 1 where values are whole numbers


class Lstm(NamedTuple):
    """Weights of an LSTM with a hidden layer and a straight path (F features, H memory cells, D hidden, P outputs)."""

    recurrent: Floats  # (F + H, 4 H), gates in, forget, cell, out
    recurrent_bias: Floats  # (4 H,)
    hidden: Floats  # (H + F, D)
    hidden_bias: Floats  # (D,)
    output: Floats  # (D + F, P)
    output_bias: Floats  # (P,)


class Transformer(NamedTuple):
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


class Ensemble(NamedTuple):
    """Weights of M dense networks with two hidden layers of D, and a straight path from the F features."""

    first: Floats  # (M, F, D)
    first_bias: Floats  # (M, D)
    second: Floats  # (M, D, D)
    second_bias: Floats  # (M, D)
    output: Floats  # (M, D + F, P)
    output_bias: Floats  # (M, P)
