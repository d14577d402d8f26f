"""Subclasses of the agents explore as those of Stable-Baselines3's do: by their own `predict`."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from agents import DDQN, DQN, DuelingGANDDQN

SMALL = {"net_arch": [16]}


class Careful(DDQN):
    """Explores among the first allocations alone, as users of Stable-Baselines3 write it: in `predict`."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        actions, state = super().predict(observation, state, episode_start, deterministic=True)
        if deterministic:
            return actions, state
        explores = self.generator.random(np.shape(actions)) < self.exploration_rate
        return np.where(explores, self.generator.integers(3, size=np.shape(actions)), actions), state


def test_a_subclass_explores_by_its_own_predict():
    settings = {"learning_starts": 20, "exploration_initial_eps": 1.0, "exploration_final_eps": 1.0, "seed": 0}
    agent = Careful(
        "MlpPolicy", gym.make("SliceRAN-v0", scenario="paper-1mhz"), buffer_size=60, policy_kwargs=SMALL, **settings
    )
    agent.learn(60)
    taken = agent.replay_buffer.actions.ravel()
    assert (taken[:20] >= 3).any()
    assert set(taken[20:].tolist()) == {0, 1, 2}


@pytest.mark.parametrize("kind", [DQN, DDQN, DuelingGANDDQN])
def test_actions_while_learning_are_those_of_predict(kind):
    """The shorter way draws as `predict` does: asked in its place, it gives the same run."""

    class Asked(kind):
        def predict(self, *arguments, **named):
            return super().predict(*arguments, **named)

    taken = []
    for each in (kind, Asked):
        agent = each(
            "MlpPolicy", gym.make("SliceRAN-v0", scenario="paper-1mhz"), learning_starts=20, buffer_size=60, seed=0
        )
        agent.learn(30)
        taken.append(agent.replay_buffer.actions.ravel())
    np.testing.assert_array_equal(*taken)
