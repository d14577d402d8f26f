"""What runs lost against the one-step oracle on their own cells, and what the best fixed allocation earned there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from experiments.regret import Course, References, courses_of
from experiments.report.entries import Entry
from experiments.runs.folder import common_scenario, read_run
from slicing_gym import Scenario

BEST_FIXED = "best_fixed_"
"""How columns of episodes begin that have the figure of the best fixed allocation in the same cell."""


def with_oracle(entries: Sequence[Entry], folder: Path, progress: bool) -> tuple[list[Entry], list[str]]:
    """Runs with `regret_oracle` in their figures and the best fixed allocation's episodes next to their own.

    Of each run of which these cannot be computed there is a sentence.

    Args:
        entries: of a report.
        folder: where the utilities of the baselines are kept.
        progress: show bars.
    """
    whole, missed = [], []
    for entry in entries:
        if not entry.done or entry.command != "train":
            whole.append(entry)
            continue
        try:
            run = read_run(entry.folder)
            scenario = common_scenario([run])
            course = courses_of([run], scenario, References(scenario, folder, progress))[0]
            lost = course.figures(scenario)["regret_oracle"]
            episodes = {**entry.episodes, **_best_fixed(course, scenario)}
            whole.append(replace(entry, summary={**(entry.summary or {}), "regret_oracle": lost}, episodes=episodes))
        except (OSError, ValueError, KeyError) as error:
            missed.append(f"regret against the oracle: {entry.folder}: {error}")
            whole.append(entry)
    return whole, missed


def _best_fixed(course: Course, scenario: Scenario) -> dict[str, npt.NDArray[np.float64]]:
    """What the best fixed allocation earned in each episode of the run (episodes,), by column."""
    starts = np.arange(0, course.decisions, scenario.decisions_per_episode)
    decisions = np.diff(np.append(starts, course.decisions))
    reached = (course.best_fixed >= scenario.reward.threshold_end).astype(np.float64)
    columns = {"utility": course.best_fixed, "reward_at_c_max": reached}
    return {f"{BEST_FIXED}{name}": np.add.reduceat(each, starts) / decisions for name, each in columns.items()}
