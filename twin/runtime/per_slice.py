"""The performance slice by slice, compiled: what each slice brings by its own units and load, for every member."""

from __future__ import annotations

import math
from typing import NamedTuple

from slicing_gym._jit import njit
from twin.models.operations import (
    LARGEST_LOG_SCALE,
    SMALLEST_LOG_SCALE,
    Doubles,
    Floats,
    IntArray,
    add_product,
)
from twin.runtime.arrays import Scaler
from twin.runtime.draws import location_of
from twin.runtime.kernel import from_scale

COMPILED_WITH = "724836f30600"
"""Renewed when what these functions call changes: numba's cache looks at this file alone (a test gives the value)."""


class SliceReader(NamedTuple):
    """Where the features of a decision say what each of S slices holds and what it meets."""

    nominal: Doubles  # (S,) arrivals at a load of 1
    places: IntArray  # (4,) number of variables, features a slice, first variable of the SSR (-1: none), units in all


class SliceWeights(NamedTuple):
    """M members of regressions of K columns on the W features of each slice, see `SliceBasis`."""

    weights: Floats  # (S, W, M K), in standard deviations of the history
    offset: Floats  # (P,) that each performance variable is measured from
    noise: Floats  # (S, K, U, B) variance by knots of units and load
    first: IntArray  # (K,) number of each column's first performance variable
    own: IntArray  # (K,) 1 where each slice has a value of its own, 0 where the cell has one
    units: Doubles  # (most units of a slice, A) axis of the units
    share: Doubles  # (most units of a slice,)
    hats: Doubles  # (most units of a slice, U) how near each number of units is to the knots of the noise
    loads: Doubles  # (B,) knots of the load, on its scale
    whitening: Doubles  # (B, B)
    kernel: Doubles  # (4,) least load, largest load, length scale, shared covariance


@njit
def read_slice(reader: SliceReader, scaler: Scaler, seen: Floats, n: int) -> tuple[int, float, float]:
    """Units, load, and what was left over in the last interval (0 where it is not known), of slice n.

    Args:
        reader: where to look.
        scaler: of the variables.
        seen: features of a decision (F,), see `kernel.encode`.
        n: number of the slice.
    """
    slices = len(reader.nominal)
    variables, stride, ssr, total = reader.places[0], reader.places[1], reader.places[2], reader.places[3]
    even = math.exp(seen[variables + stride * n + 3])
    units = min(max(math.floor(even * total / slices + 0.5), 1), total - slices + 1)
    scaled = seen[n] * scaler.seen_spread[n] + scaler.seen_center[n]
    load = from_scale(scaler.transform[n], scaled) / reader.nominal[n]
    known = False  # what is not known is 0, and hardly ever is all that is known at the mean
    for v in range(slices, variables):
        known = known or seen[v] != 0.0
    if ssr < 0 or not known:
        return units, load, 0.0
    measured = seen[ssr + n] * scaler.seen_spread[ssr + n] + scaler.seen_center[ssr + n]
    return units, load, min(max(1.0 - measured, 0.0), 1.0)


@njit
def read_slices(
    reader: SliceReader, scaler: Scaler, features: Floats, units: IntArray, loads: Doubles, left_over: Doubles
) -> None:
    """Write what `read_slice` says of n decisions, (n, S) each."""
    for row in range(len(features)):
        for n in range(len(reader.nominal)):
            held, load, left = read_slice(reader, scaler, features[row], n)
            units[row, n], loads[row, n], left_over[row, n] = held, load, left


@njit
def place_load(weights: SliceWeights, load: float) -> float:
    """A load on its scale."""
    return math.log(min(max(load, 0.0), weights.kernel[1]) + weights.kernel[0])


@njit
def slice_features(weights: SliceWeights, units: int, load: float, left: float, out: Floats) -> None:
    """Write the features (W,) of a slice, as `SliceBasis.features` has them."""
    num_loads, num_units = len(weights.loads), weights.units.shape[1]
    length, shared = weights.kernel[2], weights.kernel[3]
    place = place_load(weights, load)
    linear = num_units * num_loads + num_units
    for b in range(num_loads):
        total = 0.0
        for k in range(num_loads):
            near = math.exp(-0.5 * ((place - weights.loads[k]) / length) ** 2)
            total += weights.whitening[b, k] * ((1.0 - shared) * near + shared)
        for a in range(num_units):
            out[a * num_loads + b] = weights.units[units - 1, a] * total
        out[linear + b] = weights.share[units - 1] * total
    for a in range(num_units):
        out[num_units * num_loads + a] = weights.units[units - 1, a] * left


@njit
def noise_variance(weights: SliceWeights, n: int, column: int, units: int, load: float) -> float:
    """The variance of a column around what is expected, as far as it follows from one slice."""
    place, last = place_load(weights, load), len(weights.loads) - 1
    b = 0
    while b < last - 1 and place > weights.loads[b + 1]:
        b += 1
    beyond = (place - weights.loads[b]) / (weights.loads[b + 1] - weights.loads[b])
    beyond = min(max(beyond, 0.0), 1.0)
    table, total = weights.noise[n, column], 0.0
    for u in range(table.shape[0]):
        near = weights.hats[units - 1, u]
        if near > 0.0:
            total += near * ((1.0 - beyond) * table[u, b] + beyond * table[u, b + 1])
    return total


@njit
def slice_step(
    weights: SliceWeights,
    reader: SliceReader,
    scaler: Scaler,
    rows: IntArray,
    features: Floats,
    raw: Floats,
    scratch: Floats,
) -> None:
    """Write what each of M members says of the performance (B, M, 1 + 2 P), a mixture of one component.

    Locations are such that values, clipped at the bounds, have the expected mean (see `location_of`).

    Args:
        weights: of the members.
        reader: where features say what a slice holds.
        scaler: of the variables.
        rows: numbers of the rows to work on.
        features: (B, F).
        raw: (B, M, 1 + 2 P).
        scratch: (W + M K + P,) to work on.
    """
    slices, width, both = weights.weights.shape
    columns, performance, members = len(weights.own), len(weights.offset), raw.shape[1]
    own, out = scratch[:width], scratch[width : width + both]
    variance = scratch[width + both : width + both + performance]
    for row in rows:
        for v in range(performance):
            variance[v] = 0.0
            for m in range(members):
                raw[row, m, 1 + v] = weights.offset[v]
        for n in range(slices):
            units, load, left = read_slice(reader, scaler, features[row], n)
            slice_features(weights, units, load, left, own)
            for j in range(both):
                out[j] = 0.0
            add_product(own, weights.weights[n], 0, out)
            for k in range(columns):
                v = weights.first[k] + (n if weights.own[k] else 0)
                share = 1.0 if weights.own[k] else 1.0 / slices
                variance[v] += share * noise_variance(weights, n, k, units, load)
                for m in range(members):
                    raw[row, m, 1 + v] += out[m * columns + k]
        for v in range(performance):
            log_scale = 0.5 * math.log(3.0 * variance[v]) - math.log(math.pi)
            log_scale = min(max(log_scale, SMALLEST_LOG_SCALE), LARGEST_LOG_SCALE)
            low, high = scaler.low[slices + v], scaler.high[slices + v]
            for m in range(members):
                raw[row, m, 0] = 0.0
                raw[row, m, 1 + v] = location_of(raw[row, m, 1 + v], low, high, math.exp(log_scale))
                raw[row, m, 1 + performance + v] = log_scale
