"""What can be had from a history without learning values, and which allocation a policy chooses most often."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents import FixedPolicy
from agents.student import StudentPolicy, distill
from experiments.evaluate.held import actions_in
from experiments.evaluate.rollout import Predictor
from slicing_gym.allocation import MAX_LISTED
from twin import History
from twin.data.transitions import transitions_of, utilities_of

LOWER_BASELINES = ("behaviour_cloning", "best_in_data")
"""Policies that learn no values."""


def lower_baselines(history: History, seed: int) -> dict[str, Predictor]:
    """Policies without values: choosing as the history did, and the allocation with the best mean utility in it."""
    observations, actions = transitions_of(history)[:2]
    head = "dense" if history.scenario.num_allocations <= MAX_LISTED else "factored"
    clone = StudentPolicy(history.scenario, hidden=64, head=head, seed=seed)
    distill(clone, actions, observations, np.random.default_rng(seed), updates=2000)
    first, held, times = np.unique(actions, return_index=True, return_inverse=True, return_counts=True)[1:]
    means = np.bincount(held, utilities_of(history)) / times
    best = history.allocation[first[means.argmax()]]
    return dict(zip(LOWER_BASELINES, (clone, FixedPolicy(history.scenario, best)), strict=True))


def modal_choice(policy: Predictor, history: History) -> dict[str, Any]:
    """The units that a policy takes most often in the history's states, in what share of them, and how often it did."""
    chosen, actions = actions_in(policy, history), transitions_of(history)[1]
    held, times = np.unique(chosen, return_counts=True)
    modal = held[times.argmax()]
    units = history.layout.codec.units(history.scenario, np.array([modal]))[0]
    return {
        "units": "-".join(map(str, units)),
        "share": float(times.max() / len(chosen)),
        "in_data": int((actions == modal).sum()),
    }
