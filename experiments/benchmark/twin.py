"""Steps of twins in a second, by transition, batch and threads, compared with the simulator and a real cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from experiments.benchmark.simulator import advance_batch
from experiments.benchmark.timing import alternate, machine
from slicing_gym import Scenario, Simulator
from twin import DigitalTwin, PerformanceSettings, TrainingSettings, transition_kinds
from twin.fidelity.simulated import SimulatedCell

BATCHES = (1, 64, 1024, 4096)
"""Cells that are advanced together."""

REAL_DECISIONS_PER_S = 5.0
"""A real cell has a decision every 0.2 s."""


def time_twin(scenario: Scenario, seconds: float, batches: Sequence[int] = BATCHES) -> None:
    """Print the twins' steps/s.

    Args:
        scenario: of the cells.
        seconds: of measuring for each row.
        batches: cells that are advanced together, a row each.
    """
    history = SimulatedCell(scenario, 0).record(2 * scenario.decisions_per_episode)
    cells = min(1024, max(batches))
    print(f"{machine()}; scenario {scenario.name}")
    print(f"\n{'':>14} {'batch':>6} {'threads':>8} {'steps/s':>9} {'/ simulator':>12} {'/ real cell':>12}")
    for name, kind in transition_kinds().items():
        settings = TrainingSettings(max_epochs=1)  # a step costs the same whatever was learned
        performance = PerformanceSettings(structure="per_slice" if kind.closed_form else "joint")
        made = DigitalTwin(name, performance, settings).fit(history)
        for size in batches:
            for threads in (1,) if size == 1 else (1, 2):
                both = [
                    advance_batch(made.cells(range(size), threads), scenario, size),
                    advance_batch(Simulator(scenario, range(size), threads), scenario, size),
                ]
                in_twin, in_simulator = (float(np.median(taken)) for taken in alternate(both, seconds))
                rate = max(size, 256) / in_twin
                print(
                    f"{name:>14} {size:>6} {threads:>8} {rate:>9,.0f} {in_simulator / in_twin:>11.1f}x "
                    f"{rate / REAL_DECISIONS_PER_S:>11,.0f}x"
                )
        for label, envs in (
            ("gym.make", gym.make("SliceTwin-v0", twin=made)),
            (f"gym.make_vec, {cells} cells, 2 threads", gym.make_vec("SliceTwin-v0", cells, twin=made, num_threads=2)),
        ):
            print(f"{name:>14} {label}: {_steps_per_s(envs, seconds):,.0f} steps/s")


def _steps_per_s(env: gym.Env[Any, Any] | gym.vector.VectorEnv[Any, Any, Any], seconds: float) -> float:
    """Steps of an environment in a second, observations, info and all."""
    number = getattr(env, "num_envs", 0)
    length = 40 if number else 200
    actions = env.action_space.sample

    def play() -> None:
        env.reset(seed=0)
        for _ in range(length):
            env.step(actions())

    (taken,) = alternate([play], seconds)
    return float(length * max(number, 1) / np.median(taken))
