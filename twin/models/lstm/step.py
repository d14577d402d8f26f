"""One decision interval of the LSTM, compiled."""

from __future__ import annotations

import math

import numpy as np

from slicing_gym._jit import njit
from twin.models.lstm.weights import LstmWeights
from twin.models.operations import Floats, IntArray, add_product, copy, sigmoid

COMPILED_WITH = "810493e920f0"
"""Renewed when what these functions call changes: numba's cache looks at this file alone (a test gives the value)."""


@njit
def lstm_step(
    weights: LstmWeights,
    member: int,
    rows: IntArray,
    features: Floats,
    memory: Floats,
    age: IntArray,  # noqa: ARG001  # every step is called alike
    raw: Floats,
    scratch: Floats,
) -> None:
    """One member takes in the features (B, F), moves its memory on, and writes its outputs.

    Args:
        weights: of the member.
        member: its number m.
        rows: numbers of the rows to work on.
        features: (B, F).
        memory: (B, M, 2 H), of each member its output and its cells.
        age: intervals taken in so far (B,); the caller counts.
        raw: (B, M, P).
        scratch: working memory.
    """
    size = len(weights.recurrent_bias) // 4
    gates, hidden = scratch[: 4 * size], scratch[4 * size : 4 * size + len(weights.hidden_bias)]
    for row in rows:
        seen, output, cell = features[row], memory[row, member, :size], memory[row, member, size:]
        copy(weights.recurrent_bias, gates)
        add_product(seen, weights.recurrent, 0, gates)
        add_product(output, weights.recurrent, len(seen), gates)
        for j in range(size):
            kept = sigmoid(gates[size + j]) * cell[j]
            cell[j] = kept + sigmoid(gates[j]) * np.float32(math.tanh(gates[2 * size + j]))
            output[j] = sigmoid(gates[3 * size + j]) * np.float32(math.tanh(cell[j]))
        copy(weights.hidden_bias, hidden)
        add_product(output, weights.hidden, 0, hidden)
        add_product(seen, weights.hidden, size, hidden)
        for j in range(len(hidden)):
            hidden[j] = max(hidden[j], np.float32(0.0))
        copy(weights.output_bias, raw[row, member])
        add_product(hidden, weights.output, 0, raw[row, member])
        add_product(seen, weights.output, len(hidden), raw[row, member])
