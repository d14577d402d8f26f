"""The picture of a what-if: one panel per quantity, one bar per alternative, with what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.reporting.names import display_names
from experiments.reporting.style import policy_colours, save_figure
from experiments.what_if.report import BY_THE_LOG
from experiments.what_if.simulation import UTILITY, Alternative
from twin.data.layout import Layout

MOST_LETTERS = 36
"""In a row of names below a panel; more would run into each other, and are turned."""


def plot_what_if(
    path: Path, layout: Layout, title: str, alternatives: Sequence[Alternative], measured: Mapping[str, float]
) -> None:
    """Bars with 90 % intervals over samples, a short line at what was measured; pale: outside the log."""
    panels = _panels(layout, measured)
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.2 * columns, 0.9 + 2.7 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    colours, width = policy_colours([each.name for each in alternatives]), 0.8 / len(alternatives)
    names = display_names(each.name for each in alternatives)
    for axes, (heading, variables) in zip(grid, panels.items(), strict=False):
        for number, each in enumerate(alternatives):
            mean, low, high = np.array([each.summary(name) for name in variables.values()]).T
            x = np.arange(len(variables)) + (number - (len(alternatives) - 1) / 2) * width
            ends = [np.maximum(mean - low, 0.0), np.maximum(high - mean, 0.0)]  # a mean of few may lie beyond the 90 %
            alpha = 0.4 if each.outside else 1.0
            label = f"{names[each.name]} (outside the log)" if each.outside else names[each.name]
            axes.bar(x, mean, width, yerr=ends, color=colours[each.name], alpha=alpha, label=label, error_kw={"lw": 1})
        at = [measured[name] for name in variables.values()]
        places = np.arange(len(variables))
        axes.hlines(at, places - 0.45, places + 0.45, color="black", lw=1.4, ls=":", label=BY_THE_LOG)
        crowded = sum(map(len, variables)) > MOST_LETTERS
        turned = {"rotation": 15, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
        axes.set_xticks(places, list(variables), **turned)
        axes.set_title(heading, fontsize=10)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.suptitle(f"{title}; bars show 90 % intervals", fontsize=11)
    save_figure(figure, path)


def _panels(layout: Layout, measured: Mapping[str, float]) -> dict[str, dict[str, str]]:
    """By heading, the variables of a panel by what stands below their bars."""
    panels: dict[str, dict[str, str]] = {UTILITY: {"": UTILITY}} if UTILITY in measured else {}
    for column in (layout.arrivals_column, *layout.columns):
        unit = f" [{column.unit}]" if column.unit else ""
        names = {name: f"{column.name}_{name}" for name in layout.scenario.slice_names}
        found = {name: each for name, each in names.items() if each in measured} if column.per_slice else {}
        panels[f"{column.name.replace('_', ' ')}{unit}"] = found or {"": column.name}
    return panels
