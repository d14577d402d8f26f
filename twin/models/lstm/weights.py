"""The weights of an LSTM as its compiled step reads them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twin.models.operations import Floats
from twin.models.parameters import Parameters, transposed


class LstmWeights(NamedTuple):
    """Weights of an LSTM with a hidden layer and a straight path (F features, H memory cells, D hidden, P outputs)."""

    recurrent: Floats  # (F + H, 4 H), gates in, forget, cell, out
    recurrent_bias: Floats  # (4 H,)
    hidden: Floats  # (H + F, D)
    hidden_bias: Floats  # (D,)
    output: Floats  # (D + F, P)
    output_bias: Floats  # (P,)


def lstm_weights(parameters: Parameters) -> LstmWeights:
    """Of an `LstmNetwork`."""
    both = [parameters["recurrent.weight_ih_l0"], parameters["recurrent.weight_hh_l0"]]
    return LstmWeights(
        recurrent=transposed(np.concatenate(both, axis=1)),
        recurrent_bias=parameters["recurrent.bias_ih_l0"] + parameters["recurrent.bias_hh_l0"],
        hidden=transposed(parameters["hidden.weight"]),
        hidden_bias=parameters["hidden.bias"],
        output=transposed(parameters["output.weight"]),
        output_bias=parameters["output.bias"],
    )
