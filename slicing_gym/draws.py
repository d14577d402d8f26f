"""The numbers that the kernel draws: traffic, load and fading; where runs of a cell share them, each is drawn once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slicing_gym._intrinsics import call_quantile
from slicing_gym._jit import njit
from slicing_gym.counter_rng import (
    STREAM_ACTIVITY,
    STREAM_FADING,
    STREAM_INTERARRIVAL,
    USER_BITS,
    counter,
    exponential,
    uniform,
)
from slicing_gym.measured import EMPIRICAL, TRACE
from slicing_gym.physics import FloatArray, Physics, Scratch
from slicing_gym.standard_distributions import CHOICE, EXPONENTIAL, LOMAX, UNIFORM
from slicing_gym.traffic import DAILY, DRIFT, JUMPS

COMPILED_WITH = "8c4593e9b568"
"""Digest of what is called here from other files; see `slicing_gym.kernel`."""


ALL_TRACES = (1 << USER_BITS) - 1
"""The number of a profile by which all traces of a cell draw where their windows begin."""


@njit
def at(index: Any) -> Any:
    """An index that is never negative: typed so, it spares numba's wrap-around test (a fifth of the running time)."""
    return np.uintp(index)


@njit
def interpolate(parameters: FloatArray, share: float) -> float:
    """The number that a share of the draws stays below; see `slicing_gym.measured.Empirical`."""
    knots = int(parameters[0])
    low, high = 0, knots - 1
    while high - low > 1:
        middle = (low + high) >> 1
        if parameters[1 + middle] <= share:
            low = middle
        else:
            high = middle
    part = (share - parameters[1 + low]) / (parameters[1 + high] - parameters[1 + low])
    least = parameters[1 + knots + low]
    return least + (parameters[1 + knots + high] - least) * part


@njit
def draw(kind: int, parameters: FloatArray, key: np.uint64, count: np.uint64) -> float:
    """One number of a distribution; see `code_of` for the kind, `standard_distributions` for the parameters."""
    if kind == EXPONENTIAL:
        return min(parameters[0] * exponential(key, count), parameters[1])
    if kind == UNIFORM:
        return parameters[0] + (parameters[1] - parameters[0]) * uniform(key, count)
    if kind == LOMAX:
        return min(parameters[1] * (math.exp(exponential(key, count) / parameters[0]) - 1.0), parameters[2])
    if kind == CHOICE:
        return parameters[1 + int(uniform(key, count) * parameters[0])]
    if kind == EMPIRICAL:
        return interpolate(parameters, uniform(key, count))
    if kind > EMPIRICAL:  # no code but the address of a compiled quantile
        return call_quantile(kind, uniform(key, count), parameters)
    return parameters[0]


@njit
def profile_level(kind: int, parameters: FloatArray, key: np.uint64, which: int, decision: int, level: float) -> float:
    """The value of a load profile at a decision, `level` being the last; `which` numbers the profiles of a cell."""
    low, high = parameters[0], parameters[1]
    if kind == DAILY:
        return low + (high - low) * 0.5 * (1.0 + math.cos(2.0 * math.pi * (decision / parameters[2] - parameters[3])))
    if kind == JUMPS:
        jump = uniform(key, counter(STREAM_ACTIVITY, which, 2 * decision)) * parameters[2] < 1.0
        if decision == 0 or jump:
            return low * (high / low) ** uniform(key, counter(STREAM_ACTIVITY, which, 2 * decision + 1))
        return level
    if kind == DRIFT:
        knot = int(decision / parameters[2])
        part = decision / parameters[2] - knot
        before = low * (high / low) ** uniform(key, counter(STREAM_ACTIVITY, which, knot))
        after = low * (high / low) ** uniform(key, counter(STREAM_ACTIVITY, which, knot + 1))
        return before + (after - before) * part
    if kind == TRACE:
        length, window = int(parameters[0]), int(parameters[1])
        start = uniform(key, counter(STREAM_ACTIVITY, ALL_TRACES, decision // window)) * length
        return parameters[2 + (int(start) + decision % window) % length]
    return low


@njit
def interarrival(physics: Physics, scratch: Scratch, key: np.uint64, user: int, n: int, packet: int) -> float:
    """Gap before a packet of a user of slice n [slots]."""
    kind, parameters = physics.interarrival_kind[at(n)], physics.interarrival[at(n)]
    count = counter(STREAM_INTERARRIVAL, user, packet)
    if scratch.gap.shape[0] == 0:
        return draw(kind, parameters, key, count) * scratch.stretch[at(n)]
    place = packet & (scratch.gap.shape[1] - 1)
    if scratch.gap_before[at(user), at(place)] != packet:
        scratch.gap_before[at(user), at(place)] = packet
        scratch.gap[at(user), at(place)] = draw(kind, parameters, key, count)
    return scratch.gap[at(user), at(place)] * scratch.stretch[at(n)]


@njit
def fading(scratch: Scratch, key: np.uint64, user: int, slot: int, since: int) -> float:
    """A user's gain in a slot, so many slots after the interval began."""
    if scratch.gain.shape[0] == 0:
        return exponential(key, counter(STREAM_FADING, user, slot))
    if scratch.gain[at(since), at(user)] == 0.0:
        scratch.gain[at(since), at(user)] = exponential(key, counter(STREAM_FADING, user, slot))
    return scratch.gain[at(since), at(user)]


@njit
def forget_gains(scratch: Scratch) -> None:
    """Before another interval of the same cell."""
    scratch.gain[:] = 0.0


@njit
def forget_draws(scratch: Scratch) -> None:
    """Before another cell."""
    scratch.gain[:] = 0.0
    scratch.gap_before[:] = -1
