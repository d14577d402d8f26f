"""The picture of a comparison of policies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.evaluate.rollout import Evaluation
from experiments.reporting.names import display_names
from experiments.reporting.statistics import Interval, estimate
from experiments.reporting.style import draw_bar, draw_bars_side_by_side, policy_colours, save_figure
from slicing_gym import Scenario


def plot_evaluation(path: Path, scenario: Scenario, evaluations: Sequence[Evaluation]) -> None:
    """Bars of utility, share at c_max (if the reward has a threshold) and SSR per slice, one colour per policy."""
    shaped = scenario.reward.kind == "shaped"
    figure = Figure(figsize=(11 + 1.2 * max(len(evaluations) - 6, 0), 4.6), layout="constrained")
    *lefts, right = figure.subplots(1, 3 if shaped else 2, width_ratios=[1, 1, 1.8] if shaped else [1, 2.8])
    bars(lefts[0], evaluations, "utility", "mean utility U")
    if shaped:
        bars(lefts[1], evaluations, "reward", f"share at c_max (U ≥ {scenario.reward.threshold_end:g})")
        lefts[1].set_ylim(0.0, 1.05)
    for axes in lefts:
        axes.tick_params(axis="x", labelrotation=30)
    ssr = {each.policy: [estimate(of_slice) for of_slice in each.ssr.T] for each in evaluations}
    draw_bars_side_by_side(right, ssr, policy_colours(list(ssr)), span=0.8)
    right.set_xticks(range(scenario.num_slices), scenario.slice_names)
    right.set_ylim(0.0, 1.05)
    right.set_title("SLA satisfaction ratio", fontsize=10)
    figure.legend(
        *right.get_legend_handles_labels(), loc="outside lower center", ncols=min(len(evaluations), 6), frameon=False
    )
    cells = len(evaluations[0].seeds)
    what = f"mean over {cells} cells, bars show 95 % intervals" if cells > 1 else "one cell"
    figure.suptitle(f"Scenario {scenario.name}: {what}", fontsize=11)
    save_figure(figure, path)


def bars(axes: Axes, evaluations: Sequence[Evaluation], field: str, title: str) -> None:
    """One bar per policy, its value written above."""
    colours = policy_colours([evaluation.policy for evaluation in evaluations])
    for x, evaluation in enumerate(evaluations):
        mean, half = estimate(getattr(evaluation, field))
        value = Interval(*map(np.asarray, (mean, mean - half, mean + half)))
        draw_bar(axes, x, value, f"{mean:.2f}", width=0.72, color=colours[evaluation.policy])
    names = display_names(evaluation.policy for evaluation in evaluations)
    axes.set_xticks(range(len(names)), [fill(name, 16) for name in names.values()], fontsize=8)
    axes.margins(y=0.12)
    axes.set_title(title, fontsize=10)
