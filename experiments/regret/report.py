"""Tables and a CSV of the figures of courses."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.regret.courses import Course
from experiments.reporting.statistics import bootstrap_interval, over_few_seeds
from experiments.reporting.tables import aligned, write_rows
from slicing_gym import Scenario

Methods = Mapping[tuple[str, int], Sequence[Course]]
"""Courses by method and number of decisions."""

EARNED = {
    "u_1_10": ("U, decisions 1-10", 3),
    "u_11_50": ("U, 11-50", 3),
    "u_101_200": ("U, 101-200", 3),
    "u_episode_1": ("U, episode 1", 3),
    "share_at_c_max": ("share at c_max, episode 1", 3),
    "u_last_episode": ("U, last episode", 3),
}
"""Figures of the first table: what they are called there, and digits."""

LOST = {
    "regret_best_fixed": ("regret, best fixed [U]", 1),
    "regret_oracle": ("regret, oracle [U]", 1),
    "regret_oracle_later": ("after episode 1", 1),
    "of_proportional": ("as share of proportional's", 2),
    "u_unseen": ("final U, unseen cells", 3),
    "below_oracle_unseen": ("below the oracle there", 3),
}
"""Figures of the second."""


def group_courses(courses: Sequence[Course]) -> dict[tuple[str, int], list[Course]]:
    """Courses by method and number of decisions, in the order of the methods, the longest first."""
    order = list(dict.fromkeys(course.method for course in courses))
    methods: dict[tuple[str, int], list[Course]] = defaultdict(list)
    for course in sorted(courses, key=lambda course: (order.index(course.method), -course.decisions)):
        methods[course.method, course.decisions].append(course)
    return dict(methods)


def tables(scenario: Scenario, methods: Methods, with_reward: bool = True) -> str:
    """What methods earned, and what they lost, a row each; the share at c_max where the scenario has such a goal."""
    figures = {key: [course.figures(scenario) for course in courses] for key, courses in methods.items()}
    two = over_few_seeds(map(len, methods.values()))
    text = f"\nscenario {scenario.name}; interquartile mean over seeds [95 % interval, bootstrap{two}]"
    earned = {name: each for name, each in EARNED.items() if with_reward or name != "share_at_c_max"}
    for columns in (earned, LOST):
        rows = [
            [
                method,
                str(len(found)),
                str(decisions),
                *(_shown([each[name] for each in found], digits) for name, (_, digits) in columns.items()),
            ]
            for (method, decisions), found in figures.items()
        ]
        header = ["method", "seeds", "decisions", *(label for label, _ in columns.values())]
        text += "\n" + aligned(header, rows) + "\n"
    return text


def _shown(values: Sequence[float], digits: int) -> str:
    """An estimate over seeds; without an interval where all have the same, - where none has any."""
    if any(map(math.isnan, values)):
        return "-"
    return bootstrap_interval(values if np.ptp(values) > 0.0 else values[:1]).show(digits)


def write_courses(path: Path, scenario: Scenario, courses: Sequence[Course]) -> None:
    """Write all figures of every course, a row each."""
    names = [*EARNED, *LOST]
    rows = []
    for course in courses:
        figures = course.figures(scenario)
        known = ["" if math.isnan(figures[name]) else f"{figures[name]:.6f}" for name in names]
        rows.append([scenario.name, course.method, course.seed, course.decisions, *known])
    write_rows(path, ["scenario", "method", "seed", "decisions", *names], rows)
