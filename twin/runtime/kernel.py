"""The twin's one kernel: features, networks and draws of one decision interval, compiled, row by row.

Every row is computed on its own and in a fixed order of additions, and every draw is named by (key, variable,
interval), so a batch equals its cells bit for bit, whatever the number of threads. Training uses PyTorch; a test holds
both against each other.
"""

from __future__ import annotations

import math

import numpy as np

from slicing_gym._jit import njit
from twin.runtime.arrays import Doubles, Ensemble, Floats, IntArray, Lstm, Table, Transformer

COMPILED_WITH = "fdc9814fa9ac"
"""Renewed when what these functions call changes: numba's cache looks at this file alone (a test tells the value)."""

IDENTITY, SQRT, LOG1P = range(3)  # codes of `twin.columns.TRANSFORMS`, in order

# Streams of a cell's luck.
STREAM_TRANSITION = 0
STREAM_PERFORMANCE = 1
STREAM_MEMBER = 2
STREAM_WINDOW = 3

CLIP = 30.0
"""No feature is farther from its mean than so many standard deviations of the history."""

SMALLEST_LOG_SCALE, LARGEST_LOG_SCALE = -7.0, 3.0
"""Bounds of a component's log scale, in standard deviations of the history."""


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
def standardise(table: Table, rows: IntArray, values: Doubles, out: Floats) -> None:
    """Values (B, V) in standard deviations from the history's mean; 0 where a value is not known (NaN)."""
    for row in rows:
        for v in range(len(table.center)):
            scaled = (to_scale(table.transform[v], values[row, v]) - table.seen_center[v]) / table.seen_spread[v]
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
    table: Table,
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
        table: of the V variables.
        rows: numbers of the rows to work on.
        measured: (B, V), NaN where not known.
        held: units of the last interval (B, S), zeros where not known.
        units: units of the coming interval (B, S).
        controls: (B, C), one-hot.
        features: (B, V + (4 + knots) S + C).
    """
    standardise(table, rows, measured, features)
    num_slices = units.shape[1]
    knots = (features.shape[1] - controls.shape[1] - len(table.center)) // num_slices - 4
    for row in rows:
        total = 0
        for n in range(num_slices):
            total += units[row, n]
        at = len(table.center)
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
def lstm_step(
    weights: Lstm,
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


@njit
def attend(weights: Transformer, query: Floats, cache: Floats, age: int, mixed: Floats, scores: Floats) -> None:
    """Mix the values in the cache (C, 2, W) by how well their keys fit the query; a ring, `age` its newest entry."""
    context, width, heads = weights.context[0], len(query), len(weights.slope)
    size = width // heads
    number = min(age + 1, context)
    for head in range(heads):
        begin = head * size
        largest = np.float32(-np.inf)
        for back in range(number):
            key = cache[(age - back) % context, 0]
            score = np.float32(0.0)
            for j in range(begin, begin + size):
                score += query[j] * key[j]
            scores[back] = score / np.float32(math.sqrt(size)) - weights.slope[head] * np.float32(back)
            largest = max(largest, scores[back])
        total = np.float32(0.0)
        mixed[begin : begin + size] = 0.0
        for back in range(number):
            weight = np.float32(math.exp(scores[back] - largest))
            total += weight
            value = cache[(age - back) % context, 1]
            for j in range(begin, begin + size):
                mixed[j] += weight * value[j]
        for j in range(begin, begin + size):
            mixed[j] /= total


@njit
def transformer_step(
    weights: Transformer,
    member: int,
    rows: IntArray,
    features: Floats,
    memory: Floats,
    age: IntArray,
    raw: Floats,
    scratch: Floats,
) -> None:
    """As `lstm_step`; the memory (B, M, L C 2 W) holds the keys and values of the last C intervals."""
    layers, width, context = len(weights.project), len(weights.embed_bias), weights.context[0]
    stream, normed, mixed = scratch[:width], scratch[width : 2 * width], scratch[2 * width : 3 * width]
    wide, scores = scratch[3 * width : 6 * width], scratch[6 * width : 6 * width + context]
    for row in rows:
        seen = features[row]
        copy(weights.embed_bias, stream)
        add_product(seen, weights.embed, 0, stream)
        for layer in range(layers):
            cache = memory[row, member].reshape(layers, context, 2, width)[layer]
            layer_norm(stream, weights.norm[2 * layer], normed)
            copy(weights.attention_bias[layer], wide)
            add_product(normed, weights.attention[layer], 0, wide)
            slot = age[row] % context
            copy(wide[width : 2 * width], cache[slot, 0])
            copy(wide[2 * width :], cache[slot, 1])
            attend(weights, wide[:width], cache, age[row], mixed, scores)
            add(weights.project_bias[layer], stream)
            add_product(mixed, weights.project[layer], 0, stream)
            layer_norm(stream, weights.norm[2 * layer + 1], normed)
            dense = wide[: 2 * width]
            copy(weights.expand_bias[layer], dense)
            add_product(normed, weights.expand[layer], 0, dense)
            for j in range(2 * width):
                dense[j] = max(dense[j], np.float32(0.0))
            add(weights.contract_bias[layer], stream)
            add_product(dense, weights.contract[layer], 0, stream)
        layer_norm(stream, weights.norm[2 * layers], normed)
        copy(weights.output_bias, raw[row, member])
        add_product(normed, weights.output, 0, raw[row, member])
        add_product(seen, weights.output, width, raw[row, member])


@njit
def ensemble_step(weights: Ensemble, rows: IntArray, features: Floats, raw: Floats, scratch: Floats) -> None:
    """Write what each of the M members says of the features (B, F): (B, M, P)."""
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
