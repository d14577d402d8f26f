"""What a decision and its update cost, compared with Stable-Baselines3's DQN, and that both learn alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import stable_baselines3
import torch
from stable_baselines3.common.base_class import BaseAlgorithm

from agents import DDQN, DQN, DuelingGANDDQN
from experiments.benchmark.timing import alternate
from experiments.evaluate.rollout import evaluate_policy, make_cells
from experiments.reporting.statistics import estimate
from experiments.reporting.tables import aligned
from slicing_gym import Scenario, get_scenario

LAYERS = [256, 256, 128, 128]

SETTINGS: dict[str, Any] = {
    "learning_rate": 1e-3,
    "buffer_size": 100_000,
    "learning_starts": 200,
    "batch_size": 32,
    "gamma": 0.8,
    "train_freq": 1,
    "gradient_steps": 1,
    "target_update_interval": 200,
    "exploration_fraction": 0.5,
    "device": "cpu",
}
"""The same for every agent of a comparison: batch 32, one update a decision."""

AGENTS: dict[str, tuple[type[BaseAlgorithm], dict[str, Any]]] = {
    "Stable-Baselines3 DQN": (stable_baselines3.DQN, {}),
    "DQN, dense": (DQN, {"head": "dense"}),
    "DDQN, dense": (DDQN, {"head": "dense"}),
    "Dueling GAN-DDQN, dense": (DuelingGANDDQN, {"head": "dense"}),
    "DQN, geometry": (DQN, {"head": "geometry"}),
    "DDQN, geometry": (DDQN, {"head": "geometry"}),
    "Dueling GAN-DDQN, geometry": (DuelingGANDDQN, {"head": "geometry"}),
    "DQN, factored (table)": (DQN, {"head": "factored", "head_kwargs": {"values": "table"}}),
    "DQN, factored": (DQN, {"head": "factored"}),
    "DDQN, factored": (DDQN, {"head": "factored"}),
    "Dueling GAN-DDQN, factored": (DuelingGANDDQN, {"head": "factored"}),
}
"""Agents and what shapes their networks; the first is what the others are compared with."""

SEEDS = (0, 1, 2)
"""Of the runs that show that both learn alike."""


CALLS = 100
"""Decisions of a call that is timed."""


def time_training(scenario: Scenario, seconds: float) -> None:
    """Print ms a decision (acting, environment, replay, update) of each agent, then what two of them learn.

    Args:
        scenario: of the cell.
        seconds: of measuring for each agent.
    """
    print(
        f"scenario {scenario.name}, layers {LAYERS}, batch 32, one update a decision, {torch.get_num_threads()} thread"
    )
    agents = [_make(name, scenario, seed=0) for name in AGENTS]
    for agent in agents:
        agent.learn(220)  # past the random beginning
        agent.exploration_schedule = lambda _: 0.1  # type: ignore[attr-defined]
    calls = [partial(agent.learn, CALLS, reset_num_timesteps=False) for agent in agents]
    taken = np.array(alternate(calls, seconds)) * 1e3 / CALLS
    rows = []
    for name, times in zip(AGENTS, taken, strict=True):
        ratio = estimate(taken[0] / times)
        rows.append([name, f"{np.median(times):.2f}", f"{min(times):.2f}", f"{ratio.show(2)}x"])
    print(aligned(["agent", "ms a decision", "fastest", "times as fast as SB3 (± 95 %)"], rows))
    _learning(6000 if seconds >= 1.0 else 300)


def _learning(decisions: int) -> None:
    """Print what Stable-Baselines3's DQN and ours have learned after as many decisions."""
    scenario = get_scenario("paper-1mhz")
    print(
        f"\nlearning: mean utility on unseen cells (seeds 100 to 104) after {decisions} decisions on {scenario.name}, "
        f"seeds {SEEDS}, ± 95 %"
    )
    cells = make_cells(scenario, 5)
    for name in ("Stable-Baselines3 DQN", "DQN, dense"):
        utility = []
        for seed in SEEDS:
            agent = _make(name, scenario, seed, learning_rate=3e-4)
            agent.learn(decisions)
            utility.append(evaluate_policy(name, agent, cells, range(100, 105), 100).utility.mean())
        print(f"  {name:<22} {estimate(utility).show(3)}")


def _make(name: str, scenario: Scenario, seed: int, **changes: Any) -> BaseAlgorithm:
    kind, shape = AGENTS[name]
    env = gym.make("SliceRAN-v0", scenario=scenario, reward="utility")
    make: Callable[..., BaseAlgorithm] = kind
    return make("MlpPolicy", env, seed=seed, policy_kwargs={"net_arch": LAYERS, **shape}, **{**SETTINGS, **changes})
