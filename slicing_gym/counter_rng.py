"""Counter-based random numbers: a draw is a pure function of (key, counter), so it never depends on decisions.

The generator is *squares* (B. Widynski, "Squares: A Fast Counter-Based RNG", arXiv:2004.06278), 64-bit output. A cell
owns a key; the counter names what the number is for: which stream, which user, which packet or slot. Two allocations
tried on the same cell therefore meet the same arrivals, packet sizes and fading (common random numbers), and a batch
of cells equals its cells whatever the order they are advanced in.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from slicing_gym._jit import njit

# Streams of one cell: they fill the two lowest bits of the counter.
STREAM_INTERARRIVAL = 0
STREAM_PACKET_SIZE = 1
STREAM_FADING = 2
STREAM_ACTIVITY = 3

USER_BITS = 14
"""Users are numbered in this many bits of the counter, so a cell holds at most 2**14 of them."""

_LAYERS = 256
_TAIL_START = 7.69711747013104972  # x where the base layer ends, for 256 layers (Marsaglia and Tsang, 2000)


def _ziggurat_layers() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Edges x (257,) and heights exp(-x) (257,) of 256 layers of equal area under exp(-x)."""
    area = (_TAIL_START + 1.0) * math.exp(-_TAIL_START)
    edges = np.empty(_LAYERS + 1)
    edges[0] = area * math.exp(_TAIL_START)  # the base layer, its tail folded in
    edges[1] = _TAIL_START
    for layer in range(2, _LAYERS):
        edges[layer] = -math.log(math.exp(-edges[layer - 1]) + area / edges[layer - 1])
    edges[_LAYERS] = 0.0
    return edges, np.exp(-edges)


_EDGES, _HEIGHTS = _ziggurat_layers()
_SCALED_EDGES = _EDGES * 2.0**-52  # times an integer of 52 bits


@njit
def counter(stream: int, user: int, index: int) -> np.uint64:
    """The counter of number `index` of `user` in `stream` (index < 2**48)."""
    return np.uint64((index << (USER_BITS + 2)) | (user << 2) | stream)


@njit
def squares64(key: np.uint64, count: np.uint64) -> np.uint64:
    """64 random bits (five squaring rounds of the paper's `squares64`)."""
    half = np.uint64(32)
    key = np.uint64(key)  # a caller's plain int would turn the product into a float
    x = np.uint64(count) * key
    y = x
    z = y + key
    x = x * x + y
    x = (x >> half) | (x << half)
    x = x * x + z
    x = (x >> half) | (x << half)
    x = x * x + y
    x = (x >> half) | (x << half)
    x = x * x + z
    t = x
    x = (x >> half) | (x << half)
    return t ^ ((x * x + y) >> half)


@njit
def uniform(key: np.uint64, count: np.uint64) -> float:
    """A number uniform on (0, 1), 52 bits; neither end is ever returned."""
    return (float(squares64(key, count) >> np.uint64(12)) + 0.5) * 2.0**-52


@njit
def exponential(key: np.uint64, count: np.uint64) -> float:
    """A standard exponential number, by the ziggurat (exact; 99 % of the draws need one multiplication)."""
    bits = squares64(key, count)
    shift = 0.0
    while True:
        layer = np.int64(bits & np.uint64(_LAYERS - 1))
        x = (float(bits >> np.uint64(12)) + 0.5) * _SCALED_EDGES[layer]
        if x < _EDGES[layer + 1]:
            return shift + x
        # Every further number is drawn with the bits at hand as counter, so that the draw stays a function of `count`.
        bits = squares64(key, bits)
        if layer == 0:
            shift += _TAIL_START  # the tail of an exponential is an exponential
            continue
        height = (float(bits >> np.uint64(12)) + 0.5) * 2.0**-52
        if _HEIGHTS[layer] + height * (_HEIGHTS[layer + 1] - _HEIGHTS[layer]) < math.exp(-x):
            return shift + x
        bits = squares64(key, bits)


def cell_key(seed: int) -> np.uint64:
    """The odd 64-bit key of the cell that `seed` names."""
    return np.uint64(int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]) | 1)
