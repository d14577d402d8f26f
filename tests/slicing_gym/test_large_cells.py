"""A cell with 2 x 10^13 allocations: nothing lists them, from the environment to the data sets."""

from __future__ import annotations

import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from agents import ProportionalPolicy, RandomPolicy
from slicing_gym import AllocationSpace, Radio, Scenario, allocation_units, get_scenario
from twin import RecordHistory
from twin.data.minari import from_minari, to_minari
from twin.data.transitions import transitions_of
from twin.fidelity.simulated import SimulatedCell

PAPER = get_scenario("paper")
LARGE = PAPER.replace(
    name="large",
    decisions_per_episode=5,
    radio={"bandwidth_hz": 273 * 360e3, "resolution_hz": 360e3, "resource_block_hz": 360e3, "slots_per_interval": 40},
    slices={f"video{number}": PAPER.to_dict()["slices"]["video"] | {"num_users": 3} for number in range(5)},
)
COUNT = 20_218_614_631_344

_MEMORY = """
import resource, gymnasium as gym, slicing_gym
small = gym.make("SliceRAN-v0", scenario="paper")
small.reset(seed=0), small.step(0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
env = gym.make("SliceRAN-v0", scenario="nr-8slices")
env.reset(seed=0), env.step(env.action_space.sample())
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_it_is_as_large_as_that():
    assert (LARGE.num_units, LARGE.num_slices, LARGE.num_allocations) == (273, 8, COUNT)


def test_checkers_find_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make("SliceRAN-v0", scenario=LARGE).unwrapped, skip_render_check=True)
        sb3_check_env(gym.make("SliceRAN-v0", scenario=LARGE))


def test_an_environment_takes_no_memory_for_its_allocations():
    megabytes = float(subprocess.check_output([sys.executable, "-c", _MEMORY], text=True))
    assert megabytes < 20.0  # a table would take 1.3e9 of them, a bit for each allocation 2.5e6


def test_scalar_and_batch_do_what_the_action_says():
    env, envs = (make("SliceRAN-v0", scenario=LARGE) for make in (gym.make, gym.make_vec))
    assert isinstance(env.action_space, AllocationSpace)
    env.reset(seed=0), envs.reset(seed=0)
    env.action_space.seed(0)
    for action in (0, COUNT - 1, env.action_space.sample()):
        one, batch = env.step(action), envs.step(np.array([action]))
        units = allocation_units(action, 273, 8)
        np.testing.assert_array_equal(one[4]["allocation"], units)
        np.testing.assert_array_equal(batch[4]["allocation"][0], units)
        np.testing.assert_array_equal(one[0], batch[0][0])


def test_all_allocations_are_not_listed_and_no_others_taken():
    for make, no_action in ((gym.make, COUNT), (gym.make_vec, np.array([COUNT]))):
        env = make("SliceRAN-v0", scenario=LARGE)
        env.reset(seed=0)
        with pytest.raises(ValueError, match=r"make 20218614631344 allocations, listed are .*allocation_units\(index"):
            env.unwrapped.allocations  # noqa: B018
        with pytest.raises(gym.error.InvalidAction, match=f"{COUNT} given, allowed are 0 to {COUNT - 1}"):
            env.step(no_action)
        for wrong in (0.5, float(COUNT // 2), -1):
            with pytest.raises(gym.error.InvalidAction):
                env.step(wrong if make is gym.make else np.array([wrong]))


def test_small_ones_are_listed_as_before():
    for make in (gym.make, gym.make_vec):
        listed = make("SliceRAN-v0", scenario="paper").unwrapped.allocations
        assert listed.shape == (4851, 3)
        assert not listed.flags.writeable


def test_more_than_can_be_numbered_are_refused():
    part = PAPER.slices[0].__class__
    slices = tuple(part(f"s{number}", 1, PAPER.slices[1].traffic, 1e6, 0.01) for number in range(20))
    with pytest.raises(ValueError, match=r"273 units for 20 slices make \d+ allocations, allowed .*2\*\*62.* coarser"):
        Scenario("too_large", slices, LARGE.radio)
    with pytest.raises(
        ValueError, match=r"radio.resolution_hz: 20000000 units for 2 slices .* allowed are 2097152 units"
    ):
        Scenario("too_fine", slices[:2], Radio(bandwidth_hz=20e6, resolution_hz=1.0))


def test_policies_without_learning():
    seen = np.ones((1000, 8), np.float32)
    actions = RandomPolicy(LARGE, seed=0).predict(seen)[0]
    assert len(np.unique(actions)) == 1000
    assert COUNT * 0.95 < actions.max() < COUNT
    action = ProportionalPolicy(LARGE).predict(np.ones(8, np.float32))[0]
    arrivals = LARGE.nominal_arrivals
    np.testing.assert_allclose(
        allocation_units(action, 273, 8), 1 + 265 * arrivals / arrivals.sum(), rtol=0.0, atol=1.0
    )


def test_a_recorded_history_becomes_transitions_and_a_data_set(tmp_path, monkeypatch):
    pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    env = RecordHistory(gym.make("SliceRAN-v0", scenario=LARGE, reward="utility"))
    env.action_space.seed(0)
    taken, seen, rewards = [], [], []
    for _ in range(2):
        seen.append(env.reset(seed=1)[0])
        for _ in range(5):
            taken.append(env.action_space.sample())
            observation, reward, *_ = env.step(taken[-1])
            rewards.append(reward)
            seen.append(observation)
        seen.pop()
    history = env.recorder.history()
    observations, actions, found = transitions_of(history)[:3]
    np.testing.assert_array_equal(actions, taken)
    np.testing.assert_array_equal(observations, seen)
    np.testing.assert_allclose(found, rewards, rtol=1e-6)
    back = from_minari(to_minari(history, "large-v0"))
    np.testing.assert_array_equal(back.allocation, history.allocation)
    np.testing.assert_array_equal(back.arrivals, history.arrivals)


def test_a_simulated_cell_leaves_out_what_is_reserved():
    cell = SimulatedCell(LARGE, seed=0, reserved=10)
    assert cell.reserved.shape == (10, 8)
    assert (cell.reserved.sum(axis=1) == 273).all()
    assert len(np.unique(cell.reserved, axis=0)) == 10
    history = cell.record(20)
    assert len(np.unique(history.allocation, axis=0)) == 20
    np.testing.assert_array_equal(SimulatedCell(LARGE, seed=0, reserved=10).record(20).allocation, history.allocation)
