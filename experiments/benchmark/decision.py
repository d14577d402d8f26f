"""What one decision costs: the agents' `predict`, Stable-Baselines3's, exported files and the planner, in one run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import stable_baselines3
import torch

from agents import DQN, DuelingGANDDQN, Planner, SlicePolicy
from agents.deploy.export import to_onnx
from agents.student import StudentPolicy
from experiments.benchmark.timing import PAUSE_S, machine, paced, single_calls
from experiments.benchmark.training import LAYERS
from experiments.reporting.tables import aligned
from slicing_gym import Scenario
from slicing_gym.allocation import MAX_LISTED
from slicing_gym.space_spec import SpaceSpec
from twin import PlanningTwin

SB3 = "Stable-Baselines3 DQN"

_PREDICT = ": predict"
_DEPLOYED = ": SlicePolicy.decide"
_PLANNED = ": decide"

LEARNED_FROM = 1000
"""Decisions that the planner has learned from, by default."""

HIDDEN = (16, 4)
"""Neurons in each of the two hidden layers of the students; the paper's."""


def time_decision(scenario: Scenario, seconds: float, history: int = LEARNED_FROM) -> None:
    """Print p50, p99 and p99.9 of one decision by each policy, and how many times as fast as Stable-Baselines3's it is.

    Args:
        scenario: that the policies decide on.
        seconds: of measuring for each row.
        history: decisions that the planner has learned from.
    """
    torch.manual_seed(0)
    policies = _policies(scenario)
    rows = _rows(scenario, policies) | _planner_rows(scenario, history)
    taken = single_calls(rows, seconds)
    first = next(iter(rows))
    stock = np.median(taken[first])
    cells = []
    for name, times in taken.items():
        middle, late, latest = np.percentile(times, [50.0, 99.0, 99.9]) / 1e3
        ratio = f"{stock / 1e3 / middle:.1f}x"
        cells.append([name, f"{middle:.1f}", f"{late:.1f}", f"{latest:.1f}", ratio, f"{len(times):,}"])
    print(
        f"{machine()}; scenario {scenario.name}: {scenario.num_units} units for {scenario.num_slices} slices, "
        f"{scenario.num_allocations} allocations; agents with layers {LAYERS}, untrained (seed 0); "
        f"planner after {history} decisions; {torch.get_num_threads()} thread"
    )
    if SB3 not in policies:
        print(f"{SB3} would need an output an allocation, which is impossible; ratios are to {first}")
    than = "SB3" if SB3 in policies else "that"
    header = ["one decision", "p50 [us]", "p99 [us]", "p99.9 [us]", f"p50: times as fast as {than}", "calls"]
    print(aligned(header, cells))
    print(f"\nafter a pause of {PAUSE_S * 1e3:.0f} ms, as a controller decides:")
    for name in (first, *(name for name in rows if name.endswith((_DEPLOYED, _PLANNED)))):
        rested = np.array(paced(rows[name], seconds)) / 1e3
        print(f"  {name}: p50 {np.median(rested):.0f} us, slowest of {len(rested)} {rested.max():.0f} us")


def _policies(scenario: Scenario) -> dict[str, stable_baselines3.DQN | StudentPolicy]:
    """Policies to time; heads that list all allocations only where they can. The first is compared with."""
    env = gym.make("SliceRAN-v0", scenario=scenario, reward="utility")
    settings: dict[str, Any] = {"seed": 0, "device": "cpu", "buffer_size": 1}
    listed: dict[str, stable_baselines3.DQN | StudentPolicy] = {}
    if scenario.num_allocations <= MAX_LISTED:
        listed = {
            SB3: stable_baselines3.DQN("MlpPolicy", env, policy_kwargs={"net_arch": LAYERS}, **settings),
            "DQN, dense": DQN("MlpPolicy", env, policy_kwargs={"net_arch": LAYERS}, **settings),
            "DQN, geometry": DQN("MlpPolicy", env, policy_kwargs={"net_arch": LAYERS, "head": "geometry"}, **settings),
            "Dueling GAN-DDQN, dense": DuelingGANDDQN("MlpPolicy", env, policy_kwargs={"net_arch": LAYERS}, **settings),
            **{f"student 2x{hidden}": StudentPolicy(scenario, hidden) for hidden in HIDDEN},
        }
    factored = {"net_arch": LAYERS, "head": "factored"}
    return listed | {
        "DQN, factored": DQN("MlpPolicy", env, policy_kwargs=factored, **settings),
        **{f"student 2x{hidden}, factored": StudentPolicy(scenario, hidden, head="factored") for hidden in HIDDEN},
    }


def _rows(
    scenario: Scenario, policies: dict[str, stable_baselines3.DQN | StudentPolicy]
) -> dict[str, Callable[[], object]]:
    """One decision for nominal arrivals, by every policy; what a network has learned does not change what it costs."""
    arrivals = scenario.nominal_arrivals.tolist()
    observation = SpaceSpec(scenario).observe(arrivals)
    rows: dict[str, Callable[[], object]] = {
        name + _PREDICT: partial(policy.predict, observation, deterministic=True) for name, policy in policies.items()
    }
    for name, policy in policies.items():
        if name == SB3:
            continue
        content = to_onnx(
            policy, scenario, trained_on=(arrivals, arrivals), fallback=None, name=name, made_from="untrained"
        )
        deployed = SlicePolicy(content)
        assert not deployed.decide(arrivals).fallback
        rows[name + _DEPLOYED] = partial(deployed.decide, arrivals)
    return rows


def _planner_rows(scenario: Scenario, history: int) -> dict[str, Callable[[], object]]:
    """One decision by a planner that has learned from `history` decisions, and one with all that goes with it."""
    made, learning = (
        Planner(gym.make("SliceRAN-v0", scenario=scenario), PlanningTwin(scenario), seed=seed) for seed in (0, 1)
    )
    made.learn(history)
    learning.copy_from(made)
    return {
        f"planner, by a sample{_PLANNED}": made.decide,
        f"planner, by the expectation{_PLANNED}": partial(made.decide, deterministic=True),
        "planner: decide, step, observe": partial(learning.learn, 1),
    }
