"""AgileRL: DQN over a batch that gym.make_vec makes, by its training function."""

from __future__ import annotations

import sys

import gymnasium as gym
from agilerl.algorithms import DQN
from agilerl.components.replay_buffer import ReplayBuffer
from agilerl.training.train_off_policy import train_off_policy
from weights import fingerprint

import slicing_gym  # noqa: F401
import twin  # noqa: F401


def train(env_id: str) -> None:
    envs = gym.make_vec(env_id, num_envs=2)
    small = {"encoder_config": {"hidden_size": [32]}, "head_config": {"hidden_size": [32]}}
    agent = DQN(envs.single_observation_space, envs.single_action_space, net_config=small, batch_size=32)
    before = fingerprint(agent.actor)
    population, _ = train_off_policy(
        envs,
        env_id,
        "DQN",
        [agent],
        ReplayBuffer(max_size=1000),
        max_steps=420,
        evo_steps=420,
        eval_steps=10,
        learning_delay=40,
        verbose=False,
    )
    assert fingerprint(population[0].actor) != before


if __name__ == "__main__":
    for each in sys.argv[1:]:
        train(each)
        print(f"trained: {each}", flush=True)
