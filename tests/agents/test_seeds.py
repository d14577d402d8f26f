"""A learner's seed decides all that its agent draws, where what makes the agent gives it none."""

from __future__ import annotations

import random

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
import torch
from sb3_contrib import QRDQN

from agents import DDQN, GymnasiumVecEnv, OffPolicyLearner, ReplayBuffer
from tests.helpers.learners import Follow, same, weights
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.own_agents import FromScratch

OURS = {"replay_buffer_class": ReplayBuffer}
AGENTS = {
    "DQN": (stable_baselines3.DQN, {"exploration_fraction": 0.9}),
    "QRDQN": (QRDQN, {"exploration_fraction": 0.9}),
    "our buffer": (stable_baselines3.DQN, {"exploration_fraction": 0.9, **OURS}),
    "DDQN": (DDQN, {"exploration_fraction": 0.9}),
    "an algorithm of one's own": (FromScratch, {"buffer_size": 90}),
}
each_agent = pytest.mark.parametrize("what", AGENTS)


def learner(what, learner_seed, env=None, **changes):
    kind, arguments = AGENTS[what]
    arguments = {"learning_starts": 8, "train_freq": 1, "batch_size": 16, "device": "cpu", **arguments, **changes}
    return OffPolicyLearner(lambda: kind("MlpPolicy", Follow() if env is None else env, **arguments), seed=learner_seed)


def learned(one):
    """What it learned from deciding; what it saw is part of it."""
    one.learn(40)
    return one.digest()


def stir_global_generators(seed):
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)


@each_agent
def test_the_same_seed_learns_the_same_bytes(what):
    stir_global_generators(0)
    first = learned(learner(what, 3))
    stir_global_generators(1)
    assert learned(learner(what, 3)) == first
    assert learned(learner(what, 4)) != first


@each_agent
def test_two_with_seeds_do_not_disturb_each_other(what):
    alone = learned(learner(what, 3))
    one, other = learner(what, 3), learner(what, 4)
    for _ in range(4):
        one.learn(10)
        other.learn(10)
    assert same(weights(one.model), weights(together(what).model))
    assert learned(learner(what, 3)) == alone


def together(what):
    """The same calls without another learner."""
    one = learner(what, 3)
    for _ in range(4):
        one.learn(10)
    return one


@pytest.mark.parametrize("what", ["DQN", "QRDQN", "DDQN"])
def test_a_learners_seed_is_as_good_as_the_agents_own(what):
    assert learned(learner(what, 3)) == learned(learner(what, None, seed=3))


@each_agent
def test_an_agents_own_seed_goes_first(what):
    own = {"seed": 5}
    if what == "our buffer":
        own["replay_buffer_kwargs"] = {"seed": 6}
    assert learned(learner(what, 3, **own)) == learned(learner(what, None, **own))


def test_a_buffers_own_seed_is_kept():
    made = learner("our buffer", 3, replay_buffer_kwargs={"seed": 6})
    assert made.model.replay_buffer.generator.integers(1000) == np.random.default_rng(6).integers(1000)


@pytest.mark.parametrize("what", ["DQN", "QRDQN"])
def test_batches_are_seeded_too(what):
    def batch():
        cells = gym.make_vec("SliceRAN-v0", num_envs=3, scenario="paper-1mhz")
        return learner(what, 3, GymnasiumVecEnv(cells))

    assert learned(batch()) == learned(batch())


def test_the_global_generators_are_left_alone():
    stir_global_generators(0)
    expected = random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
    stir_global_generators(0)
    learned(learner("DQN", 3))
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected  # noqa: NPY002


def test_seeds_are_checked():
    with pytest.raises(ValueError, match="seed: -1 given, allowed is 0 to"):
        learner("DQN", -1)
    with pytest.raises(TypeError, match=r"seed: 1\.5 is not a whole number"):
        learner("DQN", 1.5)
    with pytest.raises(ValueError, match="seed: 3 given, allowed is None for an agent that is made already"):
        OffPolicyLearner(learner("DQN", 3).model, seed=3)
