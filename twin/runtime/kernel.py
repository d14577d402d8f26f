"""Features and performance of one decision interval, compiled, row by row.

Every row is computed on its own and in a fixed order of additions, and every draw is named by (key, variable,
interval), so a batch equals its cells bit for bit, whatever the number of threads. Training uses PyTorch; a test holds
both against each other.
"""

from __future__ import annotations

import math

import numpy as np

from slicing_gym._jit import njit
from twin.models.operations import Doubles, Floats, IntArray, add_product, copy
from twin.runtime.arrays import Ensemble, Scaler

COMPILED_WITH = "810493e920f0"
"""Renewed when what these functions call changes: numba's cache looks at this file alone (a test gives the value)."""

IDENTITY, SQRT, LOG1P = range(3)  # codes of `twin.data.columns.TRANSFORMS`, in order

# Random streams of a cell.
STREAM_TRANSITION = 0
STREAM_PERFORMANCE = 1
STREAM_MEMBER = 2
STREAM_WINDOW = 3

CLIP = 30.0
"""No feature is farther from its mean than so many standard deviations of the history."""


@njit
def to_scale(transform: int, value: float) -> float:
    """A value on the scale it is modelled on."""
    if transform == SQRT:
        return math.sqrt(max(value, 0.0))
    if transform == LOG1P:
        return math.log1p(max(value, 0.0))
    return value


@njit
def from_scale(transform: int, scaled: float) -> float:
    """The inverse of `to_scale`."""
    if transform == SQRT:
        return max(scaled, 0.0) ** 2
    if transform == LOG1P:
        return math.expm1(max(scaled, 0.0))
    return scaled


@njit
def standardise(scaler: Scaler, rows: IntArray, values: Doubles, out: Floats) -> None:
    """Values (B, V) in standard deviations from the history's mean; 0 where a value is not known (NaN)."""
    for row in rows:
        for v in range(len(scaler.center)):
            scaled = (to_scale(scaler.transform[v], values[row, v]) - scaler.seen_center[v]) / scaler.seen_spread[v]
            out[row, v] = 0.0 if math.isnan(values[row, v]) else min(max(scaled, -CLIP), CLIP)


@njit
def knot_place(units: int) -> float:
    """Where a number of units lies among the knots 1, 2, 3, 4, 6, 8, 12, 16, ...: 0 at the first, 1 at the second."""
    octave = math.log2(units)
    whole = math.floor(octave)
    over = octave - whole
    if whole == 0.0:
        return over
    half = math.log2(1.5)
    return 2.0 * whole - 1.0 + over / half if over < half else 2.0 * whole + (over - half) / (1.0 - half)


@njit
def encode(
    scaler: Scaler,
    rows: IntArray,
    measured: Doubles,
    held: IntArray,
    units: IntArray,
    controls: Floats,
    features: Floats,
) -> None:
    """Write the features (B, F): what was measured, what was held, what is to be held, and the controls.

    Shares enter as such and as logarithms, in units of the even share. What is to be held enters once more by how near
    it is to 1, 2, 3, 4, 6, 8, 12, ... units (1 at that number, 0 from the next on): a slice's service breaks down
    within a few units, and a network that sees these learns the edge from a handful of decisions.

    Args:
        scaler: of the V variables.
        rows: numbers of the rows to work on.
        measured: (B, V), NaN where not known.
        held: units of the last interval (B, S), zeros where not known.
        units: units of the coming interval (B, S).
        controls: (B, C), one-hot.
        features: (B, V + (4 + knots) S + C).
    """
    standardise(scaler, rows, measured, features)
    num_slices = units.shape[1]
    knots = (features.shape[1] - controls.shape[1] - len(scaler.center)) // num_slices - 4
    for row in rows:
        total = 0
        for n in range(num_slices):
            total += units[row, n]
        at = len(scaler.center)
        for n in range(num_slices):
            even, before = num_slices * units[row, n] / total, num_slices * held[row, n] / total
            features[row, at] = before - 1.0 if held[row, n] > 0 else 0.0
            features[row, at + 1] = math.log(before) if held[row, n] > 0 else 0.0
            features[row, at + 2] = even - 1.0
            features[row, at + 3] = math.log(even)
            place = knot_place(units[row, n])
            for k in range(knots):
                features[row, at + 4 + k] = max(0.0, 1.0 - abs(place - k))
            at += 4 + knots
        for c in range(controls.shape[1]):
            features[row, at + c] = controls[row, c]


@njit
def ensemble_step(weights: Ensemble, rows: IntArray, features: Floats, raw: Floats, scratch: Floats) -> None:
    """Write what each of the M members predicts from the features (B, F): (B, M, P)."""
    size = weights.first_bias.shape[1]
    first, second = scratch[:size], scratch[size : 2 * size]
    for row in rows:
        seen = features[row]
        for m in range(len(weights.first)):
            copy(weights.first_bias[m], first)
            add_product(seen, weights.first[m], 0, first)
            for j in range(size):
                first[j] = max(first[j], np.float32(0.0))
            copy(weights.second_bias[m], second)
            add_product(first, weights.second[m], 0, second)
            for j in range(size):
                second[j] = max(second[j], np.float32(0.0))
            copy(weights.output_bias[m], raw[row, m])
            add_product(second, weights.output[m], 0, raw[row, m])
            add_product(seen, weights.output[m], size, raw[row, m])
