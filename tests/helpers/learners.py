"""Small learning agents for tests, and what they learn from."""

from __future__ import annotations

import io
import json

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.logger import Logger

from agents import DDQN, DQN, DuelingGANDDQN
from agents.dqn import HEADS

KINDS = {kind.__name__: kind for kind in (DQN, DDQN, DuelingGANDDQN)}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
each_head = pytest.mark.parametrize("head", HEADS)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """For every test of a module that imports this."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Follow(gym.Env):
    """The best of seven actions is what the first of two numbers asks for; as far off as that, as much less reward."""

    observation_space = spaces.Box(0.0, 1.0, (2,), np.float32)
    action_space = spaces.Discrete(7)

    def __init__(self, length=10, terminates=False, bonus=0.0):
        self.length, self.terminates, self.bonus, self.step_in_episode = length, terminates, bonus, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed, options=options)
        self.step_in_episode = 0
        return self._observe(), {}

    def step(self, action):
        reward = self.bonus - abs(int(action) - int(best_to_follow(self.observation[None])[0])) / 6.0
        self.step_in_episode += 1
        over = self.step_in_episode >= self.length
        return self._observe(), reward, over and self.terminates, over and not self.terminates, {}

    def _observe(self):
        self.observation = self.np_random.random(2, dtype=np.float32)
        return self.observation


def best_to_follow(observations):
    return np.round(6.0 * observations[:, 0]).astype(int)


def learner(kind, head="dense", env=None, *, policy=None, **arguments):
    """A small agent; `policy` holds more of its `policy_kwargs`."""
    settings = {"net_arch": [16, 16], "head": head}
    if kind is DuelingGANDDQN:
        settings |= {"critic_size": 16, "num_particles": 8}
        arguments = {"critic_steps": 2, **arguments}
    arguments = {"buffer_size": 1000, "learning_starts": 8, "seed": 0, "device": "cpu", **arguments}
    agent = kind("MlpPolicy", Follow() if env is None else env, policy_kwargs=settings | (policy or {}), **arguments)
    agent.set_logger(Logger(None, []))
    return agent


def weights(agent):
    return {name: value.clone() for name, value in agent.policy.state_dict().items()}


def same(one, other, tolerance=0.0):
    return one.keys() == other.keys() and all(
        torch.allclose(one[name], other[name], rtol=0.0, atol=tolerance) for name in one
    )


def written(data, arrays):
    """A state after it was written and read again, as checkpoints are: JSON and npz without pickle."""
    text, file = json.dumps(data), io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        return json.loads(text), {name: archive[name] for name in archive.files}


def fill(buffer, number=60, seed=0, scale=3.0):
    """Random transitions; a third ends an episode, half of these are truncated."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        kind = rng.integers(6)
        buffer.add(
            rng.random((1, 2), dtype=np.float32),
            rng.random((1, 2), dtype=np.float32),
            rng.integers(7, size=1),
            scale * rng.standard_normal(1).astype(np.float32),
            np.array([kind < 2]),
            [{"TimeLimit.truncated": kind == 0}],
        )


def stir(agent, seed=1):
    """Make the target network differ from the other, as after some updates."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in agent.q_net_target.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)


def filled(kind, head="dense", **arguments):
    agent = learner(kind, head, **arguments)
    fill(agent.replay_buffer)
    stir(agent)
    return agent
