"""A plain PyTorch loop without Stable-Baselines3: a contextual bandit of one small network, on one cell.

Run: python examples/pytorch_loop.py [decisions]   (needs torch alone; 1 minute)
"""

from __future__ import annotations

import sys

import gymnasium as gym
import numpy as np

import slicing_gym  # noqa: F401

try:
    import torch
    from torch import nn
except ModuleNotFoundError as error:
    sys.exit(f"error: {error.name} is missing: pip install torch")


def main(decisions: int = 4000) -> float:
    """Learn; the mean utility of the last tenth of the decisions."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    env = gym.make("SliceRAN-v0", scenario="paper-1mhz", reward="utility")
    network = nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, env.action_space.n))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    memory: list[tuple[np.ndarray, int, float]] = []
    utilities = []
    observation, _ = env.reset(seed=0)
    for step in range(decisions):
        epsilon = max(0.02, 1.0 - 2.0 * step / decisions)
        with torch.no_grad():
            greedy = int(network(torch.tensor(observation)).argmax())
        action = int(random.integers(env.action_space.n)) if random.random() < epsilon else greedy
        following, reward, _, truncated, info = env.step(action)
        memory.append((observation, action, float(reward)))
        utilities.append(float(info["utility"]))
        batch = [memory[i] for i in random.integers(len(memory), size=64)]
        seen, taken, earned = (torch.tensor(np.array(part)) for part in zip(*batch, strict=True))
        values = network(seen).gather(1, taken[:, None]).squeeze(1)
        loss = nn.functional.mse_loss(values, earned.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        observation = env.reset()[0] if truncated else following  # the same cell, the next episode
    last = float(np.mean(utilities[-max(decisions // 10, 1) :]))
    print(f"mean utility: first tenth {np.mean(utilities[: max(decisions // 10, 1)]):.2f}, last tenth {last:.2f}")
    return last


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
