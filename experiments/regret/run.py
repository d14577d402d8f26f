"""`draw_regret`: of all runs below a folder tables, a CSV and a picture for each scenario."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from experiments.regret.courses import courses_of
from experiments.regret.figure import draw_courses
from experiments.regret.references import References
from experiments.regret.report import group_courses, tables, write_courses
from experiments.reporting.statistics import base_name
from experiments.reporting.tables import REGRET_NOTE
from experiments.runs.folder import Run, common_scenario, find_runs
from experiments.runs.typed import as_a_line, overrides_of, typed_for_all


def draw_regret(folder: Path, output: Path, *, progress: bool = True) -> str:
    """Draw what methods earn in their first decisions and lose in all, compared with baselines on the same cells.

    The baselines' utilities are kept in `folder`, one file per scenario.

    Args:
        folder: of runs of `experiments.train`, of one scenario or of several.
        output: PNG; the scenario is added to its name. A CSV of that name has the figures of every run.
        progress: show bars.

    Returns:
        Tables, as text.
    """
    groups: dict[str, list[Run]] = defaultdict(list)
    for run in sorted(find_runs(folder), key=lambda run: (base_name(run.method), run.method, run.seed)):
        groups[run.group[0]].append(run)
    texts = []
    for name, runs in groups.items():
        scenario = common_scenario(runs)
        courses = courses_of(runs, scenario, References(scenario, folder, progress))
        path = output.with_name(f"{output.stem}_{name}.png")
        methods = group_courses(courses)
        typed = _typed(runs)
        draw_courses(path, scenario, methods, typed)
        write_courses(path.with_suffix(".csv"), scenario, courses)
        shaped = any(run.has_goal for run in runs)
        texts += [typed] if typed else []
        texts += [tables(scenario, methods, shaped), f"written: {path}, {path.with_suffix('.csv')}"]
    return "\n".join([*texts, REGRET_NOTE])


def _typed(runs: Sequence[Run]) -> str:
    """What was typed for all of them, in a line; "" where nothing was, or a run was made in Python."""
    found = [overrides_of(run.folder) for run in runs]
    return as_a_line(typed_for_all([each for each in found if each is not None])) if None not in found else ""
