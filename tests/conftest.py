from __future__ import annotations

import os

import pytest
from hypothesis import settings

from slicing_gym import Constant, Exponential, Radio, Scenario, Slice, Traffic

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of PyTorch: two processes with two each are slower than with one
os.environ["SDL_VIDEODRIVER"] = "dummy"  # the window of render_mode="human" needs no screen

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Searches are remembered for this run only, by all of its processes."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    os.environ["SLICING_GYM_CACHE"] = str(folder / "searches")


@pytest.fixture
def small() -> Scenario:
    """Two slices, eight units, short intervals: everything happens, and fast."""
    return Scenario(
        "small",
        (
            Slice("calls", 5, Traffic(Exponential(0.004), Constant(200.0)), rate_sla_bps=1e5, latency_sla_s=2e-3),
            Slice("data", 3, Traffic(Exponential(0.002), Constant(30e3)), rate_sla_bps=1e6, latency_sla_s=5e-3),
        ),
        radio=Radio(bandwidth_hz=1.6e6, slots_per_interval=40),
        decisions_per_episode=10,
    )
