"""From a network's outputs to values, compiled: mixtures of logistics, drawn by counter-based random numbers.

A mixture of K components over a group of V variables has K (1 + 2 V) outputs: logits (K,), locations (K, V) and log
scales (K, V), in standard deviations of the history. The variables share the component, which makes them depend on one
another.
"""

from __future__ import annotations

import math

import numpy as np

from slicing_gym._jit import njit
from slicing_gym.counter_rng import counter, uniform
from twin.models.operations import LARGEST_LOG_SCALE, SMALLEST_LOG_SCALE, Doubles, Floats, IntArray, WordArray
from twin.runtime.arrays import Scaler
from twin.runtime.kernel import STREAM_MEMBER, from_scale, to_scale

COMPILED_WITH = "9a7f93da5c13"
"""Renewed when what these functions call changes, the kernel included (a test gives the value)."""

NEAREST = 1e-3
"""How near the mean of a clipped variable may be to a bound [scales]: 99.9 % of its values are there."""


def num_outputs(components: int, variables: int) -> int:
    """Outputs that a mixture needs: a logit a component, a location and a log scale a component and variable."""
    return components * (1 + 2 * variables)


@njit
def choose(logits: Floats, components: int, drawn: float) -> int:
    """The component that a uniform number falls to."""
    largest = logits[0]
    for k in range(1, components):
        largest = max(largest, logits[k])
    total = 0.0
    for k in range(components):
        total += math.exp(logits[k] - largest)
    left = drawn * total
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
def by_rank(scaler: Scaler, v: int) -> bool:
    """Whether variable v has a table of ranks."""
    last = scaler.knots.shape[1] - 1
    return last > 0 and scaler.knots[v, 0] < scaler.knots[v, last]


@njit
def from_score(scaler: Scaler, v: int, score: float) -> float:
    """What has this score, on the scale that variable v is modelled on."""
    scores, knots = scaler.scores, scaler.knots
    k, last = 0, knots.shape[1] - 2
    while k < last and score > scores[v, k + 1]:
        k += 1
    width = scores[v, k + 1] - scores[v, k]
    share = min(max((score - scores[v, k]) / width, 0.0), 1.0) if width > 0.0 else 1.0
    return knots[v, k] + share * (knots[v, k + 1] - knots[v, k])


@njit
def to_value(scaler: Scaler, v: int, standardised: float) -> float:
    """A value of variable v: bounded, and as coarse as the column is where that matters."""
    bounded = min(max(standardised, scaler.low[v]), scaler.high[v])
    scaled = from_score(scaler, v, bounded) if by_rank(scaler, v) else bounded * scaler.spread[v] + scaler.center[v]
    value = from_scale(scaler.transform[v], scaled)
    half = 0.5 * scaler.resolution[v]
    if scaler.whole[v]:
        value = math.floor(value + 0.5)
    elif value < scaler.lower[v] + half:
        value = scaler.lower[v]
    elif value > scaler.upper[v] - half:
        value = scaler.upper[v]
    return min(max(value, scaler.lower[v]), scaler.upper[v])


@njit
def draw_group(
    scaler: Scaler,
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
        drawn = uniform(key, counter(stream, 1 + v, interval))
        deviate = math.log(drawn / (1.0 - drawn))
        standardised = raw[locations + v] + component_scale(raw[scales + v]) * deviate
        values[first + v] = to_value(scaler, first + v, standardised)


@njit
def draw_values(
    scaler: Scaler,
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
        drawn = uniform(keys[row], counter(STREAM_MEMBER, stream, intervals[row]))
        member = min(int(drawn * raw.shape[1]), raw.shape[1] - 1)
        draw_group(scaler, first, number, raw[row, member], components, keys[row], stream, intervals[row], values[row])


@njit
def softplus(x: float) -> float:
    """log(1 + exp(x))."""
    return x + math.log1p(math.exp(-x)) if x > 0.0 else math.log1p(math.exp(x))


@njit
def mean_of_scores(scaler: Scaler, v: int, location: float, scale: float) -> float:
    """Expected value, on the scale that variable v is modelled on, of what has logistic scores.

    From knot to knot values rise evenly, so it is a sum of what `expect` computes once.
    """
    knots, scores = scaler.knots, scaler.scores
    mean, last = knots[v, 0], knots.shape[1] - 1
    over = softplus((location - scores[v, 0]) / scale)
    for k in range(last):
        rise, width = knots[v, k + 1] - knots[v, k], scores[v, k + 1] - scores[v, k]
        if rise > 0.0:
            beyond = softplus((location - scores[v, k + 1]) / scale)
            if width > 0.0:
                mean += rise * scale / width * (over - beyond)
            else:
                mean += rise * -math.expm1(-over)
            over = beyond
    return mean


@njit
def expect(
    scaler: Scaler, rows: IntArray, first: int, number: int, raw: Floats, components: int, means: Doubles
) -> None:
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
                    if by_rank(scaler, first + v):
                        means[row, m, v] += weight * mean_of_scores(scaler, first + v, location, scale)
                        continue
                    low, high = scaler.low[first + v], scaler.high[first + v]
                    inside = softplus((location - low) / scale) - softplus((location - high) / scale)
                    means[row, m, v] += weight * (low + scale * inside)
            for v in range(number):
                means[row, m, v] /= total
                if not by_rank(scaler, first + v):
                    means[row, m, v] = means[row, m, v] * scaler.spread[first + v] + scaler.center[first + v]


@njit
def location_of(mean: float, low: float, high: float, scale: float) -> float:
    """The location of a logistic variable whose value, clipped to [low, high], has this mean; the inverse of `expect`.

    With m the mean's distance from `low` and d that of `high`, in scales, it is log(exp(m) - 1) - log(1 - exp(m - d)),
    from `low` on. A mean closer to a bound than `NEAREST` scales is taken to be that far from it.
    """
    width = (high - low) / scale
    if width <= 2.0 * NEAREST:
        return low
    inside = min(max((mean - low) / scale, NEAREST), width - NEAREST)
    return low + scale * (inside + math.log(-math.expm1(-inside)) - math.log(-math.expm1(inside - width)))


@njit
def rescale(scaler: Scaler, rows: IntArray, values: Doubles, scaled: Doubles) -> None:
    """Values (B, V) on the scales they are modelled on (B, V)."""
    for row in rows:
        for v in range(len(scaler.center)):
            scaled[row, v] = to_scale(scaler.transform[v], values[row, v])


@njit
def unscale(scaler: Scaler, rows: IntArray, scaled: Doubles, values: Doubles) -> None:
    """The inverse of `rescale`."""
    for row in rows:
        for v in range(len(scaler.center)):
            values[row, v] = from_scale(scaler.transform[v], scaled[row, v])
