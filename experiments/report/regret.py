"""What runs lost against the one-step oracle on their own cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.regret import References, courses_of
from experiments.report.entries import Entry
from experiments.runs.folder import common_scenario, read_run


def with_oracle(entries: Sequence[Entry], folder: Path, progress: bool) -> tuple[list[Entry], list[str]]:
    """Runs with `regret_oracle` in their figures, and a sentence on each that it cannot be computed of.

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
            whole.append(replace(entry, summary={**(entry.summary or {}), "regret_oracle": lost}))
        except (OSError, ValueError, KeyError) as error:
            missed.append(f"regret against the oracle: {entry.folder}: {error}")
            whole.append(entry)
    return whole, missed
