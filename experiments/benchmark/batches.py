"""What learning in a batch of real cells does to time and to what is learned, at as many decisions and updates."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import gymnasium as gym

from agents import OffPolicyLearner
from agents.learner import for_sb3
from agents.registry import off_policy_class
from experiments.benchmark.timing import machine
from experiments.evaluate.rollout import evaluate_policy, make_cells
from experiments.reporting.statistics import estimate
from experiments.reporting.tables import aligned
from slicing_gym import Scenario

_AGENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "DDQN, factored": ("agents.DDQN", {"head": "factored"}),
    "Stable-Baselines3 DQN": ("stable_baselines3.DQN", {}),
    "sb3-contrib QRDQN": ("sb3_contrib.QRDQN", {"n_quantiles": 20}),
}
"""Agents by the dotted names of their classes, and what shapes their policies in addition to the layers."""

_LAYERS = [64, 64]

_SETTINGS: dict[str, Any] = {
    "learning_rate": 1e-3,
    "learning_starts": 200,
    "batch_size": 32,
    "gamma": 0.8,
    "train_freq": 4,
    "target_update_interval": 200,
    "exploration_fraction": 0.5,
    "exploration_final_eps": 0.02,
    "device": "cpu",
}
"""Of every agent: one update every four decisions, in all cells together."""

BATCH_SIZES = (1, 64, 4096)
BATCH_DECISIONS = 8192
_SEEDS = (0, 1, 2)

_UNSEEN = range(10_000, 10_010)


def time_batches(
    scenario: Scenario,
    batches: Sequence[int] = BATCH_SIZES,
    decisions: int = BATCH_DECISIONS,
    seeds: Sequence[int] = _SEEDS,
) -> None:
    """Print for each agent and batch how long it learned, how many updates it took, and what it earns in the end.

    Args:
        scenario: of the cells.
        batches: cells that an agent acts in at once.
        decisions: in all cells together.
        seeds: of the agents; of their cells the first.

    Raises:
        ValueError: sb3-contrib is missing.
    """
    for target, _ in _AGENTS.values():
        off_policy_class(target, "what")  # before any work
    print(
        f"{machine()}; scenario {scenario.name}, layers {_LAYERS}, {decisions} decisions in all cells, one update "
        f"every {_SETTINGS['train_freq']}; U on {len(_UNSEEN)} unseen cells, 100 decisions each; "
        f"seeds {list(seeds)}, ± 95 %"
    )
    rows = []
    for name in _AGENTS:
        for cells in batches:
            found = [_learn(name, scenario, cells, decisions, seed) for seed in seeds]
            wall, cpu, updates, utility = zip(*found, strict=True)
            times = [estimate(taken).show(1) for taken in (wall, cpu)]
            rows.append([name, str(cells), *times, f"{sum(updates) / len(updates):.0f}", estimate(utility).show(3)])
    print(aligned(["agent", "cells", "wall [s]", "processor [s]", "updates", "U"], rows))


def _learn(name: str, scenario: Scenario, cells: int, decisions: int, seed: int) -> tuple[float, float, int, float]:
    """Seconds (wall, processor), updates, and U on unseen cells."""
    target, shape = _AGENTS[name]
    batch: dict[str, Any] = {"autoreset_mode": "SameStep", "scenario": scenario, "reward": "utility"}
    env = for_sb3(gym.make_vec("SliceRAN-v0", cells, **batch))
    make: Any = off_policy_class(target)
    policy = {"net_arch": _LAYERS, **shape}
    interval = max(_SETTINGS["target_update_interval"], cells)  # Stable-Baselines3 warns of less than a step
    arguments = {**_SETTINGS, "target_update_interval": interval}
    agent = OffPolicyLearner(
        lambda: make("MlpPolicy", env, policy_kwargs=policy, seed=seed, **arguments), seed=seed, per_decision=True
    )
    wall, cpu = time.perf_counter(), time.process_time()
    agent.learn(decisions)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    earned = evaluate_policy(name, agent, make_cells(scenario, len(_UNSEEN)), _UNSEEN, 100).utility.mean()
    return wall, cpu, agent.model._n_updates, float(earned)
