"""The loop of CleanRL's dqn.py, over a batch that gym.make_vec makes; of frameworks it needs PyTorch alone."""

from __future__ import annotations

import random
import sys
from collections import deque

import gymnasium as gym
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from weights import fingerprint

import slicing_gym  # noqa: F401
import twin  # noqa: F401


def train(env_id: str) -> None:
    torch.manual_seed(0)
    random.seed(0)
    envs = gym.wrappers.vector.RecordEpisodeStatistics(gym.make_vec(env_id, num_envs=4))
    inputs, actions = int(np.prod(envs.single_observation_space.shape)), int(envs.single_action_space.n)
    q_network = nn.Sequential(nn.Linear(inputs, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, actions))
    before = fingerprint(q_network)
    optimizer = torch.optim.Adam(q_network.parameters())
    replay: deque = deque(maxlen=1000)
    seen, _ = envs.reset(seed=0)
    for step in range(250):  # more than an episode
        chosen = q_network(torch.tensor(seen)).argmax(1).numpy()
        if random.random() < 0.3:
            chosen = envs.action_space.sample()
        following, rewards, terminations, _, infos = envs.step(chosen)
        for row in zip(seen, chosen, rewards, following, terminations, strict=True):
            replay.append(row)
        seen = following
        if step >= 20:
            states, taken, earned, later, over = map(np.array, zip(*random.sample(replay, 32), strict=True))
            with torch.no_grad():
                ahead = q_network(torch.tensor(later)).max(dim=1).values
                target = torch.tensor(earned, dtype=torch.float32) + 0.8 * ahead * torch.tensor(~over)
            values = q_network(torch.tensor(states)).gather(1, torch.tensor(taken)[:, None]).squeeze()
            loss = functional.mse_loss(target, values)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if "_episode" in infos and infos["_episode"].any():
            assert (infos["episode"]["l"][infos["_episode"]] == 200).all()
    assert fingerprint(q_network) != before


if __name__ == "__main__":
    for each in sys.argv[1:]:
        train(each)
        print(f"trained: {each}", flush=True)
