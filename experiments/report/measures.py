"""The figures of runs that a report compares: what they are called, their unit, and which way is better."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.report.entries import Entry
from experiments.train.callbacks import REWARD_GOAL

_Figure = float | None


@dataclass(frozen=True)
class RunMeasure:
    """A figure of a run.

    Args:
        name: in files.
        label: in tables.
        digits: behind the point.
        higher_is_better: None: neither is.
        meaning: in a sentence.
        of: its value of a run; None where it has none.
    """

    name: str
    label: str
    digits: int
    higher_is_better: bool | None
    meaning: str
    of: Callable[[Entry], _Figure]


def _number(entry: Entry, *keys: str) -> _Figure:
    """A number of a summary."""
    found: Any = entry.summary
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _goal(entry: Entry) -> _Figure:
    """Infinite if the goal was never reached."""
    if entry.summary is None or "episodes_to_goal" not in entry.summary:
        return None
    reached = entry.summary["episodes_to_goal"]
    return math.inf if reached is None else float(reached)


def _last(entry: Entry, column: str) -> _Figure:
    values = entry.episodes.get(column, np.array([]))
    return float(values[-1]) if len(values) else None


FINAL = RunMeasure(
    "utility_unseen",
    "final U, unseen cells",
    3,
    True,
    "mean utility of the learned policy, which no longer explores, on cells that it has not seen (evaluation.seeds)",
    lambda entry: _number(entry, "utility"),
)
REGRET = RunMeasure(
    "regret",
    "regret, best fixed [U]",
    1,
    False,
    "what the best fixed allocation earns on the same cell in as many decisions, less what the run earned while it "
    "learned; below 0 where the run earned more",
    lambda entry: _number(entry, "regret"),
)
GOAL = RunMeasure(
    "episodes_to_goal",
    "episodes to the goal",
    1,
    False,
    f"the first episode of real decisions with a share at c_max of {REWARD_GOAL:g}, whichever reward is learned from; "
    "> where runs ended before. With num_envs cells at once an episode is one of each of them",
    _goal,
)
SECONDS = RunMeasure(
    "cpu_seconds",
    "CPU seconds",
    0,
    None,
    "processor time of learning, of all parts of a run that was resumed; without the comparison in the end",
    lambda entry: _number(entry, "cpu_seconds"),
)
_SHARE = RunMeasure(
    "reward_unseen",
    "share at c_max, unseen cells",
    2,
    True,
    "share of decisions on those cells with a utility at or above the scenario's final threshold c_max",
    lambda entry: _number(entry, "reward_at_c_max"),
)
_TRAIN = (
    FINAL,
    _SHARE,
    RunMeasure(
        "utility",
        "U, last episode",
        3,
        True,
        "mean utility of the last episode of real decisions, the agent still exploring",
        lambda entry: _last(entry, "utility"),
    ),
    RunMeasure(
        "reward",
        "share at c_max, last episode",
        2,
        True,
        "share of its decisions with a utility at or above c_max",
        lambda entry: _last(entry, "reward_at_c_max"),
    ),
    REGRET,
    RunMeasure(
        "regret_oracle",
        "regret, oracle [U]",
        1,
        False,
        "the same against the one-step oracle, which knows the coming interval",
        lambda entry: _number(entry, "regret_oracle"),
    ),
    GOAL,
    SECONDS,
)
_OFFLINE = (
    FINAL,
    _SHARE,
    RunMeasure(
        "utility_own",
        "U, the history's cell",
        3,
        True,
        "mean utility of the learned policy on the cell that the history is of",
        lambda entry: _number(entry, "utility_on_own_cell"),
    ),
    RunMeasure(
        "fitted_q",
        "estimated by fitted Q",
        3,
        None,
        "the same, as fitted Q evaluation estimates it from the history alone",
        lambda entry: _number(entry, "estimates", "fitted_q"),
    ),
    RunMeasure(
        "by_twin",
        "estimated by the twin",
        3,
        None,
        "the same, as the twin estimates it",
        lambda entry: _number(entry, "estimates", "twin"),
    ),
    SECONDS,
)
RUN_MEASURES = {"train": _TRAIN, "offline": _OFFLINE}
"""By the command that made the runs, in the order of the table's columns."""
