"""Stable-Baselines3: DQN in two environments that it makes of the id, PPO in one in a process of its own."""

from __future__ import annotations

import sys

from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import SubprocVecEnv
from weights import fingerprint

import slicing_gym  # noqa: F401
import twin  # noqa: F401


def train(env_id: str) -> None:
    model = DQN("MlpPolicy", make_vec_env(env_id, n_envs=2), learning_starts=50, buffer_size=500, seed=0)
    before = fingerprint(model.policy)
    model.learn(250)
    assert fingerprint(model.policy) != before
    envs = make_vec_env(env_id, n_envs=1, vec_env_cls=SubprocVecEnv)
    model = PPO("MlpPolicy", envs, n_steps=64, batch_size=64, n_epochs=1, seed=0)
    before = fingerprint(model.policy)
    model.learn(128)
    assert fingerprint(model.policy) != before
    envs.close()


if __name__ == "__main__":
    for each in sys.argv[1:]:
        train(each)
        print(f"trained: {each}", flush=True)
