"""A scenario of your own: a small cell with a camera slice and a control slice, saved, loaded and looked at.

Run: python examples/own_scenario.py [decisions a policy]   (needs slicing-gym[train] for YAML; seconds)
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import mkdtemp

import gymnasium as gym

import slicing_gym
from agents import HardPolicy, ProportionalPolicy, RandomPolicy
from slicing_gym import Constant, Daily, Exponential, Radio, Scenario, Slice, Traffic, Uniform

cameras = Slice(
    "cameras",
    num_users=12,
    traffic=Traffic(Constant(1 / 30), Uniform(8e3, 24e3), active_users=Daily(0.1, 1.0)),  # gaps [s], sizes [byte]
    rate_sla_bps=2e6,
    latency_sla_s=50e-3,
)
control = Slice("control", 40, Traffic(Exponential(0.02), Constant(200.0)), rate_sla_bps=1e5, latency_sla_s=5e-3)


def main(decisions: int = 200) -> dict[str, float]:
    """Three baselines on the scenario: their mean utility."""
    radio = Radio(bandwidth_hz=10e6, resolution_hz=500e3)  # 20 units
    path = Path(mkdtemp()) / "factory.yaml"
    Scenario("factory", (cameras, control), radio).save(path)
    factory = Scenario.load(path)  # slices are a list in the file: their order is that of observations
    print(f"{path} describes {factory.num_allocations} allocations of {factory.num_units} units")

    env = gym.make("SliceRAN-v0", scenario=factory, reward="utility")
    earned = {}
    for policy in (RandomPolicy(factory), HardPolicy(factory), ProportionalPolicy(factory)):
        observation, _ = env.reset(seed=0)
        total = 0.0
        for _ in range(decisions):
            action, _ = policy.predict(observation)
            observation, reward, _, truncated, _ = env.step(int(action))
            total += float(reward)
            if truncated:
                observation, _ = env.reset()
        earned[type(policy).__name__] = total / decisions
    print({name: round(value, 3) for name, value in earned.items()}, f"(slicing-gym {slicing_gym.__version__})")
    return earned


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
