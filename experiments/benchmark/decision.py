"""What one decision costs: the agents' `predict`, Stable-Baselines3's, and exported files, in one run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import stable_baselines3
import torch

from agents import DQN, DuelingGANDDQN, SlicePolicy
from agents.deploy.export import to_onnx
from agents.student import StudentPolicy
from experiments.benchmark.timing import PAUSE_S, machine, paced, single_calls
from experiments.benchmark.training import LAYERS
from experiments.reporting.tables import aligned
from slicing_gym import Scenario
from slicing_gym.space_spec import SpaceSpec

SB3 = "Stable-Baselines3 DQN: predict"

_DEPLOYED = ": SlicePolicy.decide"

HIDDEN = (16, 4)
"""Neurons in each of the two hidden layers of the students; the paper's."""


def time_decision(scenario: Scenario, seconds: float) -> None:
    """Print p50, p99 and p99.9 of one decision by each policy, and how many times as fast as Stable-Baselines3's it is.

    Args:
        scenario: that the policies decide on.
        seconds: of measuring for each row.
    """
    torch.manual_seed(0)
    rows = _rows(scenario)
    taken = single_calls(rows, seconds)
    stock = np.median(taken[SB3])
    cells = []
    for name, times in taken.items():
        middle, late, latest = np.percentile(times, [50.0, 99.0, 99.9]) / 1e3
        ratio = f"{stock / 1e3 / middle:.1f}x"
        cells.append([name, f"{middle:.1f}", f"{late:.1f}", f"{latest:.1f}", ratio, f"{len(times):,}"])
    print(
        f"{machine()}; scenario {scenario.name}: {scenario.num_allocations} allocations; "
        f"agents with layers {LAYERS}, untrained (seed 0); {torch.get_num_threads()} thread"
    )
    header = ["one decision", "p50 [us]", "p99 [us]", "p99.9 [us]", "p50: times as fast as SB3", "calls"]
    print(aligned(header, cells))
    print(f"\nafter a pause of {PAUSE_S * 1e3:.0f} ms, as a controller decides:")
    for name in (SB3, *(name for name in rows if name.endswith(_DEPLOYED))):
        rested = np.array(paced(rows[name], seconds)) / 1e3
        print(f"  {name}: p50 {np.median(rested):.0f} us, slowest of {len(rested)} {rested.max():.0f} us")


def _rows(scenario: Scenario) -> dict[str, Callable[[], object]]:
    """One decision for nominal arrivals, by every policy; what a network has learned does not change what it costs."""
    arrivals = scenario.nominal_arrivals.tolist()
    observation = SpaceSpec(scenario).observe(arrivals)
    env = gym.make("SliceRAN-v0", scenario=scenario)
    settings: dict[str, Any] = {"seed": 0, "device": "cpu", "buffer_size": 1}
    policies: dict[str, stable_baselines3.DQN | StudentPolicy] = {
        "Stable-Baselines3 DQN": stable_baselines3.DQN(
            "MlpPolicy", env, policy_kwargs={"net_arch": LAYERS}, **settings
        ),
        "DQN, dense": DQN("MlpPolicy", env, policy_kwargs={"net_arch": LAYERS}, **settings),
        "DQN, geometry": DQN("MlpPolicy", env, policy_kwargs={"net_arch": LAYERS, "head": "geometry"}, **settings),
        "Dueling GAN-DDQN, dense": DuelingGANDDQN("MlpPolicy", env, policy_kwargs={"net_arch": LAYERS}, **settings),
        **{f"student 2x{hidden}": StudentPolicy(scenario, hidden) for hidden in HIDDEN},
    }
    rows: dict[str, Callable[[], object]] = {
        f"{name}: predict": partial(policy.predict, observation, deterministic=True)
        for name, policy in policies.items()
    }
    for name, policy in list(policies.items())[1:]:
        content = to_onnx(
            policy, scenario, trained_on=(arrivals, arrivals), fallback=None, name=name, made_from="untrained"
        )
        deployed = SlicePolicy(content)
        assert not deployed.decide(arrivals).fallback
        rows[name + _DEPLOYED] = partial(deployed.decide, arrivals)
    return rows
