"""Stock Stable-Baselines3 on both environments: DQN and QR-DQN learn in the digital twin, then go on in the real cell.

Run: python examples/stock_agents.py [decisions in the twin]   (needs slicing-gym[train,contrib]; 3 minutes)

With a twin (whose history was 4000 random decisions) 400 real decisions earn 7.45, not 6.51 (DQN), and 7.32, not 6.32
(QR-DQN; means of 3 seeds); then unseen cells 7.50, not 7.36, and 7.36, not 7.12. Fine-tuning adds nothing.
"""

from __future__ import annotations

import sys
from collections import defaultdict

try:
    import gymnasium as gym
    import torch
    from sb3_contrib import QRDQN
    from stable_baselines3 import DQN
except ModuleNotFoundError as error:
    sys.exit(f"error: {error.name} is missing: pip install 'slicing-gym[train,contrib]'")

import twin  # noqa: F401  # registers SliceTwin-v0
from agents import GymnasiumVecEnv, ReplayBuffer, make_baseline, sync
from experiments.evaluate import compare, make_cells
from slicing_gym import get_scenario

SCENARIO, SEEDS, UNSEEN = get_scenario("diurnal"), (0, 1, 2), [100, 101, 102, 103]  # seeds of agents, and of cells
KINDS = {"DQN": (DQN, {"net_arch": [64, 64]}), "QR-DQN": (QRDQN, {"net_arch": [64, 32], "n_quantiles": 4})}
COMMON = {"policy": "MlpPolicy", "gamma": 0.8, "train_freq": 1, "batch_size": 64, "exploration_final_eps": 0.02}
LEARN = {"learning_rate": lambda left: 1e-3 * left, "learning_starts": 50, "exploration_fraction": 0.7}


def main(decisions: int = 10_000) -> dict[str, float]:
    """Train all; their mean utility a decision over seeds, while they learned and in cells that they have not seen."""
    torch.set_num_threads(1)
    cells, earned = make_cells(SCENARIO, len(UNSEEN)), defaultdict(list)
    for seed in SEEDS:
        policies = {name: make_baseline(name, SCENARIO, cells) for name in ("hard", "best_fixed", "proportional")}
        for name, (kind, network) in KINDS.items():
            replay = {"replay_buffer_class": ReplayBuffer, "replay_buffer_kwargs": {"seed": seed, "centering": {}}}
            base = {"policy_kwargs": network, "seed": seed, **replay, **COMMON}
            in_twin = GymnasiumVecEnv(gym.make_vec("SliceTwin-v0", num_envs=32, twin="diurnal", reward="utility"))
            agent_2 = kind(env=in_twin, gradient_steps=4, target_update_interval=2000, **base, **LEARN).learn(decisions)
            real = gym.make("SliceRAN-v0", scenario=SCENARIO, reward="utility")
            agent_1 = kind(env=real, learning_rate=1e-5, learning_starts=0, exploration_initial_eps=0.02, **base)
            sync(agent_2, agent_1)  # transfers the weights; before learning_starts SB3 would decide at random
            alone = kind(env=real, gradient_steps=2, target_update_interval=200, **base, **LEARN)
            policies[f"{name} before fine-tuning"] = agent_2
            for how, agent in {"from the twin": agent_1, "without a twin": alone}.items():
                policies[f"{name} {how}"] = agent.learn(max(decisions // 25, 20))
                earned[f"{name} {how}, as it learns"].append(agent.replay_buffer.rewards[: agent.num_timesteps].mean())
        for found in compare(SCENARIO, policies, cells, UNSEEN):
            earned[f"{found.policy}, unseen cells"].append(found.utility.mean())
    print(*(f"{k:50} {sum(v) / len(v):.2f} ({min(v):.2f} to {max(v):.2f})" for k, v in earned.items()), sep="\n")
    return {name: float(sum(each) / len(each)) for name, each in earned.items()}


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
