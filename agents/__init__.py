"""Agents: policies that choose allocations."""

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

__all__ = [
    "BASELINES",
    "BestFixedPolicy",
    "ClairvoyantPolicy",
    "FixedPolicy",
    "HardPolicy",
    "Policy",
    "ProportionalPolicy",
    "RandomPolicy",
    "make_baseline",
]
