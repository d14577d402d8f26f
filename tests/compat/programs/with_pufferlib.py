"""PufferLib: its emulation of an environment, in its serial batch, with a network that learns by REINFORCE."""

from __future__ import annotations

import sys

import gymnasium as gym
import numpy as np
import pufferlib.emulation
import pufferlib.vector
import torch
from torch import nn
from weights import fingerprint

import slicing_gym  # noqa: F401
import twin  # noqa: F401


def train(env_id: str) -> None:
    torch.manual_seed(0)

    envs = pufferlib.vector.make(
        pufferlib.emulation.GymnasiumPufferEnv,
        env_kwargs={"env_creator": lambda: gym.make(env_id)},
        num_envs=2,
        backend=pufferlib.vector.Serial,
    )
    inputs, actions = int(np.prod(envs.single_observation_space.shape)), int(envs.single_action_space.n)
    net = nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, actions))
    before, optimizer = fingerprint(net), torch.optim.Adam(net.parameters())
    seen, _ = envs.reset(seed=0)
    over = 0
    for _ in range(220):  # more than an episode
        drawn = torch.distributions.Categorical(logits=net(torch.as_tensor(np.array(seen), dtype=torch.float32)))
        chosen = drawn.sample()
        seen, rewards, terminations, truncations, _ = envs.step(chosen.numpy())
        over += int((terminations | truncations).sum())
        loss = -(drawn.log_prob(chosen) * torch.as_tensor(np.array(rewards))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert over == 2
    assert fingerprint(net) != before


if __name__ == "__main__":
    for each in sys.argv[1:]:
        train(each)
        print(f"trained: {each}", flush=True)
