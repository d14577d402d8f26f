"""The picture of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.evaluate.figure import bars
from experiments.evaluate.rollout import Evaluation
from experiments.reporting.style import policy_colours, save_figure
from slicing_gym import Scenario

FloatArray = npt.NDArray[np.float64]


FIRST_SHOWN, BLOCK = 50, 10
"""Decisions that are shown one by one, and those of which the mean is drawn."""


def plot_training(
    path: Path,
    scenario: Scenario,
    learned: Mapping[str, FloatArray],
    evaluations: Sequence[Evaluation],
) -> None:
    """The utility of the first decisions and of each episode while the agents learned, and the final comparison.

    Args:
        path: PNG to write.
        scenario: of the runs.
        learned: utility of each decision (decisions,), by agent.
        evaluations: of the agents, in the same order, and of those they are compared with, on unseen cells.
    """
    figure = Figure(figsize=(14, 4.8), layout="constrained")
    first, middle, right = figure.subplots(1, 3, width_ratios=[1.15, 1.15, 1])
    colours = policy_colours([evaluation.policy for evaluation in evaluations])
    _draw_first(first, learned, colours)
    _draw_episodes(middle, scenario, learned, colours)
    for evaluation in evaluations:
        if evaluation.policy not in learned:
            style = {"color": colours[evaluation.policy], "ls": "--", "lw": 1.3}
            for axes in (first, middle):
                axes.axhline(evaluation.utility.mean(), label=f"{evaluation.policy}, on unseen cells", **style)
    figure.legend(*middle.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    bars(right, evaluations, "utility", "after training, on unseen cells: mean U")
    for label in right.get_xticklabels():
        label.set(rotation=25, ha="right", rotation_mode="anchor")
    names = ", ".join(learned)
    figure.suptitle(f"{names} on scenario {scenario.name}: {scenario.num_allocations} allocations", fontsize=11)
    save_figure(figure, path)


def _widths(number: int) -> FloatArray:
    """Of lines, the first the widest: a planner and an agent that it collects for take the same first decisions."""
    return np.linspace(1.5 + number, 1.5, number) if number > 1 else np.array([2.0])


def _draw_first(axes: Axes, learned: Mapping[str, FloatArray], colours: Mapping[str, str]) -> None:
    """A dot for each of the first decisions, and their mean over every ten as steps."""
    for (agent, utility), width in zip(learned.items(), _widths(len(learned)), strict=True):
        shown = utility[:FIRST_SHOWN]
        axes.plot(np.arange(1, len(shown) + 1), shown, color=colours[agent], ls="", marker=".", ms=4, alpha=0.35)
        starts = np.arange(0, len(shown), BLOCK)
        means = [shown[start : start + BLOCK].mean() for start in starts]
        edges = np.append(starts, len(shown)) + 0.5
        axes.stairs(means, edges, baseline=None, color=colours[agent], lw=width)
    axes.set_xlim(0.5, min(FIRST_SHOWN, max(map(len, learned.values()))) + 0.5)
    axes.set_xlabel("decision on the real environment")
    axes.set_ylabel("utility U")
    axes.set_title(f"the first {FIRST_SHOWN} decisions, and their mean over every {BLOCK}", fontsize=10)


def _draw_episodes(
    axes: Axes, scenario: Scenario, learned: Mapping[str, FloatArray], colours: Mapping[str, str]
) -> None:
    """The mean of each episode; the last may have fewer decisions."""
    length = scenario.decisions_per_episode
    for (agent, utility), width in zip(learned.items(), _widths(len(learned)), strict=True):
        means = [utility[start : start + length].mean() for start in range(0, len(utility), length)]
        numbers = np.arange(1, len(means) + 1)
        axes.plot(numbers, means, color=colours[agent], lw=width, marker=".", label=f"{agent}, while it learns")
    if max(map(len, learned.values())) <= length:
        axes.set_xlim(0.5, 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(f"episode ({length} decisions on the real environment)")
    axes.set_ylabel("mean utility U of the episode")
    axes.set_title("all episodes of training", fontsize=10)
