"""Twins of arrivals alone: their paths are like the log's, and become the traffic of a scenario."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from slicing_gym import Trace
from tests.helpers.traffic import traffic_log
from tests.helpers.twins import cold_twin, history_of
from twin.traffic import TrafficTwin, scenario_from_log


@pytest.fixture(scope="module")
def fitted() -> TrafficTwin:
    return TrafficTwin("autoregressive").fit(traffic_log(volumes=False))


def test_paths_are_like_the_log(fitted):
    log, paths = traffic_log(volumes=False), fitted.sample(range(40), 60)
    assert (paths.slices, paths.period_s, len(paths)) == (log.slices, pytest.approx(0.25), 2400)
    np.testing.assert_allclose(paths.packets.mean(axis=0), log.packets.mean(axis=0), rtol=0.1, atol=0.12)
    np.testing.assert_allclose(paths.packets.std(axis=0), log.packets.std(axis=0), rtol=0.25)
    np.testing.assert_array_equal(fitted.sample([7], 60).packets, paths.packets[7 * 60 : 8 * 60])  # a seed is a path


def test_paths_become_a_trace(fitted):
    scenario = scenario_from_log(fitted.sample(range(5), 200), "paper-1mhz")
    assert isinstance(scenario.slices[0].traffic.active_users, Trace)
    assert len(scenario.slices[0].traffic.active_users.levels) == 1000


def test_there_and_back(fitted, tmp_path):
    fitted.save(tmp_path / "arrivals.safetensors")
    loaded = TrafficTwin.load(tmp_path / "arrivals.safetensors")
    np.testing.assert_array_equal(loaded.sample([3], 20).packets, fitted.sample([3], 20).packets)
    assert loaded.slices == fitted.slices
    cold_twin(history_of("paper-1mhz")).save(tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"other\.safetensors' is a twin of ssr, spectral_efficiency.*, too; allowed"):
        TrafficTwin.load(tmp_path / "other.safetensors")


def test_it_is_no_environment(fitted):
    with pytest.raises(ValueError, match="measured no 'ssr' or no 'spectral_efficiency'"):
        gym.make("SliceTwin-v0", twin=fitted.twin)


def test_volumes_may_be_the_arrivals():
    paths = TrafficTwin("autoregressive").fit(traffic_log(packets=False)).sample(range(40), 60)
    assert paths.packets is None
    log = traffic_log(packets=False)
    np.testing.assert_allclose(paths.volume_byte.mean(axis=0), log.volume_byte.mean(axis=0), rtol=0.15)
