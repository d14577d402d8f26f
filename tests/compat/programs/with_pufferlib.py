"""PufferLib: its emulation of an environment, and a network that learns by REINFORCE."""

from __future__ import annotations

import sys

import gymnasium as gym
import numpy as np
import pufferlib.emulation
import torch
from torch import nn
from weights import fingerprint

import slicing_gym  # noqa: F401
import twin  # noqa: F401


def train(env_id: str) -> None:
    torch.manual_seed(0)
    env = pufferlib.emulation.GymnasiumPufferEnv(env_creator=lambda: gym.make(env_id))
    inputs, actions = int(np.prod(env.single_observation_space.shape)), int(env.single_action_space.n)
    net = nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, actions))
    before, optimizer = fingerprint(net), torch.optim.Adam(net.parameters())
    seen, _ = env.reset(seed=0)
    episodes = 0
    for _ in range(220):  # more than an episode
        drawn = torch.distributions.Categorical(logits=net(torch.tensor(np.ravel(seen))))
        chosen = drawn.sample()
        seen, reward, terminated, truncated, _ = env.step(chosen.numpy()[None])
        loss = -drawn.log_prob(chosen) * reward
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if terminated or truncated:
            episodes += 1
            seen, _ = env.reset()
    assert episodes == 1
    assert fingerprint(net) != before


if __name__ == "__main__":
    for each in sys.argv[1:]:
        train(each)
        print(f"trained: {each}", flush=True)
