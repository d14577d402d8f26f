"""`report`: from folders of runs to tables, and files with pictures."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.report.entries import Entry, find_entries, say_no_run
from experiments.report.groups import Section, make_sections, relative
from experiments.report.page import STATISTICS, html_page
from experiments.report.regret import with_oracle
from experiments.report.searches import FoundSearch, find_searches
from experiments.report.sweeps import find_sweeps
from experiments.report.tables import (
    TextTable,
    differences_table,
    groups_csv,
    groups_table,
    not_done_table,
    runs_csv,
)
from experiments.reporting.statistics import over_few_seeds
from experiments.reporting.tables import aligned, latex, markdown, write_rows
from experiments.sweeps.plan import Sweep
from slicing_gym.files import atomic_write

NAME = "report"
"""Of the files, and of the folder in the first of the runs' folders where they go."""
MOST_DIFFERENCES = 30
"""Rows of a table of differences on the screen; all are in the other files."""


@dataclass(frozen=True)
class Report:
    """What a study brought.

    Args:
        folders: that it is of.
        by: keys that were given to group by; None: those in which runs differ.
        entries: every run, whatever became of it.
        sections: the same in groups, a section a scenario and command.
        sweeps: that made runs of it, by their folder.
        searches: for settings, in the folders.
        notes: on files that could not be read.
    """

    folders: tuple[Path, ...]
    by: tuple[str, ...] | None
    entries: tuple[Entry, ...]
    sections: tuple[Section, ...]
    sweeps: Mapping[Path, Sweep]
    searches: tuple[FoundSearch, ...]
    notes: tuple[str, ...]

    @property
    def not_done(self) -> list[Entry]:
        """Runs that are in no average."""
        return [entry for entry in self.entries if not entry.done]

    @property
    def counts(self) -> str:
        """How many runs are in which state: 6 done, 1 refused, 1 failed."""
        found = Counter(entry.state for entry in self.entries)
        number = len(self.entries)
        if not number:
            return "no runs"
        states = sorted(found.items(), key=lambda item: (item[0] != "done", item[0]))
        return f"{number} run{'s' if number != 1 else ''}: " + ", ".join(f"{each} {state}" for state, each in states)

    @property
    def commands(self) -> list[str]:
        """What makes sweeps and report again."""
        sweeps = [_typed(f"experiments.{sweep.command}", sweep.arguments, "-m") for sweep in self.sweeps.values()]
        own = [*map(relative, self.folders), *([f"by={','.join(self.by)}"] if self.by else [])]
        return [*sweeps, _typed("experiments.report", own)]

    def text(self) -> str:
        """Tables for a terminal."""
        parts = [self.counts]
        for section in self.sections:
            parts += [_heading(section), *([section.typed] if section.typed else [])]
            parts += [_aligned(groups_table(section)), *section.legend]
            parts += [section.compared_with] if section.compared_with else []
            parts += [f"note: {note}" for note in section.notes]
            differences = differences_table(section)
            if differences.rows:
                two = over_few_seeds(len(each.seeds) for each in section.differences)
                parts.append(f"\ndifferences on common seeds [95 % interval{two}]; P(better): of a run of the first")
                parts.append(_aligned(differences, MOST_DIFFERENCES))
        if self.not_done:
            parts.append("\nnot done, and in no average")
            parts.append(_aligned(not_done_table(self.entries)))
        searched = [f"\nsearch in {relative(each.folder)}: {each.number} trials" for each in self.searches]
        return "\n".join([*parts, *searched, *(f"note: {note}" for note in self.notes)])

    def markdown(self) -> str:
        """The same tables for a page."""
        parts = [f"# Report on {self._of}\n\n{self.counts}\n"]
        for section in self.sections:
            parts.append(f"## {_heading(section).strip()}\n\n{markdown(*groups_table(section)[:2])}")
            parts += [f"{sentence}\n" for sentence in [section.typed, *section.legend] if sentence]
            parts += [f"{section.compared_with}\n"] if section.compared_with else []
            parts += ["".join(f"- {note}\n" for note in section.notes)] if section.notes else []
            differences = differences_table(section)
            if differences.rows:
                parts.append(f"### Differences on common seeds\n\n{markdown(*differences[:2])}")
        if self.not_done:
            parts.append(f"## Not done, and in no average\n\n{markdown(*not_done_table(self.entries)[:2])}")
        return "\n".join([*parts, *(f"- {note}" for note in self.notes), STATISTICS, ""])

    def latex(self) -> str:
        """The tables of groups and of differences for a paper; they need the package booktabs."""
        parts = [f"% {self.counts}; needs \\usepackage{{booktabs}}"]
        for section in self.sections:
            parts.append(latex(*groups_table(section)[:2], caption=_heading(section).strip()))
            differences = differences_table(section)
            if differences.rows:
                parts.append(latex(*differences[:2], caption=f"Differences on common seeds, {section.title}"))
        parts += [f"% {run.state}: {relative(run.folder)}: {' '.join(run.error.split())}" for run in self.not_done]
        return "\n".join(parts)

    def html(self) -> str:
        """One file with everything, which needs nothing else."""
        title = f"Report on {self._of}"
        return html_page(title, self.counts, self.entries, self.sections, self.commands, self.notes, self.searches)

    def write(self, folder: str | Path) -> list[Path]:
        """Write report.html, .md, .tex, and .csv of groups (report.csv), runs and differences.

        Returns:
            The files.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        texts = {"html": self.html, "md": self.markdown, "tex": self.latex}
        for ending, made in texts.items():
            with atomic_write(place / f"{NAME}.{ending}") as file:
                file.write(made().encode())
        write_rows(place / f"{NAME}.csv", *groups_csv(self.sections))
        write_rows(place / f"{NAME}_runs.csv", *runs_csv(self.sections))
        write_rows(place / f"{NAME}_differences.csv", *differences_csv(self.sections))
        names = [*(f"{NAME}.{ending}" for ending in (*texts, "csv")), f"{NAME}_runs.csv", f"{NAME}_differences.csv"]
        return [place / name for name in names]

    @property
    def _of(self) -> str:
        return ", ".join(map(relative, self.folders))


def report(
    folders: str | Path | Sequence[str | Path],
    by: Sequence[str] | None = None,
    *,
    oracle: bool = False,
    progress: bool = True,
) -> Report:
    """Find every run in folders and below them, and group them by what was swept.

    Args:
        folders: of runs of `experiments.train` and `experiments.offline`, or of sweeps of them.
        by: keys of the configuration to group by, as "agent", "twin" or "agent.learning_rate"; None: all in which runs
            of a scenario differ.
        oracle: compute what runs lost against the one-step oracle on their cells, too; the oracle's utilities are
            kept in the first folder.
        progress: show bars while that is computed.

    Raises:
        FileNotFoundError: a folder does not exist, or no run is there.
        ValueError: a key is one that no run has.
    """
    paths = [Path(each) for each in ([folders] if isinstance(folders, str | Path) else folders)]
    if not paths:
        raise ValueError("folder: none given, allowed are one or more folders of runs")
    sweeps, notes = find_sweeps(paths)
    searches, faults = find_searches(paths)
    notes += faults
    entries = find_entries(paths, sweeps)
    if not entries and not searches:
        raise FileNotFoundError(say_no_run(paths))
    if oracle:
        entries, missed = with_oracle(entries, paths[0], progress)
        notes += missed
    sections = make_sections(entries, by) if entries else []
    chosen = None if by is None else tuple(by)
    return Report(tuple(paths), chosen, tuple(entries), tuple(sections), sweeps, tuple(searches), tuple(notes))


def differences_csv(sections: Sequence[Section]) -> tuple[list[str], list[list[object]]]:
    """One row per pair of groups and figure, in full."""
    header = ["command", "scenario", "key", "value", "minus", "others", "figure", "seeds"]
    header += ["difference", "low", "high", "probability_better", "low_probability", "high_probability", "better_in"]
    rows: list[list[object]] = []
    for section in sections:
        for each in section.differences:
            numbers = [f"{float(number):.10g}" for number in (*each.difference, *each.probability)]
            shown = ["" if number == "nan" else number for number in numbers]
            place = [section.command, section.scenario, each.key, *each.values, each.rest, each.measure.name]
            rows.append([*place, len(each.seeds), *shown, each.better])
    return header, rows


def _heading(section: Section) -> str:
    common = ", ".join(f"{key} {value}" for key, value in section.in_common.items())
    inside = f" ({common})" if common else ""
    two = over_few_seeds(len(group.runs) for group in section.groups)
    return f"\n{section.title}{inside}; interquartile mean over seeds [95 % interval, bootstrap{two}]"


def _aligned(table: TextTable, most: int | None = None) -> str:
    left = len(table.rows) - most if most is not None else 0
    more = f"\n... and {left} more, in {NAME}_differences.csv" if left > 0 else ""
    return aligned(table.header, table.rows[:most]) + more


def _typed(module: str, arguments: Sequence[str], *options: str) -> str:
    return " ".join(["python -m", module, *options, *map(shlex.quote, (a for a in arguments if a not in options))])
