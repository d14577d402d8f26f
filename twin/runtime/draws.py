"""From a network's outputs to values, compiled: mixtures of logistic distributions, drawn by counter-based luck.

A mixture of K components over a group of V variables has K (1 + 2 V) outputs: logits (K,), locations (K, V) and log
scales (K, V), in standard deviations of the history. The variables share the component, which makes them depend on one
another.
"""

from __future__ import annotations

import math

import numpy as np

from slicing_gym._jit import njit
from slicing_gym.counter_rng import counter, uniform
from twin.runtime.arrays import Doubles, Floats, IntArray, Table, WordArray
from twin.runtime.kernel import LARGEST_LOG_SCALE, SMALLEST_LOG_SCALE, STREAM_MEMBER, from_scale, to_scale

COMPILED_WITH = "f207b8af096c"
"""Renewed when what these functions call changes, the kernel included (a test tells the value)."""


def num_outputs(components: int, variables: int) -> int:
    """Outputs that a mixture needs: a logit a component, a location and a log scale a component and variable."""
    return components * (1 + 2 * variables)


@njit
def choose(logits: Floats, components: int, luck: float) -> int:
    """The component that a uniform number falls to."""
    largest = logits[0]
    for k in range(1, components):
        largest = max(largest, logits[k])
    total = 0.0
    for k in range(components):
        total += math.exp(logits[k] - largest)
    left = luck * total
    for k in range(components):
        left -= math.exp(logits[k] - largest)
        if left < 0.0:
            return k
    return components - 1


@njit
def component_scale(raw: float) -> float:
    """The scale of a component from its output."""
    return math.exp(min(max(raw, SMALLEST_LOG_SCALE), LARGEST_LOG_SCALE))


@njit
def to_value(table: Table, v: int, standardised: float) -> float:
    """A value of variable v: bounded, and as coarse as the column is where that matters."""
    bounded = min(max(standardised, table.low[v]), table.high[v])
    value = from_scale(table.transform[v], bounded * table.spread[v] + table.center[v])
    half = 0.5 * table.resolution[v]
    if table.whole[v]:
        value = math.floor(value + 0.5)
    elif value < table.lower[v] + half:
        value = table.lower[v]
    elif value > table.upper[v] - half:
        value = table.upper[v]
    return min(max(value, table.lower[v]), table.upper[v])


@njit
def draw_group(
    table: Table,
    first: int,
    number: int,
    raw: Floats,
    components: int,
    key: np.uint64,
    stream: int,
    interval: int,
    values: Doubles,
) -> None:
    """Draw `number` variables from `first` on, of one row, from the mixture `raw` (P,)."""
    k = choose(raw, components, uniform(key, counter(stream, 0, interval)))
    locations, scales = components + k * number, components + (components + k) * number
    for v in range(number):
        luck = uniform(key, counter(stream, 1 + v, interval))
        deviate = math.log(luck / (1.0 - luck))
        standardised = raw[locations + v] + component_scale(raw[scales + v]) * deviate
        values[first + v] = to_value(table, first + v, standardised)


@njit
def draw_values(
    table: Table,
    first: int,
    number: int,
    rows: IntArray,
    raw: Floats,
    components: int,
    keys: WordArray,
    stream: int,
    intervals: IntArray,
    values: Doubles,
) -> None:
    """Draw `number` variables from `first` on into `values` (B, V), each row from one member of outputs (B, M, P)."""
    for row in rows:
        luck = uniform(keys[row], counter(STREAM_MEMBER, stream, intervals[row]))
        member = min(int(luck * raw.shape[1]), raw.shape[1] - 1)
        draw_group(table, first, number, raw[row, member], components, keys[row], stream, intervals[row], values[row])


@njit
def softplus(x: float) -> float:
    """log(1 + exp(x))."""
    return x + math.log1p(math.exp(-x)) if x > 0.0 else math.log1p(math.exp(x))


@njit
def expect(table: Table, rows: IntArray, first: int, number: int, raw: Floats, components: int, means: Doubles) -> None:
    """Expected values (B, M, number) on the scales that the variables from `first` on are modelled on.

    A logistic variable clipped to [a, b] has mean a + s (softplus((m - a) / s) - softplus((m - b) / s)).
    """
    for row in rows:
        for m in range(raw.shape[1]):
            outputs = raw[row, m]
            largest = outputs[0]
            for k in range(1, components):
                largest = max(largest, outputs[k])
            total = 0.0
            for v in range(number):
                means[row, m, v] = 0.0
            for k in range(components):
                weight = math.exp(outputs[k] - largest)
                total += weight
                for v in range(number):
                    location = outputs[components + k * number + v]
                    scale = component_scale(outputs[components + (components + k) * number + v])
                    low, high = table.low[first + v], table.high[first + v]
                    inside = softplus((location - low) / scale) - softplus((location - high) / scale)
                    means[row, m, v] += weight * (low + scale * inside)
            for v in range(number):
                means[row, m, v] = means[row, m, v] / total * table.spread[first + v] + table.center[first + v]


@njit
def rescale(table: Table, rows: IntArray, values: Doubles, scaled: Doubles) -> None:
    """Values (B, V) on the scales they are modelled on (B, V)."""
    for row in rows:
        for v in range(len(table.center)):
            scaled[row, v] = to_scale(table.transform[v], values[row, v])


@njit
def unscale(table: Table, rows: IntArray, scaled: Doubles, values: Doubles) -> None:
    """The inverse of `rescale`."""
    for row in rows:
        for v in range(len(table.center)):
            values[row, v] = from_scale(table.transform[v], scaled[row, v])
