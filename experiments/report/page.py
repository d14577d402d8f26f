"""A report as one HTML file that needs nothing else: pictures, style and the few lines of JavaScript are in it."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files

from matplotlib.figure import Figure

from experiments.report.entries import Entry, composed_text
from experiments.report.groups import Section, relative
from experiments.report.pictures import DARK, LIGHT, VARIED, drawn, pictures
from experiments.report.searches import FoundSearch
from experiments.report.tables import (
    TextTable,
    differences_table,
    groups_table,
    not_done_table,
    runs_table,
    text_table,
)

STATISTICS = (
    "Figures are interquartile means over runs, one per seed: the mean of the middle half; of fewer than four runs, of "
    "all. In brackets are 95 % percentile intervals of a bootstrap over runs; of two to four seeds they are the "
    "lowest and the highest run. P(better) is how probable it is that a run of the first is better than "
    "one of the second, over all pairs of runs on common seeds, ties as halves; of fewer than three seeds it has no "
    "interval. Better in counts seeds. Interquartile mean, probability of improvement and performance profiles are "
    "those of Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice, NeurIPS 2021."
)
"""What the figures of a report are, for its reader."""


def html_page(
    title: str,
    counts: str,
    entries: Sequence[Entry],
    sections: Sequence[Section],
    commands: Sequence[str],
    notes: Sequence[str],
    searches: Sequence[FoundSearch] = (),
) -> str:
    """The page.

    Args:
        title: of the page.
        counts: how many runs there are in which state.
        entries: all runs.
        sections: the same, by scenario and command, in groups.
        commands: that made the runs and the page.
        notes: what a reader has to know of all of it.
        searches: for settings.
    """
    style, script = (files(__package__).joinpath(name).read_text() for name in ("page.css", "page.js"))
    body = [f"<h1>{escape(title)}</h1>", f'<p class="count">{escape(counts)}</p>', _list(notes)]
    body += [_not_done(entries), *map(_section, sections), *map(_search, searches), _making(commands)]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        + "\n".join(filter(None, body))
        + f"\n<script>\n{script}</script>\n</body>\n</html>\n"
    )


def _not_done(entries: Sequence[Entry]) -> str:
    """Runs that are in no average, with their tracebacks."""
    table = not_done_table(entries)
    if not table.rows:
        return ""
    traces = [
        f"<details><summary>Traceback of {escape(relative(run.folder))}</summary><pre>{escape(run.traceback)}</pre>"
        "</details>"
        for run in entries
        if not run.done and run.traceback
    ]
    number = len(table.rows)
    title = "1 run is not done, and in no average" if number == 1 else f"{number} runs are not done, and in no average"
    return f'<section class="warn"><h2>{title}</h2>{_table(table)}{"".join(traces)}</section>'


def _section(section: Section) -> str:
    """Everything of a scenario and command."""
    parts = [f"<section><h2>{escape(section.title.capitalize())}</h2>", _common(section), _list(section.notes)]
    parts += ["<h3>Groups</h3>", _table(groups_table(section)), f'<p class="faint">{escape(STATISTICS)}</p>']
    parts += [_columns(section)]
    found = pictures(section)
    if found:
        parts += [
            "<h3>Pictures</h3>",
            '<p class="faint">Lines are interquartile means over runs, bands and error bars their 95 % '
            "intervals, of two to four runs their range. A curve ends where the shortest run of its group does.</p>",
            _typed(section),
        ]
        parts += ['<div class="pictures">', *(_picture(*each) for each in found.items()), "</div>"]
    differences = differences_table(section)
    if differences.rows:
        parts += ["<h3>Differences on common seeds</h3>", _table(differences)]
    parts += ["<h3>Every run</h3>", _table(runs_table(section)), "<h3>Configurations</h3>", *_configurations(section)]
    return "\n".join([*filter(None, parts), "</section>"])


def _common(section: Section) -> str:
    keys = ", ".join(section.keys) or "nothing: all runs agree in all but their seed"
    common = ", ".join(f"{key} {value}" for key, value in section.in_common.items())
    sentences = [f"Grouped by {keys}.", f"In common: {common}." if common else "", section.compared_with]
    return f"<p>{escape(' '.join(filter(None, sentences)))}</p>{_typed(section)}"


def _typed(section: Section) -> str:
    """What was typed for all runs; it stands over the pictures, too, which are looked at alone."""
    return f'<p class="faint">{escape(section.typed[0].upper() + section.typed[1:])}</p>' if section.typed else ""


def _columns(section: Section) -> str:
    """What each column is, to be opened."""
    rows = [f"<dt>{escape(each.label)}</dt><dd>{escape(each.meaning)}</dd>" for each in section.measures]
    return f"<details><summary>What the columns are</summary><dl>{''.join(rows)}</dl></details>" if rows else ""


def _configurations(section: Section) -> list[str]:
    """Of each group the composed configuration of its first run, and the commands of all."""
    parts = []
    for group in section.groups:
        runs = [*group.runs, *group.others]
        commands = list(dict.fromkeys(run.typed or f"# {relative(run.folder)}: made in Python" for run in runs))
        parts.append(
            f"<details><summary>{escape(group.label)}</summary><pre>{escape(chr(10).join(commands))}</pre>"
            f"<pre>{escape(composed_text(runs[0]))}</pre></details>"
        )
    return parts


def _search(search: FoundSearch) -> str:
    """Trials of a search, and what mattered in them."""
    parts = [f"<section><h2>Search in {escape(relative(search.folder))}</h2>"]
    if search.picture is not None:
        source = base64.b64encode(search.picture).decode()
        alt = "Trials, importances and parallel coordinates"
        parts.append(
            f'<figure class="wide"><img class="paper" alt="{alt}" src="data:image/png;base64,{source}"></figure>'
        )
    if search.importances:
        parts += ["<h3>What mattered</h3>", _table(text_table(["key", "importance"], search.importances))]
    parts += [
        f"<h3>The best {len(search.trials)} of {search.number} trials</h3>",
        _table(text_table(search.header, search.trials)),
    ]
    return "\n".join([*parts, "</section>"])


def _picture(title: str, draw: Callable[[], Figure]) -> str:
    """A picture twice, for light and for dark paper."""
    light, dark = (f"data:image/png;base64,{base64.b64encode(drawn(draw, each)).decode()}" for each in (LIGHT, DARK))
    kind = ' class="wide"' if title.startswith(("Figures", VARIED)) else ""
    return (
        f"<figure{kind}><figcaption>{escape(title)}</figcaption><picture>"
        f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img alt="{escape(title)}" src="{light}"></picture></figure>'
    )


def _table(table: TextTable) -> str:
    """A table that can be sorted by each of its columns."""
    numeric = [
        bool(table.rows) and any(not math.isnan(row[place]) for row in table.numbers)
        for place in range(len(table.header))
    ]
    head = "".join(
        f'<th scope="col"{_class("number" if number else "")}>{escape(label)}</th>'
        for label, number in zip(table.header, numeric, strict=True)
    )
    lines = []
    for row, numbers in zip(table.rows, table.numbers, strict=True):
        cells = zip(table.header, row, numbers, numeric, strict=True)
        lines.append("<tr>" + "".join(_cell(*each) for each in cells) + "</tr>")
    return (
        f'<div class="scroll"><table class="sortable"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cell(label: str, text: str, value: float, numeric: bool) -> str:
    kinds = [*(["number"] if numeric else []), *(["short"] if label == "seeds" and " of " in text else [])]
    kinds += ["long"] if label in ("why", "compared") else ["folder"] if label == "folder" else []
    sorted_by = "" if math.isnan(value) else f' data-value="{value:.10g}"'.replace("inf", "Infinity")
    shown, bracket, interval = text.partition(" [")
    inner = escape(shown) + (f'<span class="interval">[{escape(interval)}</span>' if bracket and numeric else "")
    return f"<td{_class(' '.join(kinds))}{sorted_by}>{inner if numeric else escape(text)}</td>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _list(sentences: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(each)}</li>' for each in sentences)}</ul>" if sentences else ""


def _making(commands: Sequence[str]) -> str:
    return f"<section><h2>To make it again</h2><pre>{escape(chr(10).join(commands))}</pre></section>"
