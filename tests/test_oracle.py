from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicing_gym import Simulator, get_scenario
from tests.oracle import OracleCell
from tests.strategies import allocations, scenarios


def assert_same(scenario, seed, decisions):
    simulator, oracle = Simulator(scenario, [seed]), OracleCell(scenario, seed)
    for units in decisions:
        fast, slow = simulator.advance(units), oracle.advance(list(units))
        for name in ("arrivals", "successes", "delivered", "queued", "blocked"):
            assert getattr(fast, name)[0].tolist() == getattr(slow, name), name
        np.testing.assert_allclose(fast.spectral_efficiency[0], slow.spectral_efficiency, rtol=1e-10)


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
    ],
)
def test_kernel_equals_oracle_on_presets(preset, decisions):
    assert_same(get_scenario(preset), 5, decisions)
