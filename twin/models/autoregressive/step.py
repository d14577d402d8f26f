"""One decision interval of the autoregression, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from slicing_gym._jit import njit
from twin.models.operations import Floats, IntArray

COMPILED_WITH = "810493e920f0"
"""Renewed when what these functions call changes: numba's cache looks at this file alone (a test gives the value)."""


class AutoregressiveWeights(NamedTuple):
    """Of each slice, in standard deviations of the history."""

    center: Floats  # (S,)
    persistence: Floats  # (S,) share of the last arrivals
    log_scale: Floats  # (S,)


@njit
def autoregressive_step(
    weights: AutoregressiveWeights,
    member: int,
    rows: IntArray,
    features: Floats,
    memory: Floats,  # noqa: ARG001  # every step is called alike
    age: IntArray,  # noqa: ARG001
    raw: Floats,
    scratch: Floats,  # noqa: ARG001
) -> None:
    """As `lstm_step`; the first features are the last arrivals, and nothing is remembered."""
    number = len(weights.center)
    for row in rows:
        out = raw[row, member]
        out[0] = np.float32(0.0)
        for n in range(number):
            out[1 + n] = weights.center[n] + weights.persistence[n] * features[row, n]
            out[1 + number + n] = weights.log_scale[n]
