"""A planner, good after some ten decisions, that keeps a demand: 95 % of URLLC's packets in time.

Run: python examples/planner_with_constraint.py [decisions]   (needs slicing-gym[train]; 1 minute)
"""

from __future__ import annotations

import sys

import gymnasium as gym
import numpy as np

import slicing_gym  # noqa: F401
from agents import Planner
from twin import PlanningTwin

SCENARIO = "diurnal"


def main(decisions: int = 400) -> float:
    """Learn while deciding, then decide for half an episode; the share of URLLC's packets in time."""
    env = gym.make("SliceRAN-v0", scenario=SCENARIO, reward="utility")
    planner = Planner(env, PlanningTwin(SCENARIO), min_ssr={"urllc": 0.95}, min_probability=0.9, seed=0)
    planner.learn(decisions)
    print(planner.constraint_report())

    observation, _ = env.reset(seed=1)  # a cell that it has not seen
    utilities, satisfied = [], []
    for _ in range(min(decisions, 100)):
        action, _ = planner.predict(observation, deterministic=True)
        observation, utility, _, _, info = env.step(int(action))
        utilities.append(float(utility))
        satisfied.append(info["ssr"])
    means = np.mean(satisfied, axis=0)
    names = env.unwrapped.scenario.slice_names
    print(f"mean utility {np.mean(utilities):.2f};", {n: round(float(m), 3) for n, m in zip(names, means, strict=True)})
    return float(means[2])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
