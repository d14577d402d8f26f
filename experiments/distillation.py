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

from experiments.plots import interval_bar, over_seeds, plain_name, save_figure
from experiments.statistics import Interval, estimate, mean_over, stratified_bootstrap
from experiments.tables import aligned, write_rows


class Pupil(NamedTuple):
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


def _order(pupil: Pupil) -> tuple[str, str, str, str, float]:
    """By scenario and head, then each algorithm without and with its twin, then from large to small."""
    return pupil.scenario, pupil.head, plain_name(pupil.teacher), pupil.teacher, -(pupil.hidden or np.inf)


def _arms(pupils: Sequence[Pupil]) -> list[list[Pupil]]:
    """Pupils of the same arm and size, over seeds."""
    ordered = sorted(pupils, key=lambda pupil: (*_order(pupil), pupil.seed))
    return [list(group) for _, group in groupby(ordered, key=_order)]


def _interval(pupils: Sequence[Pupil], name: str) -> Interval:
    return stratified_bootstrap([[float(getattr(pupil, name)) for pupil in pupils]])


def _kept(pupils: Sequence[Pupil], teachers: Sequence[Pupil]) -> Interval:
    """Share of its teacher's utility that each student keeps."""
    own = {teacher.seed: teacher.utility for teacher in teachers}
    return stratified_bootstrap([[pupil.utility / own[pupil.seed] for pupil in pupils]])


def report(pupils: Sequence[Pupil]) -> str:
    """Tables of all scenarios and heads, and what the twin is worth to students."""
    texts = []
    by_group: dict[tuple[str, str], list[Pupil]] = defaultdict(list)
    for pupil in pupils:
        by_group[pupil.scenario, pupil.head].append(pupil)
    for (scenario, head), own in by_group.items():
        title = f"scenario {scenario}, teachers with the {head} head; interquartile mean over seeds [95 % interval]"
        texts += [f"\n{title}", _table(own), *_worth_of_twins(own)]
    return "\n".join(texts)


def _table(pupils: Sequence[Pupil]) -> str:
    rows = []
    teachers: list[Pupil] = []
    for arm in _arms(pupils):
        first = arm[0]
        teachers = arm if not first.hidden else teachers
        rows.append(
            [
                first.teacher,
                first.network,
                str(len(arm)),
                _interval(arm, "utility").show(3),
                _kept(arm, teachers).show(3) if first.hidden else "-",
                _interval(arm, "reward_at_c_max").show(2),
                _interval(arm, "agreement").show(3) if first.hidden else "-",
                _interval(arm, "allocations").show(1),
                f"{first.parameters:,}".replace(",", " "),
                f"{4 * first.parameters / 1000:.0f} kB",
            ]
        )
    header = ["teacher", "network", "seeds", "utility", "kept of its teacher's", "reward at c_max"]
    return aligned([*header, "agreement", "allocations used", "parameters", "weights"], rows)


def _worth_of_twins(pupils: Sequence[Pupil]) -> list[str]:
    """Of each algorithm and size: utility of students of DT teachers minus that of plain ones, seed by seed."""
    lines = []
    utility = {(pupil.teacher, pupil.hidden, pupil.seed): pupil.utility for pupil in pupils}
    for teacher, hidden in dict.fromkeys((pupil.teacher, pupil.hidden) for pupil in sorted(pupils, key=_order)):
        plain = plain_name(teacher)
        seeds = [seed for name, size, seed in utility if (name, size) == (teacher, hidden)]
        if plain == teacher or any((plain, hidden, seed) not in utility for seed in seeds):
            continue
        gained = estimate([utility[teacher, hidden, seed] - utility[plain, hidden, seed] for seed in seeds])
        what = f"students 2x{hidden}" if hidden else "teachers"
        lines.append(f"{teacher} minus {plain}, {what}: {gained.show(3)} ({mean_over(len(seeds))})")
    return lines


def write(path: Path, pupils: Sequence[Pupil]) -> None:
    """A row a teacher or student."""
    rows = [
        [f"{value:.6g}" if isinstance(value, float) else value for value in pupil]
        for pupil in sorted(pupils, key=lambda pupil: (*_order(pupil), pupil.seed))
    ]
    write_rows(path, Pupil._fields, rows)


def draw(path: Path, pupils: Sequence[Pupil]) -> None:
    """Utility and reward of teachers and students, side by side, a row a scenario and head."""
    groups = sorted({(pupil.scenario, pupil.head) for pupil in pupils})
    figure = Figure(figsize=(12, 4.6 * len(groups)), layout="constrained")
    panels = figure.subplots(len(groups), 2, squeeze=False)
    for (left, right), group in zip(panels, groups, strict=True):
        own = [pupil for pupil in pupils if (pupil.scenario, pupil.head) == group]
        _bars(left, own, "utility", "mean utility U on unseen cells")
        _bars(right, own, "reward_at_c_max", "share of decisions with U at or above the final threshold")
        left.set_ylabel(f"scenario {group[0]}")
    seeds = len({pupil.seed for pupil in pupils})
    figure.suptitle(
        "Students with two hidden layers beside their teachers, without a twin (hatched) and with one (-dt)\n"
        f"interquartile mean over {over_seeds(seeds)}",
        fontsize=11,
    )
    save_figure(figure, path)


def _bars(axes: Axes, pupils: Sequence[Pupil], name: str, title: str) -> None:
    place, ticks, labels = 0.0, [], []
    low, high = np.inf, -np.inf
    for teacher, arms in groupby(_arms(pupils), key=lambda arm: arm[0].teacher):
        begun = place
        for arm in arms:
            value = _interval(arm, name)
            shade = 1.0 if not arm[0].hidden else 0.7 if arm[0].hidden >= 16 else 0.45
            interval_bar(axes, place, value, teacher, width=0.85, alpha=shade)
            axes.annotate(
                f"{arm[0].network}\n{float(value.value):.2f}",
                (place, float(np.nanmax(value))),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=7.5,
            )
            low, high = min(low, float(np.nanmin(value))), max(high, float(np.nanmax(value)))
            place += 1.0
        ticks.append((begun + place - 1.0) / 2.0)
        labels.append(teacher)
        place += 0.6
    axes.set_xticks(ticks, labels)
    if name == "utility":
        room = max(high - low, 0.05)
        axes.set_ylim(low - room, high + 0.7 * room)
    else:
        axes.set_ylim(0.0, 1.15)
    axes.set_title(title, fontsize=10)
