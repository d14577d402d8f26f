from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicing_gym import Simulator, get_scenario
from tests.helpers.oracle import OracleCell
from tests.helpers.strategies import allocations, scenarios


def assert_same(scenario, seed, decisions):
    simulator, oracle = Simulator(scenario, [seed]), OracleCell(scenario, seed)
    for units in decisions:
        fast, slow = simulator.advance(units), oracle.advance(list(units))
        for name in ("arrivals", "successes", "delivered", "queued", "blocked"):
            assert getattr(fast, name)[0].tolist() == getattr(slow, name), name
        np.testing.assert_allclose(fast.spectral_efficiency[0], slow.spectral_efficiency, rtol=1e-10)
        assert_same_queues(simulator.state(), oracle)


def assert_same_queues(state, oracle):
    """Packet by packet: who has which, since when, and what is left of the first."""
    ring = state["joined_slot"].shape[2]
    assert state["round_robin"][0].tolist() == oracle.round_robin
    for user in oracle.users:
        joined, queued = state["joined"][0, user.number], state["queued"][0, user.number]
        assert (joined, queued) == (user.packets_seen, len(user.queue))
        np.testing.assert_allclose(state["next_arrival"][0, user.number], user.next_arrival, rtol=1e-12)
        since = [state["joined_slot"][0, user.number, packet % ring] for packet in range(joined - queued, joined)]
        assert since == [packet.joined_slot for packet in user.queue]
        left = state["head_bits"][0, user.number]
        if left > 0.0:
            np.testing.assert_allclose(left, user.queue[0].bits_left, rtol=1e-6, atol=1e-3)


@given(st.data())
def test_kernel_equals_oracle_on_any_scenario(data):
    scenario = data.draw(scenarios())
    decisions = [data.draw(allocations(scenario)) for _ in range(4)]
    assert_same(scenario, data.draw(st.integers(0, 2**32)), decisions)


@pytest.mark.parametrize(
    ("preset", "decisions"),
    [
        ("paper", [(33, 33, 34), (1, 98, 1), (5, 6, 89), (98, 1, 1)]),
        ("large-urllc", [(1, 98, 1), (1, 60, 39)]),
        ("flash-crowd", [(1, 90, 9), (1, 1, 98)]),
        ("nr-8slices", [(3, 68, 48, 64, 32, 3, 11, 44), (1, 1, 1, 1, 1, 1, 1, 266)]),
    ],
)
def test_kernel_equals_oracle_on_presets(preset, decisions):
    assert_same(get_scenario(preset), 5, decisions)
