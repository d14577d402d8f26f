"""Groups that differ in one key, compared on the seeds that both have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from experiments.report.in_force import NOT_IN_FORCE
from experiments.report.measures import FINAL, REGRET, RunMeasure
from experiments.reporting.statistics import Interval, bootstrap_interval, probability_of_improvement

if TYPE_CHECKING:
    from experiments.report.groups import RunGroup, Section

COMPARED = (FINAL, REGRET)
"""Figures that are compared."""


@dataclass(frozen=True)
class Difference:
    """A figure of one group minus that of another, on common seeds.

    Args:
        key: in which they differ.
        values: of that key: of the group, then of what it is compared with.
        rest: the other keys, in which they agree or that are not in force in one of them, as they are shown.
        measure: the figure.
        seeds: that both have it of.
        difference: interquartile mean of the differences, seed by seed.
        probability: that a run of the group is better than one of the other.
        better: on how many of the seeds it is; ties count for neither.
    """

    key: str
    values: tuple[str, str]
    rest: str
    measure: RunMeasure
    seeds: tuple[int, ...]
    difference: Interval
    probability: Interval
    better: int

    @property
    def label(self) -> str:
        """What is compared: twin: lstm minus none (agent.learning_rate 0.001)."""
        return f"{self.key}: {self.values[0]} minus {self.values[1]}" + (f" ({self.rest})" if self.rest else "")


def compared(section: Section) -> list[Difference]:
    """All pairs of groups of a section that differ in one key, the later value minus the earlier one.

    A key that is not in force in one of two groups does not tell them apart: the runs are the same at any value.
    """
    found = []
    for key in section.keys:
        for other, own in combinations(section.groups, 2):
            if [each for each in section.keys if _differ(own.values[each], other.values[each])] == [key]:
                each = [_difference(key, own, other, measure) for measure in COMPARED]
                found += [difference for difference in each if difference is not None]
    return found


def _differ(one: str, two: str) -> bool:
    return one != two and NOT_IN_FORCE not in (one, two)


def _agreed(key: str, name: str, own: RunGroup, other: RunGroup) -> str:
    """What two groups that differ in a key have of another, and where that is not in force."""
    mine, its = own.values[name], other.values[name]
    if mine == its:
        return "" if mine == NOT_IN_FORCE else f"{name} {mine}"
    shown, without = (its, own) if mine == NOT_IN_FORCE else (mine, other)
    return f"{name} {shown}, not in force with {key} {without.values[key]}"


def _difference(key: str, own: RunGroup, other: RunGroup, measure: RunMeasure) -> Difference | None:
    """None where they have no common seed."""
    mine, its = own.by_seed(measure), other.by_seed(measure)
    seeds = tuple(seed for seed in mine if seed in its)
    if not seeds:
        return None
    one, two = (np.array([values[seed] for seed in seeds]) for values in (mine, its))
    sign = 1.0 if measure.higher_is_better else -1.0
    rest = ", ".join(filter(None, (_agreed(key, name, own, other) for name in own.values if name != key)))
    return Difference(
        key,
        (own.values[key], other.values[key]),
        rest,
        measure,
        seeds,
        bootstrap_interval(one - two),
        probability_of_improvement(sign * one, sign * two),
        int((sign * one > sign * two).sum()),
    )


def in_rows(differences: Sequence[Difference]) -> list[tuple[Difference, ...]]:
    """Differences of the same two groups together."""
    rows: dict[str, list[Difference]] = {}
    for each in differences:
        rows.setdefault(each.label, []).append(each)
    return [tuple(row) for row in rows.values()]
