"""Histories to learn from offline: recorded in the simulator from known policies, or a file."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np

from agents.baselines import HardPolicy, Policy, ProportionalPolicy, RandomPolicy
from experiments.runs.folder import HISTORY
from slicing_gym import Scenario
from slicing_gym.errors import unknown_name
from twin import History, RecordHistory

RECORDED = {"random": ("random",), "mixed": ("random", "hard", "proportional")}
"""Whose decisions a recorded history holds, by its name; an episode of each in turn."""

DECISIONS = 5000
"""How many are recorded, if it is not said."""


def record_history(name: str, scenario: Scenario, seed: int, decisions: int) -> History:
    """Decisions of one cell under the policies of a name in `RECORDED`.

    Args:
        name: of the history.
        scenario: of the cell.
        seed: of the cell, and of the random policy.
        decisions: how many.
    """
    if name not in RECORDED:
        raise ValueError(unknown_name("history", name, RECORDED))
    makers: dict[str, Policy] = {
        "random": RandomPolicy(scenario, seed),
        "hard": HardPolicy(scenario),
        "proportional": ProportionalPolicy(scenario),
    }
    policies = [makers[each] for each in RECORDED[name]]
    env = RecordHistory(gym.make("SliceRAN-v0", scenario=scenario))
    observation, _ = env.reset(seed=seed)
    number = 0  # of the episode
    for _ in range(decisions):
        action, _ = policies[number % len(policies)].predict(observation)
        observation, _, _, truncated, _ = env.step(action)
        if truncated:
            observation, _ = env.reset()
            number += 1
    return env.recorder.history()


def check_history(name: str) -> None:
    """Refuse what is neither the name of a history to record, nor a file, nor a run's folder.

    Raises:
        ValueError: the message names what is allowed.
    """
    if name in RECORDED or _file_of(name).is_file():
        if name.endswith((".csv", ".parquet")):
            raise ValueError(f"history: {name!r} is a log; twin.read_log makes a History of it, and its save a file")
        return
    if "/" in name or name.endswith(".npz") or Path(name).is_dir():
        raise ValueError(f"history: there is no file {str(_file_of(name))!r}")
    raise ValueError(unknown_name("history", name, RECORDED) + ", the file of a History, or the folder of a run")


def _file_of(name: str) -> Path:
    """The file of a history: itself, or the one in the folder of a run."""
    return Path(name) / HISTORY if Path(name).is_dir() else Path(name)


def make_history(name: str, scenario: Scenario, seed: int, decisions: int | None) -> History:
    """The history that a configuration means; `name` has passed `check_history`.

    Args:
        name: in `RECORDED`, a file, or the folder of a run.
        scenario: of a recorded one.
        seed: of a recorded one.
        decisions: how many, by default `DECISIONS`; of a file the first so many, by default all.

    Raises:
        ValueError: the file holds no history, or fewer decisions.
    """
    if name in RECORDED:
        return record_history(name, scenario, seed, DECISIONS if decisions is None else decisions)
    history = History.load(_file_of(name))
    if decisions is None:
        return history
    if decisions > len(history):
        raise ValueError(f"decisions: {decisions} given, the history {name!r} has {len(history)}")
    return history.take(np.arange(decisions))
