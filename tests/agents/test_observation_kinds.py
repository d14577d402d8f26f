"""Every agent takes every kind of observation that Stable-Baselines3's DQN takes."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
from gymnasium import spaces

from slicing_gym import AllocationSpace
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.learners import each_kind, learner

SPACES = {
    "float32": spaces.Box(0.0, 1.0, (3,), np.float32),
    "float64": spaces.Box(0.0, 1.0, (3,), np.float64),
    "whole numbers": spaces.Box(0, 9, (3,), np.int64),
    "matrix": spaces.Box(0.0, 1.0, (2, 3), np.float64),
    "one number": spaces.Discrete(5),
    "several numbers": spaces.MultiDiscrete([3, 2, 4]),
    "switches": spaces.MultiBinary(3),
    "image": spaces.Box(0, 255, (36, 36, 3), np.uint8),
}
each_space = pytest.mark.parametrize("name", SPACES)


class Sampled(gym.Env):
    """Anything of a space is seen; units of the first slice are rewarded."""

    action_space = AllocationSpace(5, 3)

    def __init__(self, space, as_list=False):
        self.observation_space, self.as_list = space, as_list
        self.observation_space.seed(0)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed, options=options)
        self.steps = 0
        return self._observe(), {}

    def step(self, action):
        self.steps += 1
        return self._observe(), float(action) / 5.0, False, self.steps == 5, {}

    def _observe(self):
        seen = self.observation_space.sample()
        return seen.tolist() if self.as_list else seen


@each_kind
@each_space
def test_an_agent_learns_from_it_and_acts_on_it(kind, name, tmp_path):
    agent = learner(kind, env=Sampled(SPACES[name]))
    agent.learn(12)
    seen = agent.env.reset()
    actions = agent.predict(seen, deterministic=True)[0]
    assert agent.action_space.contains(np.int64(actions[0]))
    agent.save(tmp_path / "agent.zip")
    again = kind.load(tmp_path / "agent.zip")
    np.testing.assert_array_equal(again.predict(seen, deterministic=True)[0], actions)


@each_kind
def test_lists_are_taken_as_arrays(kind):
    agent = learner(kind, env=Sampled(SPACES["float32"], as_list=True))
    agent.learn(12)
    assert agent.predict(np.zeros(3), deterministic=True)[0].shape == ()  # of float64


@each_kind
def test_what_is_seen_is_scaled_as_sb3_does(kind):
    """One-hot numbers and images from 0 to 1 reach the first layer, and the critic, too."""
    for name, space in SPACES.items():
        agent = learner(kind, env=Sampled(space))
        theirs = stable_baselines3.DQN("MlpPolicy", Sampled(space), buffer_size=10).policy
        seen = agent.policy.obs_to_tensor(agent.env.reset())[0]
        wanted = theirs.q_net.extract_features(seen, theirs.q_net.features_extractor)
        np.testing.assert_array_equal(agent.policy.q_net.features(seen).numpy(), wanted.numpy(), err_msg=name)
        if hasattr(agent.policy, "critic"):
            np.testing.assert_array_equal(agent.policy.flat(seen).numpy(), wanted.numpy(), err_msg=name)


@each_kind
@pytest.mark.parametrize("policy", ["MlpPolicy", "MultiInputPolicy", "CnnPolicy"])
def test_dicts_are_refused_with_what_to_do(kind, policy):
    with pytest.raises(ValueError, match="FlattenObservation"):
        kind(policy, Sampled(spaces.Dict({"loads": SPACES["float32"]})))
