"""The picture of a what-if: one panel per quantity, one bar per alternative, with what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from experiments.reporting.names import display_names
from experiments.reporting.style import BAR_COLOURS, policy_colours, save_figure
from experiments.what_if.policies import BY_THE_LOG
from experiments.what_if.simulation import UTILITY, Alternative
from twin.data.columns import SSR
from twin.data.layout import Layout
from twin.data.logs import SsrRule

MOST_LETTERS = 36
"""In a row of names below a panel; more would run into each other, and are turned."""

PANELS_ABREAST = 3
"""Panels in a row."""

LARGER = {UTILITY: 1, SSR.name: PANELS_ABREAST - 1}
"""Panels of the first row, which is higher than the others, and how wide each is."""

_HATCHES = ("", "///", "...", "\\\\\\", "xx")
"""Of bars next to each other, which are told apart in grey, too."""


def plot_what_if(
    path: Path,
    layout: Layout,
    title: str,
    alternatives: Sequence[Alternative],
    measured: Mapping[str, float],
    ssr: SsrRule | None = None,
) -> None:
    """Bars, 90 % intervals over samples as black lines, dotted lines at what was measured; pale: outside the fit.

    Utility and SSR come first and are larger, then what SSR is made of, with the bounds of the SLAs; arrivals last.
    """
    panels = panels_of(layout, measured, ssr)
    first = [column for column in LARGER if column in panels]
    rows = -(-(len(panels) - len(first)) // PANELS_ABREAST)
    height = [1.4] * bool(first) + [1.0] * rows
    figure = Figure(figsize=(4.2 * PANELS_ABREAST, 0.9 + 2.6 * sum(height)), layout="constrained")
    grid = figure.add_gridspec(len(height), PANELS_ABREAST, height_ratios=height)
    ends = np.cumsum([0, *(LARGER[column] if len(first) > 1 else PANELS_ABREAST for column in first)])
    places = [grid[0, start:end] for start, end in pairwise(ends)]
    others = list(range(PANELS_ABREAST * bool(first), PANELS_ABREAST * len(height)))
    places += [grid[divmod(place, PANELS_ABREAST)] for place in others[: len(panels) - len(first)]]
    entries: dict[str, Artist] = {}
    for place, (column, (heading, variables)) in zip(places, panels.items(), strict=True):
        axes = figure.add_subplot(place)
        _draw(axes, alternatives, variables, measured)
        if ssr is not None and column == ssr.column:
            _draw_bounds(axes, ssr)
        axes.set_title(heading, fontsize=12 if column in first else 10)
        handles, labels = axes.get_legend_handles_labels()
        entries.update(zip(labels, handles, strict=True))
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.suptitle(f"{title}; black lines show 90 % intervals", fontsize=11)
    save_figure(figure, path)


def _draw(
    axes: Axes, alternatives: Sequence[Alternative], variables: Mapping[str, str], measured: Mapping[str, float]
) -> None:
    """The bars of a panel, by what stands below them."""
    colours, width = policy_colours([each.name for each in alternatives], BAR_COLOURS), 0.8 / len(alternatives)
    names, places = display_names(each.name for each in alternatives), np.arange(len(variables))
    for number, each in enumerate(alternatives):
        mean, low, high = np.array([each.summary(name) for name in variables.values()]).T
        x = places + (number - (len(alternatives) - 1) / 2) * width
        ends = [np.maximum(mean - low, 0.0), np.maximum(high - mean, 0.0)]  # a mean of few may lie beyond the 90 %
        label = f"{names[each.name]} (outside the fit)" if each.outside else names[each.name]
        face = to_rgba(colours[each.name], 0.4 if each.outside else 1.0)  # of the bar alone: error bars stay black
        look: dict[str, Any] = {"edgecolor": "white", "hatch": _HATCHES[number % len(_HATCHES)], "label": label}
        axes.bar(x, mean, width, color=face, **look)
        (*_, (lines,)) = axes.errorbar(x, mean, yerr=ends, fmt="none", ecolor="black", elinewidth=1.2)
        lines.set_path_effects([withStroke(linewidth=3.2, foreground="white")])  # seen on a dark bar, too
    at = [measured[name] for name in variables.values()]
    axes.hlines(at, places - 0.45, places + 0.45, color="black", lw=1.4, ls=":", label=BY_THE_LOG)
    crowded = sum(map(len, variables)) > MOST_LETTERS
    turned: dict[str, Any] = {"rotation": 15, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    axes.set_xticks(places, list(variables), **turned)


def _draw_bounds(axes: Axes, ssr: SsrRule) -> None:
    """A line at the bound of each slice's SLA."""
    places = np.arange(len(ssr.bounds))
    label = f"SLA: at {'most' if ssr.at_least is None else 'least'} this"
    axes.hlines(ssr.bounds, places - 0.45, places + 0.45, color="#CC0000", lw=1.6, label=label)


def panels_of(
    layout: Layout, measured: Mapping[str, float], ssr: SsrRule | None
) -> dict[str, tuple[str, dict[str, str]]]:
    """By column, in the order of panels, the heading and the variables by what stands below their bars."""
    panels: dict[str, tuple[str, dict[str, str]]] = {UTILITY: (UTILITY, {"": UTILITY})} if UTILITY in measured else {}
    bounded = "" if ssr is None else ssr.column
    columns = sorted(layout.columns, key=lambda column: (column.name != SSR.name, column.name != bounded))
    for column in (*columns, layout.arrivals_column):
        unit = f" [{column.unit}]" if column.unit else ""
        names = {name: f"{column.name}_{name}" for name in layout.scenario.slice_names} if column.per_slice else {}
        found = {name: each for name, each in names.items() if each in measured}
        if not column.per_slice and column.name in measured:
            found = {"": column.name}
        if found:
            panels[column.name] = (f"{column.name.replace('_', ' ')}{unit}", found)
    return panels
