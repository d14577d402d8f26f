"""The picture of a training run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.evaluate.figure import points
from experiments.evaluate.rollout import Evaluation
from experiments.reporting.names import display_names
from experiments.reporting.style import policy_colours
from slicing_gym import Scenario

FloatArray = npt.NDArray[np.float64]

RULES = ("hard", "proportional", "best_fixed")
"""What agents are compared with in the cells that they learn in; the one-step oracle would take longer than some do."""

FIRST_SHOWN, BLOCK = 50, 10
"""Decisions that are shown one by one, and those of which the mean is drawn."""


class Learned(NamedTuple):
    """What an agent earned while it learned.

    Args:
        decisions: utility of each decision in the first cell (decisions,).
        episodes: mean utility of each episode, over all cells (episodes,).
        collected: decisions, in all cells together, before the agent itself decides.
        collect_by: who decides until then, "planner" or "random".
        cells: that it learns in at once.
        explores: decisions, in all cells together, until which its exploration rate falls.
    """

    decisions: FloatArray
    episodes: FloatArray
    collected: int = 0
    collect_by: str = "random"
    cells: int = 1
    explores: int = 0

    @property
    def when(self) -> str:
        """What a legend says of its curve: who decided before, or that it learned from the first decision on."""
        if not self.collected:
            return ", while it learns"
        cells = f" in {self.cells} cells" if self.cells > 1 else ""
        how = "by the planner" if self.collect_by == "planner" else "at random"
        falls = f", ε falls until {self.explores}" if self.explores > self.collected else ""
        return f", the first {self.collected}{cells} {how}{falls}"


def training_figure(
    scenario: Scenario,
    learned: Mapping[str, Learned],
    rules: Mapping[str, FloatArray],
    evaluations: Sequence[Evaluation],
) -> Figure:
    """The utility of the first decisions and of each episode while the agents learned, and the final comparison.

    Args:
        scenario: of the runs.
        learned: by agent.
        rules: utility (decisions, cells) of what does not learn, in the same cells with common random numbers.
        evaluations: of the agents, in the same order, and of those they are compared with, on unseen cells.
    """
    figure = Figure(figsize=(14, 5.0), layout="constrained")
    first, middle, right = figure.subplots(1, 3, width_ratios=[1.15, 1.15, 1])
    names = display_names([*learned, *rules])
    colours = policy_colours([evaluation.policy for evaluation in evaluations])
    length = scenario.decisions_per_episode
    for (agent, earned), width in zip(learned.items(), _widths(len(learned)), strict=True):
        style = {"color": colours[agent], "lw": width}
        _draw_first(first, earned.decisions, **style)
        _draw_episodes(middle, earned.episodes, marker=".", label=names[agent] + earned.when, **style)
    cells = next(iter(learned.values())).cells
    for rule, utility in rules.items():
        style = {"color": colours[rule], "lw": 1.3, "ls": "--", "zorder": 3}
        means = [utility[start : start + length].mean() for start in range(0, len(utility), length)]
        _draw_first(first, utility[:, 0], dots=False, **style)
        _draw_episodes(middle, np.array(means), label=f"{names[rule]}, in the same cell{'s' * (cells > 1)}", **style)
    _label(first, middle, scenario, learned)
    _shade_collected(first, middle, scenario, learned, names)
    figure.legend(*middle.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9.5)
    number = len(evaluations[0].seeds)
    points(right, evaluations, "utility", f"after training: mean U in {number} unseen cell{'s' if number > 1 else ''}")
    right.set_xlabel("mean utility U" + ", with 95 % intervals over cells" * (number > 1))
    agents = ", ".join(names[agent] for agent in learned)
    figure.suptitle(f"{agents} on scenario {scenario.name}: {scenario.num_allocations} allocations", fontsize=11)
    return figure


def _widths(number: int) -> FloatArray:
    """Of lines, the first the widest: a planner and an agent that it collects for take the same first decisions."""
    return np.linspace(1.5 + number, 1.5, number) if number > 1 else np.array([2.0])


def _draw_first(axes: Axes, utility: FloatArray, dots: bool = True, **style: Any) -> None:
    """The mean of every ten of the first decisions as steps, and a dot for each decision."""
    shown = utility[:FIRST_SHOWN]
    if dots:
        axes.plot(np.arange(1, len(shown) + 1), shown, color=style["color"], ls="", marker=".", ms=4, alpha=0.35)
    starts = np.arange(0, len(shown), BLOCK)
    means = [shown[start : start + BLOCK].mean() for start in starts]
    axes.stairs(means, np.append(starts, len(shown)) + 0.5, baseline=None, **style)


def _draw_episodes(axes: Axes, means: FloatArray, **style: Any) -> None:
    """The mean of each episode; the last may have fewer decisions. A single one is a point."""
    marker = {} if len(means) > 1 else {"marker": "o"}
    axes.plot(np.arange(1, len(means) + 1), means, **{**style, **marker})


def _label(first: Axes, middle: Axes, scenario: Scenario, learned: Mapping[str, Learned]) -> None:
    """Titles and axes of both panels of the training cells."""
    longest = max(len(earned.decisions) for earned in learned.values())
    cells = next(iter(learned.values())).cells
    many = cells > 1
    first.set_xlim(0.5, min(FIRST_SHOWN, longest) + 0.5)
    first.set_xlabel("decision on the real environment")
    first.set_ylabel("utility U")
    cell = f"first of {cells} training cells" if many else "training cell"
    first.set_title(f"{cell}: first {FIRST_SHOWN} decisions (dots), means of {BLOCK}", fontsize=10)
    middle.set_xlim(0.5, max(len(earned.episodes) for earned in learned.values()) + 0.5)
    middle.xaxis.set_major_locator(MaxNLocator(integer=True))
    each = " in each cell" if many else ""
    middle.set_xlabel(f"episode ({scenario.decisions_per_episode} decisions on the real environment{each})")
    middle.set_ylabel("mean utility U of the episode")
    middle.set_title(f"{f'all {cells} training cells' if many else 'training cell'}: mean of each episode", fontsize=10)


def _shade_collected(
    first: Axes, middle: Axes, scenario: Scenario, learned: Mapping[str, Learned], names: Mapping[str, str]
) -> None:
    """Shade the decisions that the first agent did not take itself, and say who took them."""
    agent, earned = next(iter(learned.items()))
    if not earned.collected:
        return
    who = "the planner decides" if earned.collect_by == "planner" else "random decisions"
    text = f"{who} ({names[agent]})" if len(learned) > 1 else who
    last = math.ceil(earned.collected / earned.cells)
    _shade(first, last + 0.5)
    low, high = first.get_ylim()
    first.set_ylim(low, high + 0.15 * (high - low))
    first.text(0.02, 0.98, f"{text},\nto decision {last}", transform=first.transAxes, va="top", fontsize=9)
    _shade(middle, last / scenario.decisions_per_episode + 0.5, label=text)


def _shade(axes: Axes, end: float, label: str | None = None) -> None:
    """Shade a panel from its left edge on."""
    (left, right), limits = axes.get_xlim(), axes.get_ylim()
    axes.axvspan(left, min(end, right), color="0.5", alpha=0.15, lw=0, zorder=0, label=label)
    axes.set(xlim=(left, right), ylim=limits)
