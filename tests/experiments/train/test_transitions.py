"""What a history has for a replay buffer, and an environment that goes back to where it was."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from agents import DQN
from slicing_gym import Reward, get_scenario
from tests.helpers.learners import _one_thread as _one_thread
from twin import RecordHistory
from twin.data.transitions import transitions_of


def test_transitions_are_what_the_environment_gave():
    scenario = get_scenario("paper-1mhz").replace(decisions_per_episode=15, reward=Reward(threshold_decisions=30))
    env = RecordHistory(gym.make("SliceRAN-v0", scenario=scenario))
    agent = DQN("MlpPolicy", env, learning_starts=100, seed=0, device="cpu")
    agent.learn(40)
    expected = agent.replay_buffer
    given = transitions_of(env.recorder.history())
    observations, actions, rewards, following = given[:4]
    np.testing.assert_array_equal(observations, expected.observations[:40, 0])
    np.testing.assert_array_equal(actions, expected.actions[:40, 0, 0])
    np.testing.assert_array_equal(rewards, expected.rewards[:40, 0])
    np.testing.assert_array_equal(following, expected.next_observations[:40, 0])
    assert 0 < rewards.mean() < 1
    assert np.flatnonzero(given.last).tolist() == [14, 29, 39]  # truncated, and what is not continued yet
    assert given.terminal is None
    other = DQN("MlpPolicy", env, buffer_size=50, seed=0, device="cpu").replay_buffer
    other.add_all(given)
    for name, array in other.state().items():
        if name not in ("pos", "full"):
            until = 39 if name in ("dones", "timeouts") else 40
            np.testing.assert_array_equal(array[:until], expected.state()[name][:until])
    assert (other.dones[39, 0], other.timeouts[39, 0]) == (1.0, 1.0)
    with pytest.raises(ValueError, match="rewards: 40 given, there is room for 10"):
        other.add_all(given)


def test_an_environment_goes_back_to_its_state():
    env = gym.make("SliceRAN-v0", scenario="paper-1mhz").unwrapped
    env.reset(seed=5)
    for action in range(30):
        env.step(action)
    kept = env.state()
    ahead = [env.step(action)[:4] for action in range(20)]
    other = gym.make("SliceRAN-v0", scenario="paper-1mhz").unwrapped
    other.restore(kept)
    again = [other.step(action)[:4] for action in range(20)]
    for one, two in zip(ahead, again, strict=True):
        np.testing.assert_array_equal(one[0], two[0])
        assert one[1:] == two[1:]
    assert other.decisions == env.decisions == 50
    with pytest.raises(ValueError, match="counts: shape"):
        other.restore({key: value for key, value in kept.items() if key != "counts"})
