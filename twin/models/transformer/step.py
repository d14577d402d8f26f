"""One decision interval of the transformer, compiled."""

from __future__ import annotations

import math

import numpy as np

from slicing_gym._jit import njit
from twin.models.operations import Floats, IntArray, add, add_product, copy, layer_norm
from twin.models.transformer.weights import TransformerWeights

COMPILED_WITH = "810493e920f0"
"""Renewed when what these functions call changes: numba's cache looks at this file alone (a test gives the value)."""


@njit
def attend(weights: TransformerWeights, query: Floats, cache: Floats, age: int, mixed: Floats, scores: Floats) -> None:
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
    weights: TransformerWeights,
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
