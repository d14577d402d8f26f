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

frames = Traffic(Constant(1 / 30), Uniform(8e3, 24e3), active_users=Daily(0.1, 1.0))  # gaps [s], sizes [byte]
cameras = Slice("cameras", 12, frames, rate_sla_bps=2e6, latency_sla_s=50e-3)
control = Slice("control", 40, Traffic(Exponential(0.02), Constant(200.0)), rate_sla_bps=1e5, latency_sla_s=5e-3)
radio = Radio(  # the default is no cell that exists (docs/simulator.md); its path loss stays: a small cell at 2 GHz
    bandwidth_hz=24 * 360e3,  # 10 MHz of 5G: 24 resource blocks of 12 subcarriers of 30 kHz
    resolution_hz=360e3,
    resource_block_hz=360e3,
    cell_radius_m=100.0,
    min_distance_m=10.0,
    transmit_power_dbm=24.0,
    uniform_power_density=True,  # the carrier has the power, and not each user
    receive_gain_db=5.0,  # of both antennas
    noise_density_dbm_per_hz=-174.0 + 9.0,  # noise figure
    multiplexing_gain=2.0,  # layers
    max_spectral_efficiency=7.4063,  # 256QAM
    shannon_attenuation=0.6,
)


def main(decisions: int = 200) -> dict[str, float]:
    """Three baselines on the scenario: their mean utility."""
    path = Path(mkdtemp()) / "factory.yaml"
    Scenario("factory", (cameras, control), radio).save(path)
    factory = Scenario.load(path)  # slices are a list in the file: their order is that of observations
    print(f"{factory.num_allocations} allocations of what python -m experiments.describe scenario={path} describes")

    env = gym.make("SliceRAN-v0", scenario=factory, reward="utility")
    earned = {}
    for policy in (RandomPolicy(factory), HardPolicy(factory), ProportionalPolicy(factory)):
        observation, total = env.reset(seed=0)[0], 0.0
        for _ in range(decisions):
            action, _ = policy.predict(observation)
            observation, reward, _, truncated, _ = env.step(int(action))
            total += float(reward)
            observation = env.reset()[0] if truncated else observation
        earned[type(policy).__name__] = total / decisions
    print({name: round(value, 3) for name, value in earned.items()}, f"(slicing-gym {slicing_gym.__version__})")
    return earned


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
