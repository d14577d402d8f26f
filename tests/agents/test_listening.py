"""How often a learner is updated in a batch, and what a listener hears of its cells."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit

from agents import DDQN, DQN, OffPolicyLearner
from agents.learner import for_sb3
from agents.listening import decisions_between_updates
from tests.helpers.learners import _one_thread as _one_thread

KINDS = {
    "dqn": DQN,
    "ddqn": DDQN,
    "sb3_dqn": stable_baselines3.DQN,
    "sb3_qrdqn": sb3_contrib.QRDQN,
}


def batch(number):
    return gym.make_vec("SliceRAN-v0", number, scenario="paper-1mhz", reward="utility", autoreset_mode="SameStep")


def made(kind, env, *, per_decision=True, **arguments):
    settings = {"learning_starts": 0, "batch_size": 4, "target_update_interval": 100, "device": "cpu", "gamma": 0.8}

    def make():
        return kind("MlpPolicy", for_sb3(env), policy_kwargs={"net_arch": [4]}, **{**settings, **arguments})

    return OffPolicyLearner(make, seed=0, per_decision=per_decision)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(
    ("train_freq", "gradient_steps", "cells"), [(1, 1, 8), (4, 3, 8), (6, 1, 4), (8, 2, 8), (1, -1, 8), (3, -1, 2)]
)
def test_a_batch_takes_as_many_updates_a_decision_as_one_cell(kind, train_freq, gradient_steps, cells):
    learner = made(kind, batch(cells), train_freq=train_freq, gradient_steps=gradient_steps)
    each_decision = 1.0 if gradient_steps < 0 else gradient_steps / train_freq
    for decisions in (96, 192):  # every call, not the first alone
        learner.learn(96)
        assert learner.num_decisions == decisions
        assert learner.model._n_updates == round(decisions * each_decision)
    assert learner.model.train_freq == TrainFreq(train_freq, TrainFrequencyUnit.STEP)
    assert learner.model.gradient_steps == gradient_steps
    assert "train" not in vars(learner.model)


def test_without_it_updates_are_counted_by_steps_of_the_batch_as_in_the_twin():
    learner = made(DDQN, batch(8), per_decision=False, gradient_steps=2)
    learner.learn(96)
    assert learner.model._n_updates == 2 * 96 // 8


def test_settings_are_what_they_were_after_an_error():
    class Fails:
        def on_start(self, reset_info, cell=0):
            pass

        def on_settled(self):
            pass

        def on_decision(self, experience):
            raise KeyError(experience.cell)

    learner = made(DDQN, batch(8), train_freq=4)
    with pytest.raises(KeyError, match="0"):
        learner.learn(96, Fails())
    assert learner.model.train_freq == TrainFreq(4, TrainFrequencyUnit.STEP)
    assert "train" not in vars(learner.model)


def test_an_agent_updated_by_episodes_is_refused_in_a_batch():
    model = made(stable_baselines3.DQN, gym.make("SliceRAN-v0", reward="utility"), train_freq=(1, "episode")).model
    assert decisions_between_updates(model, 1) == 1
    with pytest.raises(ValueError, match="num_envs: 8 given, allowed is 1 for an agent that is updated by episodes"):
        decisions_between_updates(model, 8)


class Hears:
    """Keeps all that a listener is told."""

    def __init__(self):
        self.begun, self.seen, self.settled = [], [], 0

    def on_start(self, reset_info, cell=0):
        self.begun.append((cell, reset_info))

    def on_settled(self):
        self.settled += 1

    def on_decision(self, experience):
        self.seen.append(experience)


def test_a_listener_hears_of_each_cell_what_its_own_environment_says():
    """Cell i of a batch of seed s is the scalar environment of seed s + i, beyond the end of an episode too."""
    hears, cells, steps = Hears(), 3, 203
    learner = made(DDQN, batch(cells), learning_starts=10**6)
    learner.learn(cells * steps, hears)
    assert [cell for cell, _ in hears.begun] == [0, 1, 2]
    assert len(hears.seen) == cells * steps
    assert hears.settled == steps
    assert [each.cell for each in hears.seen] == [0, 1, 2] * steps
    for cell in range(cells):
        env = gym.make("SliceRAN-v0", scenario="paper-1mhz", reward="utility")
        observation, reset_info = env.reset(seed=cell)
        np.testing.assert_array_equal(hears.begun[cell][1]["arrivals"], reset_info["arrivals"])
        for each in hears.seen[cell::cells]:
            np.testing.assert_array_equal(each.observation, observation)
            observation, reward, terminated, truncated, info = env.step(np.int64(each.action))
            np.testing.assert_array_equal(each.next_observation, observation)
            assert each.reward == pytest.approx(reward, rel=1e-6)
            assert (each.terminated, each.truncated) == (terminated, truncated)
            np.testing.assert_array_equal(each.info["ssr"], info["ssr"])
            assert (each.reset_info is None) == (not truncated)
            if truncated:
                observation, reset_info = env.reset()
                np.testing.assert_array_equal(each.reset_info["arrivals"], reset_info["arrivals"])
