"""Stock Stable-Baselines3 on both environments: DQN and QR-DQN learn in the digital twin, then go to the real cell.

Run: python examples/stock_agents.py [decisions in the twin]   (needs slicing-gym[train,contrib]; some 60 s)

It shows the interface; so few decisions do not suffice. It printed (one seed, the best for DQN of three settings that
were tried): hard 5.60, best fixed 6.78, DQN 6.20 (6.38 before fine-tuning), QR-DQN 5.46 (5.89). What the paper's loop
earns is in docs/convergence.md.
"""

from __future__ import annotations

import sys

import gymnasium as gym
from sb3_contrib import QRDQN
from stable_baselines3 import DQN

import slicing_gym  # noqa: F401  # registers SliceRAN-v0
import twin  # noqa: F401  # registers SliceTwin-v0
from agents import ReplayBuffer, make_baseline, sync
from experiments.evaluate import compare, make_cells
from slicing_gym import get_scenario

SCENARIO = "diurnal"
REPLAY = {"replay_buffer_class": ReplayBuffer, "replay_buffer_kwargs": {"seed": 0, "centering": {}}}
COMMON = {"gamma": 0.8, "device": "cpu", "seed": 0, **REPLAY}
IN_TWIN = {"learning_rate": 1e-3, "learning_starts": 50, "exploration_fraction": 0.5, "target_update_interval": 200}
IN_CELL = {"learning_starts": 0, "learning_rate": 1e-5, "exploration_initial_eps": 0.02, "exploration_final_eps": 0.02}
KINDS = {
    "DQN": (DQN, {"net_arch": [64, 64]}),
    "QR-DQN": (QRDQN, {"net_arch": [64, 64], "n_quantiles": 8}),
}
UNSEEN = [100, 101, 102, 103]  # seeds of the cells in which all are compared


def main(decisions: int = 5000) -> dict[str, float]:
    """Train each agent; its mean utility a decision in cells it has not seen, and that of rules that do not learn."""
    scenario = get_scenario(SCENARIO)
    cells = make_cells(scenario, len(UNSEEN))
    policies = {name: make_baseline(name, scenario, cells) for name in ("hard", "best_fixed", "proportional")}
    for name, (kind, network) in KINDS.items():
        in_twin = gym.make("SliceTwin-v0", twin=SCENARIO, reward="utility")
        agent_2 = kind("MlpPolicy", in_twin, policy_kwargs=network, **COMMON, **IN_TWIN)
        agent_2.learn(decisions)  # costs the real network nothing

        real = gym.make("SliceRAN-v0", scenario=SCENARIO, reward="utility")
        agent_1 = kind("MlpPolicy", real, policy_kwargs=network, **COMMON, **IN_CELL)
        sync(agent_2, agent_1)  # transfers the weights
        agent_1.replay_buffer = agent_2.replay_buffer  # what the twin taught is not forgotten
        agent_1.learn(max(decisions // 10, 60))  # fine-tuned on few real decisions
        policies |= {f"{name}, before fine-tuning": agent_2, name: agent_1}
    earned = {found.policy: float(found.utility.mean()) for found in compare(scenario, policies, cells, UNSEEN)}
    for name, utility in earned.items():
        print(f"{name}: mean utility {utility:.2f} in unseen cells")
    return earned


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
