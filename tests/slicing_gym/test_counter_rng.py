from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from slicing_gym.counter_rng import (
    STREAM_FADING,
    STREAM_INTERARRIVAL,
    STREAM_PACKET_SIZE,
    cell_key,
    counter,
    exponential,
    squares64,
    uniform,
)

MASK = 2**64 - 1


def plain_squares64(key: int, count: int) -> int:
    """The paper's algorithm in whole numbers."""

    def turned(x: int) -> int:
        return (x >> 32 | x << 32) & MASK

    x = y = count * key & MASK
    z = (y + key) & MASK
    for addend in (y, z, y):
        x = turned((x * x + addend) & MASK)
    before = (x * x + z) & MASK
    x = turned(before)
    return before ^ ((x * x + y & MASK) >> 32)


@given(st.integers(0, MASK), st.integers(0, MASK))
def test_squares64_is_the_published_algorithm(key, count):
    assert squares64(key, count) == plain_squares64(key, count)


@pytest.mark.parametrize(("draw", "law"), [(uniform, stats.uniform), (exponential, stats.expon)])
@pytest.mark.parametrize("seed", [0, 1])
def test_draws_follow_their_law(draw, law, seed):
    key = cell_key(seed)
    sample = [draw(key, counter(STREAM_FADING, user, slot)) for user in range(50) for slot in range(2000)]
    assert stats.kstest(sample, law.cdf).pvalue > 1e-3
    assert min(sample) > 0.0


def test_tail_of_the_exponential_is_exact():
    key = cell_key(3)
    beyond = np.array([exponential(key, count) for count in range(1_000_000)])
    beyond = beyond[beyond > 7.7] - 7.7  # all from the ziggurat's tail: about 450, and exponential again
    assert len(beyond) == pytest.approx(1_000_000 * np.exp(-7.7), rel=0.2)
    assert stats.kstest(beyond, stats.expon.cdf).pvalue > 1e-3


def test_streams_users_and_cells_are_uncorrelated():
    key, other = cell_key(0), cell_key(1)
    n = 20_000
    series = [
        [uniform(key, counter(STREAM_FADING, 0, i)) for i in range(n)],
        [uniform(key, counter(STREAM_FADING, 1, i)) for i in range(n)],
        [uniform(key, counter(STREAM_FADING, 0, i + 1)) for i in range(n)],
        [uniform(key, counter(STREAM_INTERARRIVAL, 0, i)) for i in range(n)],
        [uniform(key, counter(STREAM_PACKET_SIZE, 0, i)) for i in range(n)],
        [uniform(other, counter(STREAM_FADING, 0, i)) for i in range(n)],
    ]
    correlations = np.corrcoef(series) - np.eye(len(series))
    assert np.abs(correlations).max() < 4.5 / np.sqrt(n)


def test_counters_do_not_collide():
    counters = {counter(stream, user, i) for stream in range(4) for user in (0, 1, 2**14 - 1) for i in range(200)}
    assert len(counters) == 4 * 3 * 200
