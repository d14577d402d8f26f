"""Runs that agree in everything but their seed as groups, those of a scenario and a command as a section."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments.report.baselines import baselines_of
from experiments.report.comparison import Difference, compared
from experiments.report.configuration import (
    CHOICES,
    along_with,
    check_keys,
    identity,
    shown_value,
    swept_keys,
    typed,
)
from experiments.report.differences import different_agents
from experiments.report.entries import Entry
from experiments.report.in_force import NOT_IN_FORCE
from experiments.report.learning import SET_BY
from experiments.report.measures import GOAL, REGRET, RUN_MEASURES, RunMeasure
from experiments.reporting.statistics import Interval, bootstrap_interval
from experiments.reporting.tables import REGRET_NOTE
from experiments.runs.typed import as_a_line, typed_for_all
from experiments.train.callbacks import REWARD_GOAL


@dataclass(frozen=True)
class RunGroup:
    """Runs that are alike in what they are grouped by.

    Args:
        values: what they have in common, as it is shown, by key.
        runs: those that are done, one per seed unless `by` puts several settings together.
        others: those that are not.
    """

    values: Mapping[str, str]
    runs: tuple[Entry, ...]
    others: tuple[Entry, ...]

    @property
    def label(self) -> str:
        """What it is called in pictures: twin lstm, agent.learning_rate 0.001."""
        shown = [f"{key} {value}" for key, value in self.values.items() if value != NOT_IN_FORCE]
        return ", ".join(shown) or "all runs"

    @property
    def seeds(self) -> list[int]:
        """Of the runs that are done."""
        return sorted({run.seed for run in self.runs if run.seed is not None})

    @property
    def seeds_shown(self) -> str:
        """How many seeds are done, of how many: 2 of 3; and how many runs where they are more."""
        expected = {run.seed for run in (*self.runs, *self.others)}
        number, all_of_them = len(self.seeds), len(expected)
        text = str(number) if number == all_of_them else f"{number} of {all_of_them}"
        return f"{text} ({len(self.runs)} runs)" if len(self.runs) > number else text

    def values_of(self, measure: RunMeasure) -> list[float]:
        """A figure of those runs that have it."""
        found = map(measure.of, self.runs)
        return [value for value in found if value is not None]

    def by_seed(self, measure: RunMeasure) -> dict[int, float]:
        """A figure by seed; the mean where several runs have one."""
        found: dict[int, list[float]] = defaultdict(list)
        for run in self.runs:
            value = measure.of(run)
            if value is not None and run.seed is not None:
                found[run.seed].append(value)
        return {seed: sum(values) / len(values) for seed, values in sorted(found.items())}

    def interval(self, measure: RunMeasure) -> Interval | None:
        """The interquartile mean over runs and its 95 % interval; None where no run has the figure."""
        values = self.values_of(measure)
        return bootstrap_interval(values) if values else None


@dataclass(frozen=True)
class Section:
    """All groups of a scenario and a command.

    Args:
        command: train or offline.
        scenario: its name.
        keys: what the runs are grouped by.
        in_common: what all of them have in common of agent, twin, head and decisions, as it is shown.
        groups: the runs.
        notes: what a reader has to know of them, in sentences.
        baselines: mean utility on the unseen cells, by name.
    """

    command: str
    scenario: str
    keys: tuple[str, ...]
    in_common: Mapping[str, str]
    groups: tuple[RunGroup, ...]
    notes: tuple[str, ...]
    baselines: Mapping[str, float]

    @property
    def title(self) -> str:
        """In one line."""
        return f"scenario {self.scenario}" + (", learned from a history" if self.command == "offline" else "")

    @cached_property
    def typed(self) -> str:
        """What was typed for all runs alike and stands in no table and title, in one line; "" where nothing was."""
        overrides = [run.overrides for run in self.entries if run.overrides is not None]
        if len(overrides) < len(self.entries):  # one was made in Python
            return ""
        known = {*self.keys, *self.in_common, *(["agent.head"] if "head" in self.in_common else [])}
        runs = [run for run in self.entries if run.done] or self.entries
        found, notes = typed_for_all(overrides, known), []
        for each in found:
            unused = sum(each.partition("=")[0] in run.unused for run in runs)
            some = "" if unused == len(runs) else f" in {unused} of {len(runs)} runs"
            notes.append(f" (not in force{some})" if unused else "")
        return as_a_line(found, notes)

    @property
    def compared_with(self) -> str:
        """What baselines earn, in a sentence; "" where they are not known."""
        shown = ", ".join(f"{name} {value:.3f}" for name, value in self.baselines.items())
        return f"On the same unseen cells baselines have a U of: {shown}." if shown else ""

    @property
    def legend(self) -> list[str]:
        """What of the figures could be taken for another thing, a sentence each."""
        ends = {run.values.get("scenario.reward.threshold_end") for run in self.entries} - {None}
        goal = f"share at c_max of {REWARD_GOAL:g}" + (f" (U ≥ {ends.pop():g})" if len(ends) == 1 else "")
        told = {
            REGRET: REGRET_NOTE,
            GOAL: f"goal: the first episode with a {goal}, whichever reward is learned from; > where runs ended before",
        }
        return [sentence for measure, sentence in told.items() if measure in self.measures]

    @property
    def measures(self) -> list[RunMeasure]:
        """The figures that at least one run has."""
        return [each for each in RUN_MEASURES[self.command] if any(group.values_of(each) for group in self.groups)]

    @cached_property
    def differences(self) -> list[Difference]:
        """Groups that differ in one key, compared: once for all tables and files, since it takes seconds."""
        return compared(self)

    @property
    def entries(self) -> list[Entry]:
        """All runs."""
        return [run for group in self.groups for run in (*group.runs, *group.others)]


def make_sections(entries: Sequence[Entry], by: Sequence[str] | None) -> list[Section]:
    """Entries as sections and groups.

    Args:
        entries: of any commands and scenarios.
        by: keys to group by; None: those in which the runs of a section differ.

    Raises:
        ValueError: a key of `by` is one that no run has.
    """
    if by is not None:
        by = [key for key in check_keys(by, [entry.values for entry in entries]) if key != "scenario"]
    places: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        places[entry.command, str(entry.values.get("scenario", _NOT_KNOWN))].append(entry)
    return [_section(*place, own, by) for place, own in sorted(places.items(), key=lambda item: item[0][::-1])]


def _section(command: str, scenario: str, entries: Sequence[Entry], by: Sequence[str] | None) -> Section:
    told = [entry.in_force if entry.done else _said_by(entry) for entry in entries]
    keys = swept_keys(told, [entry.overrides or () for entry in entries]) if by is None else list(by)
    groups, notes = _grouped(entries, keys), _unused(entries, keys)
    for number, group in enumerate(groups):
        groups[number], repeated = _once(group)
        notes += repeated
    several = sum(len(group.runs) > len(group.seeds) for group in groups)
    if several:
        notes.append(f"groups of several runs a seed: {several}; their statistics are over runs, not over seeds")
    different = different_agents(groups, keys)
    if different:
        listed = "; ".join(f"{key}: {values}" for key, values in different.items())
        notes.append(f"groups also differ in {listed}")
    told_of = [*keys, *different, *(key for each in different for key in SET_BY.get(each, ()))]
    others = along_with([entry.in_force for entry in entries if entry.done], told_of)
    if others:
        more = f" and {len(others) - _MOST_KEYS} more" if len(others) > _MOST_KEYS else ""
        notes.append(f"runs differ in {', '.join(others[:_MOST_KEYS])}{more}, too, which makes no groups of its own")
    notes += [f"{run.folder}: {run.error}" for run in entries if run.done and run.error]
    batches = {int(run.values.get("num_envs", 1)) for run in entries if run.done}
    if len(batches) > 1:
        notes.append(f"episodes to the goal are not comparable between num_envs of {_batches(batches)}: {_BATCH}")
    notes += _gaps(groups)
    done = [entry for entry in entries if entry.done] or list(entries)
    common = {key: {shown_value(entry.values.get(key, "")) for entry in done} for key in _SAID_ONCE if key not in keys}
    in_common = {key: min(found) for key, found in common.items() if len(found) == 1 and found != {""}}
    baselines = baselines_of(entry for entry in entries if entry.done)
    return Section(command, scenario, tuple(keys), in_common, tuple(groups), tuple(notes), baselines)


_BATCH = "an episode of a batch is one of each of its cells, which are num_envs times the decisions"


def _batches(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


_MOST_KEYS = 5
"""That a note names."""
_SAID_ONCE = (*CHOICES, "head", "decisions", "history", "reward")


def _said_by(entry: Entry) -> dict[str, Any]:
    """Of a run that is not done: what was typed, and its choices. All else may have changed before it would be done."""
    said = {*typed(entry.overrides or ()), *CHOICES}
    return {key: value for key, value in entry.in_force.items() if key in said}


def _unused(entries: Sequence[Entry], keys: Sequence[str]) -> list[str]:
    """Of keys that runs are grouped by, or that were typed with several values: why some are not in force."""
    several: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        for key in typed(entry.overrides or ()).keys() & entry.values.keys():
            several[key].add(shown_value(entry.values[key]))
    notes = []
    for key in dict.fromkeys([*keys, *(key for key, values in several.items() if len(values) > 1)]):
        for reason in dict.fromkeys(entry.unused[key] for entry in entries if key in entry.unused):
            notes.append(f"{key} is {NOT_IN_FORCE} in runs where it is not in force: {reason}")
    if notes and any(NOT_IN_FORCE in map(str, map(entry.in_force.get, keys)) for entry in entries):
        notes.append(f"runs with {NOT_IN_FORCE} are compared with runs of every value")
    return notes


def _grouped(entries: Sequence[Entry], keys: Sequence[str]) -> list[RunGroup]:
    """Runs by what they have in common; those that are not done where they belong by all that is known of them."""
    groups: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: not entry.done):
        own = entry.in_force
        place = tuple(shown_value(own[key]) if key in own else _NOT_KNOWN for key in keys)
        alike = [each for each in groups if _fits(place, each)]
        groups[alike[0] if len(alike) == 1 and not entry.done else place].append(entry)
    ordered = sorted(groups.items(), key=lambda item: [_order(value) for value in item[0]])
    return [
        RunGroup(
            dict(zip(keys, values, strict=True)),
            tuple(sorted((run for run in own if run.done), key=lambda run: (run.seed or 0, str(run.folder)))),
            tuple(run for run in own if not run.done),
        )
        for values, own in ordered
    ]


def _fits(place: Sequence[str], other: Sequence[str]) -> bool:
    """Whether all that is known of one place is so in the other."""
    return all(own in (_NOT_KNOWN, its) for own, its in zip(place, other, strict=True))


_NOT_KNOWN = "not known"


def _order(value: str) -> tuple[bool, float, bool, str]:
    """Numbers by size, then "none", then names."""
    try:
        return False, float(value), False, ""
    except ValueError:
        return True, 0.0, value != "none", value


def _once(group: RunGroup) -> tuple[RunGroup, list[str]]:
    """A group in which no run of one configuration and seed counts twice, and what was left out: the earlier one."""
    latest: dict[str, Entry] = {}
    notes = []
    for run in sorted(group.runs, key=lambda run: run.ended):
        same = identity(run.in_force)
        if same in latest:
            notes.append(f"the same run is there twice: {latest[same].folder} counts no more, {run.folder} does")
        latest[same] = run
    return replace(group, runs=tuple(run for run in group.runs if run in latest.values())), notes


def _gaps(groups: Sequence[RunGroup]) -> list[str]:
    """Seeds that some groups have and others nowhere, not even among the runs that are not done."""
    everyone = {seed for group in groups for seed in group.seeds}
    notes = []
    for group in groups:
        known = {*group.seeds, *(run.seed for run in group.others)}
        gaps = sorted(everyone - known)
        if gaps and group.runs:
            seeds = f"seed{'s' if len(gaps) > 1 else ''} {', '.join(map(str, gaps))}"
            notes.append(f"{group.label}: no run of {seeds}, which other groups have")
    return notes


def relative(folder: Path) -> str:
    """A folder as it is shown: from the current one if it is below that."""
    try:
        return str(folder.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
