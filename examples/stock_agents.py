"""Stock Stable-Baselines3 on both environments: DQN and QR-DQN learn in the digital twin, then go to the real cell.

Run: python examples/stock_agents.py [decisions in the twin]   (needs slicing-gym[train,contrib]; 2 minutes)
"""

from __future__ import annotations

import sys

import gymnasium as gym
from sb3_contrib import QRDQN
from stable_baselines3 import DQN
from stable_baselines3.common.evaluation import evaluate_policy

import slicing_gym  # noqa: F401  # registers SliceRAN-v0
import twin  # noqa: F401  # registers SliceTwin-v0
from agents import sync

SCENARIO = "diurnal"
COMMON = {"gamma": 0.8, "learning_starts": 50, "exploration_fraction": 0.5, "device": "cpu", "seed": 0}
KINDS = {
    "DQN": (DQN, {"net_arch": [64, 64]}),
    "QR-DQN": (QRDQN, {"net_arch": [64, 64], "n_quantiles": 8}),
}


def main(decisions: int = 10_000) -> dict[str, float]:
    """Train each agent; its mean utility a decision in a real cell."""
    earned = {}
    for name, (kind, network) in KINDS.items():
        in_twin = gym.make("SliceTwin-v0", twin=SCENARIO, reward="utility")
        real = gym.make("SliceRAN-v0", scenario=SCENARIO, reward="utility")
        agent_2 = kind("MlpPolicy", in_twin, policy_kwargs=network, **COMMON)
        agent_2.learn(decisions)  # costs the real network nothing

        agent_1 = kind("MlpPolicy", real, policy_kwargs=network, learning_rate=1e-5, **COMMON)
        sync(agent_2, agent_1)  # transfers the weights
        agent_1.exploration_initial_eps = agent_1.exploration_final_eps = 0.02
        agent_1.learn(max(decisions // 10, 60))  # fine-tuned on few real decisions

        mean, _ = evaluate_policy(agent_1, real, n_eval_episodes=1, warn=False)
        earned[name] = mean / real.unwrapped.scenario.decisions_per_episode
        print(f"{name}: mean utility {earned[name]:.2f} in the real cell")
    return earned


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
