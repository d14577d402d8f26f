"""What can be had from a history without learning values, and which allocation a policy chooses most often."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents import FixedPolicy
from agents.student import StudentPolicy, distill
from experiments.evaluate.rollout import Predictor
from slicing_gym import allocation_units
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
    """The units that a policy takes most often in the history's states, in what share of them, and how often it did.

    "beyond" names the slices that would get fewer or more units than the history ever gave them.
    """
    observations, actions = transitions_of(history)[:2]
    chosen, _ = policy.predict(observations, deterministic=True)
    held, times = np.unique(chosen, return_counts=True)
    modal = held[times.argmax()]
    units = allocation_units(modal, history.scenario.num_units, history.scenario.num_slices)
    ranges = zip(history.allocation.min(axis=0), history.allocation.max(axis=0), strict=True)
    beyond = [
        f"{name} {own} (held: {low} to {high})"
        for name, own, (low, high) in zip(history.scenario.slice_names, units, ranges, strict=True)
        if not low <= own <= high
    ]
    return {
        "units": "-".join(map(str, units)),
        "share": float(times.max() / len(chosen)),
        "in_data": int((actions == modal).sum()),
        "beyond": beyond,
    }
