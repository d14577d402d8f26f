"""Tables of a report as rows of text: groups, differences, runs that are not done, and every run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from experiments.report.comparison import Difference, in_rows
from experiments.report.entries import Entry
from experiments.report.groups import RunGroup, Section, relative
from experiments.report.measures import GOAL, RunMeasure

Row = list[str]
NOTHING = "-"


class TextTable(NamedTuple):
    """A header and rows.

    Args:
        header: labels of columns.
        rows: one cell per column.
        numbers: what each cell is sorted by; nan: it is a text.
    """

    header: Row
    rows: list[Row]
    numbers: list[list[float]]


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> TextTable:
    """A table of texts, of which those that are numbers are sorted as such."""
    return _as_table(list(header), [[_text(cell) for cell in row] for row in rows])


def _as_table(header: Row, cells: Sequence[Sequence[tuple[str, float]]]) -> TextTable:
    rows, numbers = ([[cell[place] for cell in row] for row in cells] for place in (0, 1))
    return TextTable(header, rows, numbers)  # type: ignore[arg-type]


def _text(value: object) -> tuple[str, float]:
    """A cell; sorted as a number if it is one."""
    try:
        return str(value), float(str(value))
    except ValueError:
        return str(value), math.nan


def groups_table(section: Section) -> TextTable:
    """One row per group: seeds, and each figure with its interval."""
    measures, rows = section.measures, []
    for group in section.groups:
        row = [_text(value) for value in group.values.values()]
        row.append((group.seeds_shown, float(len(group.seeds))))
        row.append(_decisions(group))
        row += [_figure(group, measure) for measure in measures]
        rows.append(row)
    return _as_table([*section.keys, "seeds", "decisions", *(each.label for each in measures)], rows)


def _decisions(group: RunGroup) -> tuple[str, float]:
    """Real decisions of the runs of a group: one number, or the lowest and the highest."""
    found = sorted({int(run.summary["decisions"]) for run in group.runs if run.summary and "decisions" in run.summary})
    if not found:
        return NOTHING, math.nan
    return (str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"), float(found[-1])


def _figure(group: RunGroup, measure: RunMeasure) -> tuple[str, float]:
    """A figure as it is shown; a group of which some runs have none says so."""
    interval, number = group.interval(measure), len(group.values_of(measure))
    if interval is None:
        return NOTHING, math.nan
    fewest = min((len(run.episodes.get("utility", ())) for run in group.runs), default=0)
    shown = interval.show(measure.digits, f">{fewest}" if measure is GOAL else "inf")
    return shown + (f" ({number} of {len(group.runs)} runs)" if number < len(group.runs) else ""), float(interval.value)


def differences_table(section: Section) -> TextTable:
    """One row per pair of groups that differ in one key; none if there are no such pairs."""
    rows = []
    columns = {each.measure.name: each.measure for each in section.differences}
    for pair in in_rows(section.differences):
        found = {each.measure.name: each for each in pair}
        first = pair[0]
        row = [_text(first.label), _text(len(first.seeds))]
        for name in columns:
            row += _shown_difference(found.get(name))
        rows.append(row)
    header = [part for each in columns.values() for part in (f"difference in {each.label}", "P(better)", "better in")]
    return _as_table(["compared", "common seeds", *header], rows)


def _shown_difference(difference: Difference | None) -> list[tuple[str, float]]:
    if difference is None:
        return [(NOTHING, math.nan)] * 3
    value, probability = difference.difference, difference.probability
    return [
        (value.show(difference.measure.digits), float(value.value)),
        (probability.show(2), float(probability.value)),
        (f"{difference.better} of {len(difference.seeds)}", difference.better / len(difference.seeds)),
    ]


def not_done_table(entries: Sequence[Entry]) -> TextTable:
    """One row per run that is not done: its state, where it is, and why."""
    rows = [
        [_text(run.state), _text(relative(run.folder)), _text(" ".join(run.error.split()) or "nothing says why")]
        for run in entries
        if not run.done
    ]
    return _as_table(["state", "folder", "why"], rows)


def runs_table(section: Section) -> TextTable:
    """One row per run, also those that are not done."""
    measures, rows = section.measures, []
    for group in section.groups:
        for run in (*group.runs, *group.others):
            row = [_text(value) for value in group.values.values()]
            row += [_text(NOTHING if run.seed is None else run.seed), _text(run.state)]
            for measure in measures:
                value = measure.of(run) if run.done else None
                shown = NOTHING if value is None else "never" if math.isinf(value) else f"{value:.{measure.digits}f}"
                row.append((shown, math.nan if value is None else value))
            row += [(NOTHING, math.nan) if run.seconds is None else (f"{run.seconds:.0f}", run.seconds)]
            rows.append([*row, _text(relative(run.folder))])
    return _as_table(
        [*section.keys, "seed", "state", *(each.label for each in measures), "wall seconds", "folder"], rows
    )


def groups_csv(sections: Sequence[Section]) -> tuple[Row, list[list[object]]]:
    """One row per group and figure: its value and the ends of its interval, in full."""
    header = ["command", "scenario", "group", "seeds", "of", "figure", "value", "low", "high"]
    rows: list[list[object]] = []
    for section in sections:
        for group in section.groups:
            of = len({run.seed for run in (*group.runs, *group.others)})
            for measure in section.measures:
                interval = group.interval(measure)
                numbers = ["", "", ""] if interval is None else [_in_full(float(each)) for each in interval]
                own = [section.command, section.scenario, group.label, len(group.seeds), of]
                rows.append([*own, measure.name, *numbers])
    return header, rows


def runs_csv(sections: Sequence[Section]) -> tuple[Row, list[list[object]]]:
    """One row per run, also those that are not done, with all figures in full."""
    names = list(dict.fromkeys(measure.name for section in sections for measure in section.measures))
    keys = list(dict.fromkeys(key for section in sections for key in section.keys))
    rows: list[list[object]] = []
    for section in sections:
        measures = {measure.name: measure for measure in section.measures}
        for group in section.groups:
            for run in (*group.runs, *group.others):
                found = [measures[name].of(run) if name in measures and run.done else None for name in names]
                shown = ["" if value is None else _in_full(value) for value in found]
                place = [section.command, section.scenario, *(group.values.get(key, "") for key in keys)]
                rows.append([*place, run.seed, run.state, *shown, run.seconds, relative(run.folder), run.error])
    header = ["command", "scenario", *keys, "seed", "state", *names, "wall_seconds", "folder", "error"]
    return header, rows


def _in_full(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.10g}"
