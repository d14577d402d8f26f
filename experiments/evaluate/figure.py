"""The picture of a comparison of policies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.evaluate.rollout import Evaluation
from experiments.reporting.names import display_names
from experiments.reporting.statistics import Share, estimate
from experiments.reporting.style import MARKERS, policy_colours, save_figure
from slicing_gym import Scenario

DOTTED = ("hard", "one_step_oracle")
"""Policies at which a line goes down the panel: what others are to be read against."""


def plot_evaluation(path: Path, scenario: Scenario, evaluations: Sequence[Evaluation]) -> None:
    """Points of utility, share at c_max (if the reward has a threshold) and SSR per slice, one colour per policy."""
    shaped = scenario.reward.kind == "shaped"
    widths = [1.0, 1.0, 1.5] if shaped else [1.0, 1.3]
    figure = Figure(figsize=(4.2 * sum(widths), max(4.6, 1.9 + 0.36 * len(evaluations))), layout="constrained")
    *lefts, right = figure.subplots(1, len(widths), width_ratios=widths)
    points(lefts[0], evaluations, "utility", "mean utility U")
    if shaped:
        points(lefts[1], evaluations, "reward", f"share at c_max (U ≥ {scenario.reward.threshold_end:g})")
        lefts[1].set_yticklabels([])  # those of the panel to the left
    _satisfaction(right, scenario, evaluations)
    figure.legend(
        *right.get_legend_handles_labels(), loc="outside lower center", ncols=min(len(evaluations), 6), frameon=False
    )
    cells = len(evaluations[0].seeds)
    what = f"mean over {cells} cells, lines show 95 % intervals" if cells > 1 else "one cell"
    found = display_names(each.policy for each in evaluations if each.policy in DOTTED).values()
    dotted = f"; dotted: {', '.join(found)}" if found else ""
    figure.suptitle(f"Scenario {scenario.name}: {what}{dotted}", fontsize=11)
    save_figure(figure, path)


def points(axes: Axes, evaluations: Sequence[Evaluation], field: str, title: str) -> None:
    """One row per policy: a point, its interval, and both as numbers at the right edge; the axis fits them."""
    colours = policy_colours([evaluation.policy for evaluation in evaluations])
    for row, evaluation in enumerate(evaluations):
        found, colour = estimate(getattr(evaluation, field)), colours[evaluation.policy]
        found = Share(*found) if field == "reward" else found
        axes.errorbar(
            found.mean,
            row,
            xerr=np.reshape(found.reach(), (2, 1)),
            fmt="o",
            ms=5,
            color=colour,
            capsize=3,
            elinewidth=1.6,
        )
        axes.text(1.02, row, str(found), transform=axes.get_yaxis_transform(), va="center", fontsize=8.5)
        if evaluation.policy in DOTTED:
            axes.axvline(found.mean, color=colour, lw=1.0, ls=":", zorder=0)
    names = display_names(evaluation.policy for evaluation in evaluations)
    axes.set_yticks(range(len(names)), [fill(name, 28) for name in names.values()], fontsize=9)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.margins(x=0.08)
    axes.grid(axis="x", alpha=0.25)
    axes.set_title(title, fontsize=10)


def _satisfaction(axes: Axes, scenario: Scenario, evaluations: Sequence[Evaluation]) -> None:
    """At each slice a point of every policy with its interval; the axis fits them."""
    colours, places = policy_colours([each.policy for each in evaluations]), np.arange(scenario.num_slices)
    names = display_names(each.policy for each in evaluations)
    for number, each in enumerate(evaluations):
        found = [Share(*estimate(of_slice)) for of_slice in each.ssr.T]
        means, reach = np.array([share.mean for share in found]), np.array([share.reach() for share in found]).T
        x = places + (number - (len(evaluations) - 1) / 2) * 0.8 / len(evaluations)
        look: dict[str, Any] = {"fmt": MARKERS[number % len(MARKERS)], "ms": 5, "capsize": 2, "elinewidth": 1.4}
        look |= {"color": colours[each.policy], "label": names[each.policy]}
        axes.errorbar(x, means, yerr=reach, **look)
    for edge in places[1:] - 0.5:
        axes.axvline(edge, color="0.85", lw=1.0, zorder=0)
    axes.set_xticks(places, scenario.slice_names)
    axes.set_xlim(-0.5, scenario.num_slices - 0.5)
    axes.grid(axis="y", alpha=0.25)
    axes.set_title("SLA satisfaction ratio (SSR)", fontsize=10)
