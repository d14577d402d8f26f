"""What the compiled steps of the networks share: array types, bounds of the outputs, and sums that allocate nothing."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from slicing_gym._jit import njit

COMPILED_WITH = "bd01ad497188"
"""Renewed when what these functions call changes: numba's cache looks at this file alone (a test gives the value)."""

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
WordArray = npt.NDArray[np.uint64]

SMALLEST_LOG_SCALE, LARGEST_LOG_SCALE = -7.0, 3.0
"""Bounds of a component's log scale, in standard deviations of the history."""


@njit
def copy(source: Floats, out: Floats) -> None:
    """Out = source; an assignment of slices would allocate."""
    for j in range(len(out)):
        out[j] = source[j]


@njit
def add(source: Floats, out: Floats) -> None:
    """Out += source."""
    for j in range(len(out)):
        out[j] += source[j]


@njit
def add_product(inputs: Floats, weights: Floats, first: int, out: Floats) -> None:
    """Out += inputs @ weights[first : first + len(inputs)]; one input after the other, so without a reduction."""
    for k in range(len(inputs)):
        value = inputs[k]
        if value != np.float32(0.0):
            for j in range(len(out)):
                out[j] += value * weights[first + k, j]


@njit
def sigmoid(x: np.float32) -> np.float32:
    """1 / (1 + exp(-x))."""
    return np.float32(1.0) / (np.float32(1.0) + np.float32(math.exp(-x)))


@njit
def layer_norm(stream: Floats, norm: Floats, out: Floats) -> None:
    """The stream with mean 0 and variance 1, times a gain, plus an offset."""
    mean = np.float32(0.0)
    for j in range(len(stream)):
        mean += stream[j]
    mean /= np.float32(len(stream))
    variance = np.float32(0.0)
    for j in range(len(stream)):
        variance += (stream[j] - mean) ** 2
    factor = np.float32(1.0) / np.float32(math.sqrt(variance / np.float32(len(stream)) + np.float32(1e-5)))
    for j in range(len(stream)):
        out[j] = (stream[j] - mean) * factor * norm[0, j] + norm[1, j]
