"""Agents: policies that choose allocations, those that learn and those that do not.

The ones that learn need PyTorch and Stable-Baselines3; they are imported when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from agents.baselines import (
    BASELINES,
    BestFixedPolicy,
    ClairvoyantPolicy,
    FixedPolicy,
    HardPolicy,
    Policy,
    ProportionalPolicy,
    RandomPolicy,
    make_baseline,
)

if TYPE_CHECKING:
    from agents.ddqn import DDQN
    from agents.dqn import DQN, SlicingPolicy
    from agents.gan_ddqn import DuelingGANDDQN, GANPolicy
    from agents.vec_env import GymnasiumVecEnv
    from agents.weight_sync import sync

_LEARNING = {
    "DDQN": "agents.ddqn",
    "DQN": "agents.dqn",
    "DuelingGANDDQN": "agents.gan_ddqn",
    "GANPolicy": "agents.gan_ddqn",
    "GymnasiumVecEnv": "agents.vec_env",
    "SlicingPolicy": "agents.dqn",
    "sync": "agents.weight_sync",
}

__all__ = [
    "BASELINES",
    "DDQN",
    "DQN",
    "BestFixedPolicy",
    "ClairvoyantPolicy",
    "DuelingGANDDQN",
    "FixedPolicy",
    "GANPolicy",
    "GymnasiumVecEnv",
    "HardPolicy",
    "Policy",
    "ProportionalPolicy",
    "RandomPolicy",
    "SlicingPolicy",
    "make_baseline",
    "sync",
]


def __getattr__(name: str) -> Any:
    if name not in _LEARNING:
        raise AttributeError(f"module 'agents' has no attribute {name!r}")
    return getattr(import_module(_LEARNING[name]), name)
