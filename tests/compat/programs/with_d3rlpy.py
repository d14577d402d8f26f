"""d3rlpy: conservative Q-learning from a Minari data set of decisions in an environment."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

import d3rlpy
import gymnasium as gym
import minari
import numpy as np
from weights import fingerprint

import slicing_gym  # noqa: F401
from twin import RecordHistory
from twin.data.minari import to_minari

DECISIONS, EPISODES = 100, 3


def write_dataset(env_id: str) -> str:
    """Random decisions in an environment, as a Minari data set; its id."""
    env = RecordHistory(gym.make(env_id, decisions=DECISIONS))
    for episode in range(EPISODES):
        env.reset(seed=episode)
        env.action_space.seed(episode)
        for _ in range(DECISIONS):
            env.step(env.action_space.sample())
    dataset_id = f"slicing/{env_id.lower()}"
    to_minari(env.recorder.history(), dataset_id)
    return dataset_id


def columns(dataset: minari.MinariDataset) -> tuple[Any, ...]:
    """Observations, actions, rewards, terminals and timeouts, one row per decision.

    A Minari episode has one observation more than decisions; `d3rlpy.datasets.get_minari` does not take it off.
    """
    episodes = list(dataset)
    observations = np.concatenate([each.observations[:-1] for each in episodes])
    names = ("actions", "rewards", "terminations", "truncations")
    return observations, *(np.concatenate([getattr(each, name) for each in episodes]) for name in names)


def train(env_id: str) -> None:
    dataset_id = write_dataset(env_id)
    actions = {
        "action_space": d3rlpy.constants.ActionSpace.DISCRETE,
        "action_size": int(gym.make(env_id).action_space.n),
    }
    dataset = d3rlpy.dataset.MDPDataset(*columns(minari.load_dataset(dataset_id)), **actions)
    assert [len(each.actions) for each in dataset.episodes] == [DECISIONS] * EPISODES
    factory = d3rlpy.models.encoders.VectorEncoderFactory([32, 32])
    agent = d3rlpy.algos.DiscreteCQLConfig(batch_size=32, encoder_factory=factory).create(device="cpu")
    agent.build_with_dataset(dataset)
    before = fingerprint(agent.impl.modules.q_funcs)
    silent = d3rlpy.logging.NoopAdapterFactory()
    agent.fit(dataset, n_steps=100, n_steps_per_epoch=100, show_progress=False, logger_adapter=silent)
    assert fingerprint(agent.impl.modules.q_funcs) != before
    observation, _ = gym.make(env_id).reset(seed=9)
    assert gym.make(env_id).action_space.contains(agent.predict(observation[None])[0])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MINARI_DATASETS_PATH"] = folder
        for each in sys.argv[1:]:
            train(each)
            print(f"trained: {each}", flush=True)
