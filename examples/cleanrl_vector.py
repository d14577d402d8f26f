"""A CleanRL-style DQN loop over a native batch of cells: one call advances them all.

Run: python examples/cleanrl_vector.py [steps of the batch]   (needs torch alone; 1 minute)
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


def main(steps: int = 3000, cells: int = 16) -> float:
    """Learn; the mean utility a decision of the last tenth of the steps."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    envs = gym.make_vec("SliceRAN-v0", num_envs=cells, num_threads=2, scenario="paper-1mhz", reward="utility")
    actions = int(envs.single_action_space.n)
    q_network, target = (nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, actions)) for _ in range(2))
    target.load_state_dict(q_network.state_dict())
    optimizer = torch.optim.Adam(q_network.parameters(), lr=1e-3)
    replay, earned = [], []
    seen, _ = envs.reset(seed=0)  # cells of seeds 0 to 15
    resetting = np.zeros(cells, bool)  # the step after an episode's end begins the next one, and earns nothing
    for step in range(steps):
        with torch.no_grad():
            chosen = q_network(torch.tensor(seen)).argmax(1).numpy()
        explore = random.random(cells) < max(0.02, 1.0 - 2.0 * step / steps)
        chosen[explore] = random.integers(actions, size=explore.sum())
        following, rewards, _, truncations, _ = envs.step(chosen)
        real = ~resetting
        replay.append((seen[real], chosen[real], rewards[real], following[real]))
        earned.extend(rewards[real])
        seen, resetting = following, truncations
        batch = [replay[i] for i in random.integers(len(replay), size=4)]
        states, taken, reward, later = (torch.tensor(np.concatenate(part)) for part in zip(*batch, strict=True))
        with torch.no_grad():
            wanted = reward.float() + 0.8 * target(later).max(1).values  # episodes are truncated, never terminated
        loss = nn.functional.mse_loss(q_network(states).gather(1, taken[:, None]).squeeze(1), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        target.load_state_dict((q_network if step % 100 == 0 else target).state_dict())
    last = float(np.mean(earned[-max(len(earned) // 10, 1) :]))
    print(f"{len(earned)} decisions in {cells} cells; mean utility of the last tenth {last:.2f}")
    return last


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
