"""The picture of courses: utility of the first decisions, and regret against the one-step oracle over all of them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.regret.references import REFERENCES
from experiments.regret.report import Methods
from experiments.reporting.statistics import interquartile_mean
from experiments.reporting.style import agent_colour, curve_dashes, draw_curve, over_seeds, policy_colours, save_figure
from slicing_gym import Scenario

FloatArray = npt.NDArray[np.float64]

FIRST = 50
"""Decisions that the left side shows."""

SMOOTHED = 3
"""Decisions that each of its points is the mean of: that decision, and those before and after."""


def draw_courses(path: Path, scenario: Scenario, methods: Methods) -> None:
    """Left utility of the first decisions, right cumulative regret against the one-step oracle."""
    figure = Figure(figsize=(14, 5.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    shown = {key: courses for key, courses in methods.items() if key[0] not in REFERENCES or _is_longest(key, methods)}
    longest = max(decisions for _, decisions in shown)
    _draw_first(left, shown)
    _draw_regret(right, shown, longest)
    columns = min(len(shown), 8)
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside lower center", ncols=columns, frameon=False, fontsize=9
    )
    seeds = over_seeds(*map(len, shown.values()), intervals="shaded 95 % intervals")
    figure.suptitle(
        f"Scenario {scenario.name}: what methods earn in their first decisions, and what they lose while they learn\n"
        f"interquartile mean over {seeds}; baselines on the same cells are dotted",
        fontsize=11,
    )
    save_figure(figure, path)


def _draw_first(axes: Axes, methods: Methods) -> None:
    """Utility of the first decisions, and a note of methods that begin alike: one curve hides the others."""
    begun: dict[bytes, list[str]] = defaultdict(list)
    for (method, decisions), courses in methods.items():
        first = smoothed(np.array([course.utility for course in courses]))[:, :FIRST]
        label, others = _label(method, decisions, methods), begun[first.tobytes()]
        style = _style(method) | ({"shade": 0.0} if others else {})
        draw_curve(axes, np.arange(1, first.shape[1] + 1), first, **style, label=label)
        others.append(label)
    alike = ["\none curve: " + ", ".join(names) for names in begun.values() if len(names) > 1]
    axes.set_title(f"utility U of the first {FIRST} decisions (each point the mean of {SMOOTHED})", fontsize=10)
    axes.set_xlabel("decision" + "".join(alike))
    axes.set_xlim(1, FIRST)
    axes.grid(alpha=0.25)


def _draw_regret(axes: Axes, methods: Methods, longest: int) -> None:
    """What each has lost up to each decision; at the right edge its name and all that it lost."""
    ends = []
    for (method, decisions), courses in methods.items():
        if method == "one_step_oracle":
            continue
        lost = np.cumsum([course.oracle - course.utility for course in courses], axis=1)
        draw_curve(axes, np.arange(1, decisions + 1), lost, **_style(method))
        name = method if decisions == longest else f"{method} ({decisions} decisions)"
        ends.append((float(interquartile_mean(lost[:, -1])), name, _style(method)["color"]))
    axes.set_title("regret against the one-step oracle, summed up [U]; lower is better", fontsize=10)
    axes.set_xlabel("decision")
    axes.set_xlim(0, longest)
    axes.grid(alpha=0.25)
    low, high = axes.get_ylim()
    place = low
    for value, name, colour in sorted(ends):
        place = max(value, place + 0.045 * (high - low))
        axes.annotate(
            f"{value:.0f}  {name}",
            (1.01, place),
            xycoords=("axes fraction", "data"),
            color=colour,
            va="center",
            fontsize=9,
        )


def smoothed(utility: FloatArray) -> FloatArray:
    """Means over `SMOOTHED` decisions around each (seeds, n); over fewer at both ends."""
    window = np.ones(SMOOTHED)
    kept = np.convolve(np.ones(utility.shape[1]), window, "same")
    return np.array([np.convolve(row, window, "same") / kept for row in utility])


def _is_longest(key: tuple[str, int], methods: Methods) -> bool:
    """Whether a baseline has no longer course."""
    return key[1] == max(decisions for method, decisions in methods if method == key[0])


def _label(method: str, decisions: int, methods: Methods) -> str:
    """A method, with its decisions where runs of it took several numbers of them."""
    several = sum(method == other for other, _ in methods) > 1
    return f"{method}, {decisions} decisions" if several else method


def _style(method: str) -> dict[str, Any]:
    """Of a curve and its band; a baseline's is dotted and has none."""
    if method in REFERENCES:
        return {"color": policy_colours([])[method], "ls": ":", "lw": 1.8, "shade": 0.0}
    if method == "planner":
        return {"color": "#000000", "ls": "-", "lw": 2.4, "shade": 0.12}
    return {"color": agent_colour(method), "ls": curve_dashes(method), "lw": 1.8, "shade": 0.12}
