"""Cells of 2 x 10^13 allocations: what learns in them, and that what would list them is refused at once."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents import DDQN, DQN, NoEnv, StudentPolicy, distill, learn_offline
from slicing_gym import AllocationSpace, allocation_units, get_scenario
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.learners import each_kind, learner, same, weights

SCENARIO = "nr-8slices"
NUMBER = 20_218_614_631_344
"""Ways to share 273 units among 8 slices."""


@pytest.fixture
def env():
    return gym.make("SliceRAN-v0", scenario=SCENARIO, reward="utility")


@pytest.fixture(scope="module")
def taught():
    """An agent after 300 decisions."""
    cell = gym.make("SliceRAN-v0", scenario=SCENARIO, reward="utility")
    policy = {"net_arch": [32, 32]}
    agent = learner(DDQN, "factored", cell, policy=policy, learning_starts=100, train_freq=2, center_rewards=True)
    agent.learn(300)
    return agent


def states(number, seed=0):
    return np.random.default_rng(seed).gamma(20.0, 0.05, (number, 8)).astype(np.float32)


def test_it_learns_and_is_the_same_out_of_its_files(taught, env, tmp_path):
    begun = learner(DDQN, "factored", NoEnv(SCENARIO), policy={"net_arch": [32, 32]})
    assert not same(weights(taught), weights(begun), tolerance=1e-3)
    taught.save(tmp_path / "agent")
    taught.save_replay_buffer(tmp_path / "buffer")
    loaded = DDQN.load(tmp_path / "agent", env=env, device="cpu")
    loaded.load_replay_buffer(tmp_path / "buffer")
    assert same(weights(loaded), weights(taught))
    assert isinstance(loaded.action_space, AllocationSpace)
    seen = states(50)
    actions, _ = taught.predict(seen, deterministic=True)
    np.testing.assert_array_equal(loaded.predict(seen, deterministic=True)[0], actions)
    assert all(env.action_space.contains(action) for action in actions)
    np.testing.assert_array_equal(loaded.replay_buffer.actions, taught.replay_buffer.actions)
    loaded.learn(20, reset_num_timesteps=False)
    assert loaded.num_timesteps == 320


def test_the_replay_keeps_the_allocations_that_were_taken(taught):
    taken = taught.replay_buffer.actions[:300, 0, 0]
    assert taken.dtype == np.int64
    units = allocation_units(taken, 273, 8)
    assert (units.sum(axis=1) == 273).all()
    assert taken.max() > 2**42  # beyond what 32 bits or a float32 could hold
    batch = taught.replay_buffer.sample(64)
    assert np.isin(batch.actions[:, 0].numpy(), taken).all()


def test_its_values_agree_with_one_another(taught):
    seen = torch.as_tensor(states(20))
    with torch.no_grad():
        net = taught.q_net
        best = net.best(seen)
        assert net.slice_values(seen).shape == (20, 8, 266)
        torch.testing.assert_close(net.taken(seen, best), net.highest(seen), rtol=1e-5, atol=1e-4)
        for other in (torch.zeros_like(best), best + 1, torch.full_like(best, NUMBER // 2)):
            assert (net.taken(seen, other % NUMBER) <= net.highest(seen) + 1e-4).all()


def test_what_would_list_all_is_refused_by_its_cause(taught):
    with pytest.raises(ValueError, match=f"values: those of all {NUMBER} allocations asked for, listed are at most 2"):
        taught.q_net(torch.as_tensor(states(2)))


@each_kind
@pytest.mark.parametrize("head", ["dense", "geometry"])
def test_heads_that_list_are_refused_before_anything_is_made(kind, head):
    message = f"head: '{head}' given, which lists all of the {NUMBER} actions; allowed are 2000000. Take 'factored'"
    with pytest.raises(ValueError, match=message):
        learner(kind, head, NoEnv(SCENARIO))
    with pytest.raises(ValueError, match=message):
        StudentPolicy(SCENARIO, 16, head)


@each_kind
def test_it_learns_from_a_history(kind):
    rng = np.random.default_rng(0)
    agent = learner(kind, "factored", NoEnv(SCENARIO), conservative_weight=0.1, batch_size=16)
    before = weights(agent)
    seen, following = states(32), states(32, 1)
    learn_offline(agent, seen, rng.integers(NUMBER, size=32), rng.random(32), following, epochs=2)
    assert not same(weights(agent), before, tolerance=1e-4)
    assert all(torch.isfinite(value).all() for value in weights(agent).values())


@pytest.mark.parametrize("target", ["argmax", "soft"])
def test_a_small_student_learns_from_it_and_keeps_what_it_learned(taught, target, tmp_path):
    student, seen, losses = StudentPolicy(SCENARIO, 16, "factored", seed=0), states(100), []
    options = {"batch_size": 16, "on_update": lambda _, loss: losses.append(loss)}
    distill(student, taught.q_net, seen, np.random.default_rng(0), target=target, updates=60, **options)
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 1.0
    student.save(tmp_path / "student")
    loaded = StudentPolicy.load(tmp_path / "student")
    actions, _ = student.predict(seen)
    np.testing.assert_array_equal(loaded.predict(seen)[0], actions)
    assert loaded.action_space.n == NUMBER
    units = allocation_units(actions, 273, 8)
    assert (units.sum(axis=1) == 273).all()


def test_an_agent_of_another_cell_is_refused(tmp_path):
    learner(DQN, "factored", NoEnv(SCENARIO)).save(tmp_path / "agent")
    for radio in ({"bandwidth_hz": 98.28e6 / 3}, {"bandwidth_hz": 98.28e6 * 2}):
        other = get_scenario(SCENARIO).replace(reward={"kind": "utility"}, radio=radio)
        with pytest.raises(ValueError, match=r"num_units=273.* != .*num_units=(91|546)"):
            DQN.load(tmp_path / "agent", env=gym.make("SliceRAN-v0", scenario=other))
