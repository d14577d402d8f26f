"""The paper's Fig. 8: what small students keep of their teachers, as a table, a picture and a CSV."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.reporting.statistics import Interval, base_name, bootstrap_interval, over_two_seeds, worth_of_twins
from experiments.reporting.style import bar_style, draw_bar, over_seeds, save_figure
from experiments.reporting.tables import aligned, write_rows


class StudentResult(NamedTuple):
    """A student, or (hidden = 0) a teacher.

    Args:
        scenario, head: of the teacher.
        teacher: its name: dqn, dqn-dt, ...
        seed: of the teacher's run.
        hidden: neurons in each hidden layer of the student.
        utility, reward_at_c_max: means on unseen cells.
        agreement: share of the states its teacher meets there in which it chooses as the teacher does.
        allocations: different ones that it chooses in these states.
        parameters: learned numbers of its network, 4 byte each.
    """

    scenario: str
    head: str
    teacher: str
    seed: int
    hidden: int
    utility: float
    reward_at_c_max: float
    agreement: float
    allocations: int
    parameters: int

    @property
    def network(self) -> str:
        """As tables and pictures call it."""
        return f"2x{self.hidden}" if self.hidden else "teacher"


def _order(result: StudentResult) -> tuple[str, str, str, str, float]:
    """By scenario and head, then each algorithm without and with its twin, then from large to small."""
    return result.scenario, result.head, base_name(result.teacher), result.teacher, -(result.hidden or np.inf)


def _methods(results: Sequence[StudentResult]) -> list[list[StudentResult]]:
    """Students of the same method and size, over seeds."""
    ordered = sorted(results, key=lambda result: (*_order(result), result.seed))
    return [list(group) for _, group in groupby(ordered, key=_order)]


def _interval(results: Sequence[StudentResult], name: str) -> Interval:
    return bootstrap_interval([float(getattr(result, name)) for result in results])


def _kept(results: Sequence[StudentResult], teachers: Sequence[StudentResult]) -> Interval:
    """Share of its teacher's utility that each student keeps."""
    utility = {teacher.seed: teacher.utility for teacher in teachers}
    return bootstrap_interval([result.utility / utility[result.seed] for result in results])


def student_tables(results: Sequence[StudentResult]) -> str:
    """Tables of all scenarios and heads, and what the twin is worth to students."""
    texts = []
    by_group: dict[tuple[str, str], list[StudentResult]] = defaultdict(list)
    for result in results:
        by_group[result.scenario, result.head].append(result)
    for (scenario, head), group in by_group.items():
        title = f"scenario {scenario}, teachers with the {head} head; interquartile mean over seeds [95 % interval"
        title += f"{over_two_seeds(map(len, _methods(group)))}]"
        utility: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
        for result in sorted(group, key=_order):
            what = f", students {result.network}" if result.hidden else ", teachers"
            utility[result.teacher, what][result.seed] = result.utility
        texts += [f"\n{title}", _table(group), *worth_of_twins(utility)]
    return "\n".join(texts)


def _table(results: Sequence[StudentResult]) -> str:
    rows = []
    teachers: list[StudentResult] = []
    for method in _methods(results):
        first = method[0]
        teachers = method if not first.hidden else teachers
        rows.append(
            [
                first.teacher,
                first.network,
                str(len(method)),
                _interval(method, "utility").show(3),
                _kept(method, teachers).show(3) if first.hidden else "-",
                _interval(method, "reward_at_c_max").show(2),
                _interval(method, "agreement").show(3) if first.hidden else "-",
                _interval(method, "allocations").show(1),
                f"{first.parameters:,}".replace(",", " "),
                f"{4 * first.parameters / 1000:.0f} kB",
            ]
        )
    header = ["teacher", "network", "seeds", "utility", "kept of its teacher's", "share at c_max"]
    return aligned([*header, "agreement", "allocations used", "parameters", "weights"], rows)


def write_students(path: Path, results: Sequence[StudentResult]) -> None:
    """Write one row per teacher or student."""
    rows = [
        [f"{value:.6g}" if isinstance(value, float) else value for value in result]
        for result in sorted(results, key=lambda result: (*_order(result), result.seed))
    ]
    write_rows(path, StudentResult._fields, rows)


def plot_students(path: Path, results: Sequence[StudentResult]) -> None:
    """Utility and share at c_max of teachers and students, side by side, one row per scenario and head."""
    groups = sorted({(result.scenario, result.head) for result in results})
    figure = Figure(figsize=(12, 4.6 * len(groups)), layout="constrained")
    panels = figure.subplots(len(groups), 2, squeeze=False)
    for (left, right), group in zip(panels, groups, strict=True):
        shown = [result for result in results if (result.scenario, result.head) == group]
        _bars(left, shown, "utility", "mean utility U on unseen cells")
        _bars(right, shown, "reward_at_c_max", "share at c_max")
        left.set_ylabel(f"scenario {group[0]}")
    seeds = len({result.seed for result in results})
    figure.suptitle(
        "Students with two hidden layers compared with their teachers, without a twin (hatched) and with one (-dt)\n"
        f"interquartile mean over {over_seeds(seeds)}",
        fontsize=11,
    )
    save_figure(figure, path)


def _bars(axes: Axes, results: Sequence[StudentResult], name: str, title: str) -> None:
    x, ticks, labels = 0.0, [], []
    low, high = np.inf, -np.inf
    for teacher, methods in groupby(_methods(results), key=lambda method: method[0].teacher):
        first = x
        for method in methods:
            value = _interval(method, name)
            shade = 1.0 if not method[0].hidden else 0.7 if method[0].hidden >= 16 else 0.45
            text = f"{method[0].network}\n{float(value.value):.2f}"
            draw_bar(axes, x, value, text, fontsize=7.5, width=0.85, alpha=shade, **bar_style(teacher))
            low, high = min(low, float(np.nanmin(value))), max(high, float(np.nanmax(value)))
            x += 1.0
        ticks.append((first + x - 1.0) / 2.0)
        labels.append(teacher)
        x += 0.6
    axes.set_xticks(ticks, labels)
    if name == "utility":
        room = max(high - low, 0.05)
        axes.set_ylim(low - room, high + 0.7 * room)
    else:
        axes.set_ylim(0.0, 1.15)
    axes.set_title(title, fontsize=10)
