"""The picture of a comparison of policies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.evaluate.rollout import Evaluation
from experiments.reporting.statistics import estimate
from experiments.reporting.style import policy_colours, save_figure
from slicing_gym import Scenario


def plot_evaluation(path: Path, scenario: Scenario, evaluations: Sequence[Evaluation]) -> None:
    """Bars of utility, of reward and of SSR per slice, a colour a policy."""
    figure = Figure(figsize=(11 + 1.2 * max(len(evaluations) - 6, 0), 4.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=[1, 1, 1.8])
    bars(left, evaluations, "utility", "mean utility U")
    bars(middle, evaluations, "reward", f"share of decisions with U ≥ {scenario.reward.threshold_end:g}")
    middle.set_ylim(0.0, 1.05)
    for axes in (left, middle):
        axes.tick_params(axis="x", labelrotation=30)
    width = 0.8 / len(evaluations)
    colours = policy_colours([evaluation.policy for evaluation in evaluations])
    for number, evaluation in enumerate(evaluations):
        values = [estimate(evaluation.ssr[:, n]) for n in range(scenario.num_slices)]
        positions = np.arange(scenario.num_slices) + (number - (len(evaluations) - 1) / 2) * width
        right.bar(
            positions,
            [value.mean for value in values],
            width,
            yerr=[value.half_width for value in values],
            color=colours[evaluation.policy],
            label=evaluation.policy,
            error_kw={"lw": 1},
        )
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
    """One bar a policy, its value written above."""
    values = [estimate(getattr(evaluation, field)) for evaluation in evaluations]
    colours = policy_colours([evaluation.policy for evaluation in evaluations])
    shades = [colours[evaluation.policy] for evaluation in evaluations]
    names = [evaluation.policy.replace("_", "\n") for evaluation in evaluations]
    means = [value.mean for value in values]
    axes.bar(
        range(len(values)), means, 0.72, yerr=[value.half_width for value in values], color=shades, error_kw={"lw": 1}
    )
    for place, value in enumerate(values):
        axes.annotate(
            f"{value.mean:.2f}",
            (place, value.mean + np.nan_to_num(value.half_width)),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
        )
    axes.set_xticks(range(len(values)), names, fontsize=8)
    axes.margins(y=0.12)
    axes.set_title(title, fontsize=10)
