"""What policies do and earn in a cell, by hand; and a cell of few allocations to learn from."""

from __future__ import annotations

import gymnasium as gym
import numpy as np

from slicing_gym import get_scenario
from twin import PERFORMANCE, History

COARSE = get_scenario("paper-1mhz").replace(
    name="coarse",
    radio={"resolution_hz": 4e6, "slots_per_interval": 40},
    decisions_per_episode=10,
    reward={"kind": "utility"},
)
"""Six allocations, and short intervals."""


def recorded(env_scenario, policy, decisions, seed):
    """States, actions and utilities of a policy in the cell of a seed."""
    env = gym.make("SliceRAN-v0", scenario=env_scenario, reward="utility")
    seen, _ = env.reset(seed=seed)
    states, actions, utility = [], [], []
    for _ in range(decisions):
        states.append(seen)
        actions.append(int(policy.predict(seen, deterministic=True)[0]))
        seen, _, _, over, info = env.step(actions[-1])
        utility.append(info["utility"])
        if over:
            seen, _ = env.reset()
    return np.array(states), np.array(actions), np.array(utility)


def utilities(history):
    """Of each decision."""
    return 0.01 * history.spectral_efficiency + history.ssr.sum(axis=1)


def one_run(scenario, allocation, arrivals, performance, columns=PERFORMANCE):
    """A history of decisions (n, S) that follow one another, by the arrivals (n + 1, S) before and after them."""
    return History(
        scenario=scenario,
        run=np.zeros(len(allocation), np.int64),
        interval=np.arange(len(allocation)),
        allocation=allocation,
        arrivals=arrivals[:-1],
        next_arrivals=arrivals[1:],
        performance=performance,
        columns=columns,
    )
