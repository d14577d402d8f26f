"""Files of other agents, and of other environments, are refused with what to do."""

from __future__ import annotations

import pickle

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3

from agents import DDQN, DQN, DuelingGANDDQN
from agents.replay import ReplayBuffer
from tests.helpers.learners import Follow, each_kind, learner
from tests.helpers.learners import _one_thread as _one_thread


@each_kind
@pytest.mark.parametrize("foreign", [stable_baselines3.DQN, stable_baselines3.PPO, stable_baselines3.A2C])
def test_a_stock_agent_is_refused_with_what_loads_it(kind, foreign, tmp_path):
    foreign("MlpPolicy", Follow(), device="cpu").save(tmp_path / "stock.zip")
    with pytest.raises(ValueError, match=rf"stock\.zip' holds .*stable_baselines3\.{foreign.__name__}\.load\(p"):
        kind.load(tmp_path / "stock.zip")


@each_kind
def test_agents_of_this_package_that_differ_are_refused_too(kind, tmp_path):
    for other in (DQN, DDQN, DuelingGANDDQN):
        learner(other).save(tmp_path / "agent.zip")
        if (kind is DuelingGANDDQN) == (other is DuelingGANDDQN):
            assert isinstance(kind.load(tmp_path / "agent.zip"), kind)  # DQN and DDQN share a policy
        else:
            with pytest.raises(ValueError, match=r"agents\.\w+\.load\(path\) loads it"):
                kind.load(tmp_path / "agent.zip")


def test_the_weights_of_a_stock_agent_are_taken_over_as_the_message_says():
    stock = stable_baselines3.DQN("MlpPolicy", Follow(), policy_kwargs={"net_arch": [16, 16]}, seed=3)
    agent = learner(DQN, seed=4)
    agent.policy.load_state_dict(stock.policy.state_dict())
    seen = np.random.default_rng(0).random((20, 2), np.float32)
    np.testing.assert_array_equal(
        agent.predict(seen, deterministic=True)[0], stock.predict(seen, deterministic=True)[0]
    )


@each_kind
def test_a_replay_buffer_of_other_environments_is_refused_and_nothing_is_lost(kind, tmp_path):
    four, two = (learner(kind, env=gym.vector.SyncVectorEnv([Follow] * number)) for number in (4, 2))
    four.learn(40)
    four.save_replay_buffer(tmp_path / "buffer.pkl")
    with pytest.raises(ValueError, match=r"path: a replay buffer with n_envs=4 given, allowed is 2.*env="):
        two.load_replay_buffer(tmp_path / "buffer.pkl")
    two.learn(40)  # with its own
    four.save(tmp_path / "agent.zip")
    loaded = kind.load(tmp_path / "agent.zip", env=gym.vector.SyncVectorEnv([Follow] * 4))
    loaded.load_replay_buffer(tmp_path / "buffer.pkl")
    loaded.learn(40)


def test_a_state_of_other_environments_is_refused():
    """One environment's rows would be laid into those of all four, were shapes not compared."""
    one, four = (
        ReplayBuffer(80, Follow.observation_space, Follow.action_space, "cpu", n_envs=number) for number in (1, 4)
    )
    with pytest.raises(ValueError, match=r"observations: shape \(0, 1, 2\) given, allowed is \(rows, 4, 2\), .* 20"):
        four.restore(one.state())


def test_a_buffer_that_arrives_with_read_only_arrays_is_filled_on():
    agent, buffers = learner(DQN), []
    agent.learn(20)
    content = pickle.dumps(agent.replay_buffer, protocol=5, buffer_callback=buffers.append)
    agent.replay_buffer = pickle.loads(content, buffers=[bytes(buffer.raw()) for buffer in buffers])
    agent.learn(20, reset_num_timesteps=False)
    assert agent.replay_buffer.size() == 40
