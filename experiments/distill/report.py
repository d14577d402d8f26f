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

from experiments.reporting.names import display_names
from experiments.reporting.statistics import Interval, base_name, bootstrap_interval, over_few_seeds, worth_of_twins
from experiments.reporting.style import draw_point, over_seeds, point_style, save_figure
from experiments.reporting.tables import aligned, write_rows

_MARKERS = "os^Dv"
"""Of a teacher, and of its students from large to small."""


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
        title += f"{over_few_seeds(map(len, _methods(group)))}]"
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
        _points(left, shown, "utility", "mean utility U on unseen cells")
        _points(right, shown, "reward_at_c_max", "share at c_max on unseen cells")
        right.set_ylim(-0.05, 1.05)
        for axes in (left, right):
            axes.set_title(f"scenario {group[0]}, {group[1]} head", fontsize=10)
    handles = left.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=len(handles[0]), frameon=False, fontsize=9)
    seeds = len({result.seed for result in results})
    figure.suptitle(
        "Students with two hidden layers compared with their teachers, without a twin (hollow) and with one (filled)\n"
        f"interquartile mean over {over_seeds(seeds)}",
        fontsize=11,
    )
    save_figure(figure, path)


def _points(axes: Axes, results: Sequence[StudentResult], name: str, label: str) -> None:
    """One point per teacher, next to it one per size of its students."""
    x, ticks, labels = 0.0, [], []
    names = display_names(result.teacher for result in results)
    sizes = sorted({result.hidden or np.inf for result in results}, reverse=True)  # the teacher first
    for teacher, methods in groupby(_methods(results), key=lambda method: method[0].teacher):
        first = x
        for method in methods:
            value, size = _interval(method, name), sizes.index(method[0].hidden or np.inf)
            style = {**point_style(teacher), "fmt": _MARKERS[size % len(_MARKERS)]}
            draw_point(axes, x, value, f"{float(value.value):.2f}", **style)
            x += 1.0
        ticks.append((first + x - 1.0) / 2.0)
        labels.append(names[teacher].replace(" with", "\nwith"))
        x += 0.6
    for size, hidden in enumerate(sizes):
        what = "teacher" if hidden == np.inf else f"student, 2 layers of {hidden:g}"
        axes.plot([], [], ls="", marker=_MARKERS[size % len(_MARKERS)], color="#555555", ms=7, label=what)
    axes.set_xticks(ticks, labels, fontsize=9)
    axes.set_xlim(-0.6, x - 0.6)
    axes.margins(y=0.15)
    axes.grid(axis="y", alpha=0.25)
    axes.set_ylabel(label)
