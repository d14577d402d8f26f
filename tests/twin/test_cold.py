"""`SliceTwin-v0` on a twin of a few decisions."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import check_env

from tests.helpers.twins import history_of
from twin import DigitalTwin


def test_it_is_an_environment_scalar_and_batched():
    made = DigitalTwin().fit(history_of("paper-1mhz").take(slice(0, 8)))
    check_env(gym.make("SliceTwin-v0", twin=made).unwrapped, skip_render_check=True)
    env, envs = gym.make("SliceTwin-v0", twin=made), gym.make_vec("SliceTwin-v0", num_envs=3, twin=made)
    observation, _ = env.reset(seed=5)
    observations, _ = envs.reset(seed=[4, 5, 6])
    np.testing.assert_array_equal(observation, observations[1])
    for action in (0, 70, 170):
        observation, reward, *_, info = env.step(action)
        observations, rewards, *_, infos = envs.step(np.array([3, action, 5]))
        np.testing.assert_array_equal(observation, observations[1])
        assert reward == rewards[1]
        assert info["epistemic_std"] == infos["epistemic_std"][1] > 0.0
        assert infos["ssr"].shape == (3, 3)
