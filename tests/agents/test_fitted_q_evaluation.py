"""Fitted Q evaluation: what a policy is worth, estimated from a history made by others."""

from __future__ import annotations

import numpy as np
import pytest

from agents import FittedQEvaluation, learn_offline
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.learners import best_to_follow, learner


def pairs(number, seed=0):
    """States before and after, as `Follow` and `small` have them."""
    return np.random.default_rng(seed).random((2, number, 2), dtype=np.float32)


def data(number=70, seed=0):
    states, following = pairs(number, seed)
    actions = np.random.default_rng(seed + 1).integers(7, size=number)
    return states, actions, -np.abs(actions - best_to_follow(states)) / 6.0, following


class Always:
    def __init__(self, action):
        self.action = action

    def predict(self, observation, state=None, **_):
        return np.full(len(observation), self.action), state


def estimated(policy, states, actions, rewards, following, **arguments):
    evaluation = learner(FittedQEvaluation, learning_rate=5e-3, target_update_interval=10, batch_size=64, **arguments)
    evaluation.set_policy(policy, states, following)
    learn_offline(evaluation, states, actions, rewards, following, epochs=80)
    return evaluation.value(states)


@pytest.mark.parametrize(("gamma", "center_rewards"), [(0.0, False), (0.6, True)])
def test_a_bandit_is_estimated_by_its_rewards(gamma, center_rewards):
    """Every decision for action a earns 3 + a/6, whatever the state: so does who always takes a."""
    states, following = pairs(500)
    actions = np.random.default_rng(3).integers(7, size=500)
    for action in (1, 6):
        value = estimated(
            Always(action), states, actions, 3.0 + actions / 6.0, following, gamma=gamma, center_rewards=center_rewards
        )
        assert value == pytest.approx(3.0 + action / 6.0, abs=0.1)


def test_a_chain_is_estimated_under_the_policy_that_is_evaluated():
    """In the good state (first number 1) a decision earns 1; odd actions lead there, even ones away.

    Half of the states are good, so that forever odd is worth (1 - gamma) / 2 + gamma, and forever even (1 - gamma) / 2.
    """
    states = np.zeros((600, 2), np.float32)
    states[::2, 0] = 1.0
    actions = np.random.default_rng(4).integers(7, size=600)
    following = np.stack([actions % 2, np.zeros(600)], axis=1).astype(np.float32)
    for action, expected in ((3, 0.85), (4, 0.15)):
        value = estimated(Always(action), states, actions, states[:, 0], following, gamma=0.7, center_rewards=True)
        assert value == pytest.approx(expected, abs=0.06)


def test_an_evaluation_needs_a_policy():
    with pytest.raises(RuntimeError, match="set_policy: no policy was given"):
        learn_offline(learner(FittedQEvaluation), *data(), epochs=1)
