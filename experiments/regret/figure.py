"""The picture of courses: utility of the first decisions, and regret against the one-step oracle over all of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.regret.references import REFERENCES
from experiments.regret.report import Methods
from experiments.reporting.style import agent_colour, curve_dashes, draw_curve, policy_colours, save_figure
from slicing_gym import Scenario

FloatArray = npt.NDArray[np.float64]

FIRST = 50
"""Decisions that the left side shows."""

SMOOTHED = 3
"""Decisions that each of its points is the mean of: that decision, and those before and after."""


def draw_courses(path: Path, scenario: Scenario, methods: Methods) -> None:
    """Left utility of the first decisions, right cumulative regret against the one-step oracle."""
    figure = Figure(figsize=(13, 5.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    lengths = Counter(method for method, _ in methods)
    shown = {key: courses for key, courses in methods.items() if key[0] not in REFERENCES or _is_longest(key, methods)}
    for (method, decisions), courses in shown.items():
        several = lengths[method] > 1 and method not in REFERENCES
        style = {**_style(method), "label": f"{method}, {decisions} decisions" if several else method}
        shade = 0.0 if method in REFERENCES else 0.15
        first = smoothed(np.array([course.utility for course in courses]))[:, :FIRST]
        draw_curve(left, np.arange(1, first.shape[1] + 1), first, shade=shade, **style)
        if method != "one_step_oracle":
            lost = np.cumsum([course.oracle - course.utility for course in courses], axis=1)
            draw_curve(right, np.arange(1, decisions + 1), lost, shade=shade, **style)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    _label(left, right)
    seeds = " to ".join(map(str, sorted({len(courses) for courses in shown.values()})))
    figure.suptitle(
        f"Scenario {scenario.name}: what methods earn in their first decisions, and what they lose while they learn\n"
        f"interquartile mean over {seeds} seeds, shaded 95 % intervals; "
        "baselines (thin) on the same cells",
        fontsize=11,
    )
    save_figure(figure, path)


def smoothed(utility: FloatArray) -> FloatArray:
    """Means over `SMOOTHED` decisions around each (seeds, n); over fewer at both ends."""
    window = np.ones(SMOOTHED)
    kept = np.convolve(np.ones(utility.shape[1]), window, "same")
    return np.array([np.convolve(row, window, "same") / kept for row in utility])


def _is_longest(key: tuple[str, int], methods: Methods) -> bool:
    """Whether a baseline has no longer course."""
    return key[1] == max(decisions for method, decisions in methods if method == key[0])


def _style(method: str) -> dict[str, Any]:
    """Of a curve: a baseline's is thin, of methods without a twin or planner dashed."""
    if method in REFERENCES:
        dotted = {"best_fixed": ":", "proportional": "--", "one_step_oracle": "-"}
        return {"color": "#555555", "ls": dotted[method], "lw": 1.1}
    if method == "planner":
        return {"color": "#000000", "lw": 2.4}
    return {"color": agent_colour(method), "ls": curve_dashes(method), "lw": 1.8}


def _label(left: Axes, right: Axes) -> None:
    """Titles and axes."""
    left.set_title(f"utility U of the first decisions (mean of {SMOOTHED} neighbours)", fontsize=10)
    left.set_xlabel("decision")
    left.set_xlim(1, FIRST)
    right.set_title("regret against the one-step oracle, summed up [U]; lower is better", fontsize=10)
    right.set_xlabel("decision")
    right.set_xlim(0, None)
    for axes in (left, right):
        axes.grid(alpha=0.25)
