"""Tianshou: DQN with its collector, over environments of its own vectorization."""

from __future__ import annotations

import sys

import gymnasium as gym
from tianshou.algorithm import DQN
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.common import Net
from weights import fingerprint

import slicing_gym  # noqa: F401
import twin  # noqa: F401


def train(env_id: str) -> None:
    env = gym.make(env_id)
    envs = DummyVectorEnv([lambda: gym.make(env_id) for _ in range(2)])
    net = Net(state_shape=env.observation_space.shape, action_shape=env.action_space.n, hidden_sizes=[32])
    policy = DiscreteQLearningPolicy(
        model=net, action_space=env.action_space, observation_space=env.observation_space, eps_training=0.2
    )
    algorithm = DQN(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), gamma=0.8, target_update_freq=50)
    collector = Collector(algorithm, envs, VectorReplayBuffer(1000, 2), exploration_noise=True)
    collector.reset()
    before = fingerprint(net)
    algorithm.run_training(
        OffPolicyTrainerParams(
            training_collector=collector,
            max_epochs=1,
            epoch_num_steps=420,  # more than an episode
            collection_step_num_env_steps=42,
            update_step_num_gradient_steps_per_sample=0.1,
            show_progress=False,
        )
    )
    assert fingerprint(net) != before


if __name__ == "__main__":
    for each in sys.argv[1:]:
        train(each)
        print(f"trained: {each}", flush=True)
