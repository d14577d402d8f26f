"""What baselines earn on the unseen cells on which the runs of a section were compared with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from experiments.evaluate.report import read_csv
from experiments.report.entries import Entry

_FILE = "evaluation.csv"


def baselines_of(runs: Iterable[Entry]) -> dict[str, float]:
    """Mean utility by baseline, of those that are the same in all runs; none where runs met other cells.

    Args:
        runs: of one scenario.
    """
    found: dict[str, set[float]] = defaultdict(set)
    agents = set()
    for run in runs:
        agents.add(str((run.summary or {}).get("agent")))
        try:
            evaluations = read_csv(run.folder / _FILE)
        except (OSError, ValueError, KeyError):
            continue  # of a second run it is in the folder of the first
        for each in evaluations:
            found[each.policy].add(round(float(each.utility.mean()), 6))
    return {name: min(values) for name, values in found.items() if len(values) == 1 and name not in agents}
