"""Agents: policies that choose allocations, those that learn and those that do not.

The ones that learn need PyTorch and Stable-Baselines3, the others the simulator; all are imported when they are first
asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import slicing_gym  # noqa: F401  # registers its environments, and explains what is missing

if TYPE_CHECKING:
    from agents.allocation_search import allocation_shares, best_allocations, log_sum_exp, top_allocations
    from agents.baselines import (
        BASELINES,
        BestFixedPolicy,
        FixedPolicy,
        HardPolicy,
        OneStepOraclePolicy,
        Policy,
        ProportionalPolicy,
        RandomPolicy,
        make_baseline,
    )
    from agents.ddqn import DDQN
    from agents.deploy.decision import Decision
    from agents.deploy.slice_policy import SlicePolicy
    from agents.dqn import DQN, HEADS, SlicingPolicy, check_head
    from agents.gan_ddqn import DuelingGANDDQN, GANPolicy
    from agents.hooks import action_values, td_loss, td_target
    from agents.learner import OffPolicyLearner
    from agents.offline import FittedQEvaluation, NoEnv, learn_offline
    from agents.planner import Planner, PlanningModel, PlanningPolicy
    from agents.protocols import Learner
    from agents.replay import NStepReplayBuffer, ReplayBuffer
    from agents.student import StudentPolicy, distill
    from agents.vec_env import GymnasiumVecEnv
    from agents.weight_sync import sync
    from slicing_gym.transitions import Transitions

_MODULES = {
    "BASELINES": "agents.baselines",
    "BestFixedPolicy": "agents.baselines",
    "DDQN": "agents.ddqn",
    "DQN": "agents.dqn",
    "Decision": "agents.deploy.decision",
    "DuelingGANDDQN": "agents.gan_ddqn",
    "FittedQEvaluation": "agents.offline",
    "FixedPolicy": "agents.baselines",
    "GANPolicy": "agents.gan_ddqn",
    "GymnasiumVecEnv": "agents.vec_env",
    "HEADS": "agents.dqn",
    "HardPolicy": "agents.baselines",
    "Learner": "agents.protocols",
    "NStepReplayBuffer": "agents.replay",
    "NoEnv": "agents.offline",
    "OffPolicyLearner": "agents.learner",
    "OneStepOraclePolicy": "agents.baselines",
    "Planner": "agents.planner",
    "PlanningModel": "agents.planner",
    "PlanningPolicy": "agents.planner",
    "Policy": "agents.baselines",
    "ProportionalPolicy": "agents.baselines",
    "RandomPolicy": "agents.baselines",
    "ReplayBuffer": "agents.replay",
    "SlicePolicy": "agents.deploy.slice_policy",
    "SlicingPolicy": "agents.dqn",
    "StudentPolicy": "agents.student",
    "Transitions": "slicing_gym.transitions",
    "action_values": "agents.hooks",
    "allocation_shares": "agents.allocation_search",
    "best_allocations": "agents.allocation_search",
    "check_head": "agents.dqn",
    "distill": "agents.student",
    "learn_offline": "agents.offline",
    "log_sum_exp": "agents.allocation_search",
    "make_baseline": "agents.baselines",
    "sync": "agents.weight_sync",
    "td_loss": "agents.hooks",
    "td_target": "agents.hooks",
    "top_allocations": "agents.allocation_search",
}

__all__ = [
    "BASELINES",
    "DDQN",
    "DQN",
    "HEADS",
    "BestFixedPolicy",
    "Decision",
    "DuelingGANDDQN",
    "FittedQEvaluation",
    "FixedPolicy",
    "GANPolicy",
    "GymnasiumVecEnv",
    "HardPolicy",
    "Learner",
    "NStepReplayBuffer",
    "NoEnv",
    "OffPolicyLearner",
    "OneStepOraclePolicy",
    "Planner",
    "PlanningModel",
    "PlanningPolicy",
    "Policy",
    "ProportionalPolicy",
    "RandomPolicy",
    "ReplayBuffer",
    "SlicePolicy",
    "SlicingPolicy",
    "StudentPolicy",
    "Transitions",
    "action_values",
    "allocation_shares",
    "best_allocations",
    "check_head",
    "distill",
    "learn_offline",
    "log_sum_exp",
    "make_baseline",
    "sync",
    "td_loss",
    "td_target",
    "top_allocations",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'agents' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
