"""The picture of courses: utility of the first decisions, and regret against the one-step oracle over all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.regret.references import REFERENCES
from experiments.regret.report import Methods
from experiments.reporting.names import display_names
from experiments.reporting.statistics import interquartile_mean
from experiments.reporting.style import curve_dashes, draw_curve, over_seeds, policy_colours, save_figure
from slicing_gym import Scenario

FloatArray = npt.NDArray[np.float64]

FIRST = 50
"""Decisions that the left side shows."""

_MARKERS = "os^Dv*"

SMOOTHED = 3
"""Decisions that each of its points is the mean of: that decision, and those before and after."""


def draw_courses(path: Path, scenario: Scenario, methods: Methods, typed: str = "") -> None:
    """Left utility of the first decisions, right cumulative regret against the one-step oracle.

    What was `typed` for all runs stands in the title.
    """
    figure = Figure(figsize=(14, 5.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    shown = {key: courses for key, courses in methods.items() if key[0] not in REFERENCES or _is_longest(key, methods)}
    longest, styles = max(decisions for _, decisions in shown), _styles(shown)
    _draw_first(left, shown, styles)
    _draw_regret(right, shown, styles, longest)
    columns = min(len(shown), 6)
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside lower center", ncols=columns, frameon=False, fontsize=9
    )
    seeds = over_seeds(*map(len, shown.values()), intervals="shaded 95 % intervals")
    third = "\n" + typed.replace("$", r"\$") if typed else ""  # two of them would begin a formula
    figure.suptitle(
        f"Scenario {scenario.name}: what methods earn in their first decisions, and what they lose while they learn\n"
        f"interquartile mean over {seeds}; baselines on the same cells are dotted{third}",
        fontsize=11,
    )
    save_figure(figure, path)


def _draw_first(axes: Axes, methods: Methods, styles: Mapping[str, dict[str, Any]]) -> None:
    """Utility of the first decisions, and a note of methods that begin alike: one curve hides the others."""
    begun: dict[bytes, list[str]] = defaultdict(list)
    names = _names(methods)
    for number, ((method, decisions), courses) in enumerate(methods.items()):
        first = smoothed(np.array([course.utility for course in courses]))[:, :FIRST]
        label, others = names[method, decisions], begun[first.tobytes()]
        style = styles[method] | ({"shade": 0.0} if others else {}) | _spaced(number, FIRST)
        draw_curve(axes, np.arange(1, first.shape[1] + 1), first, **style, label=label)
        others.append(label)
    alike = ["\none curve: " + ", ".join(names) for names in begun.values() if len(names) > 1]
    axes.set_title(f"utility U of the first {FIRST} decisions (each point the mean of {SMOOTHED})", fontsize=10)
    axes.set_xlabel("decision" + "".join(alike))
    axes.set_ylabel("utility U")
    axes.set_xlim(1, FIRST)
    axes.grid(alpha=0.25)


def _draw_regret(axes: Axes, methods: Methods, styles: Mapping[str, dict[str, Any]], longest: int) -> None:
    """What each has lost up to each decision; at the right edge its name and all that it lost."""
    ends, names = [], _names(methods)
    for number, ((method, decisions), courses) in enumerate(methods.items()):
        if method == "one_step_oracle":
            continue
        lost = np.cumsum([course.oracle - course.utility for course in courses], axis=1)
        draw_curve(axes, np.arange(1, decisions + 1), lost, **styles[method] | _spaced(number, decisions))
        ends.append((float(interquartile_mean(lost[:, -1])), names[method, decisions], styles[method]["color"]))
    axes.set_title("regret against the one-step oracle, summed up; lower is better", fontsize=10)
    axes.set_xlabel("decision")
    axes.set_ylabel("regret [U]")
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


def _names(methods: Methods) -> dict[tuple[str, int], str]:
    """What each is called: its decisions are named where methods took different numbers of them."""
    names, longest = display_names(method for method, _ in methods), max(decisions for _, decisions in methods)
    return {
        (method, decisions): names[method] + ("" if decisions == longest else f", {decisions} decisions")
        for method, decisions in methods
    }


def _styles(methods: Methods) -> dict[str, dict[str, Any]]:
    """Of curves and their bands by method, each with a colour of its own; a baseline's is dotted and has no band.

    Markers, and the first methods wider than the later, let curves be seen that lie under others.
    """
    learned = list(dict.fromkeys(method for method, _ in methods if method not in REFERENCES))
    colours = policy_colours(learned)
    styles: dict[str, dict[str, Any]] = {
        policy: {"color": colours[policy], "ls": ":", "lw": 1.8, "shade": 0.0} for policy in REFERENCES
    }
    for number, method in enumerate(learned):
        width = 1.6 + 0.6 * min(len(learned) - 1 - number, 4)
        dashes = "-" if method == "planner" else curve_dashes(method)
        look = {"color": colours[method], "ls": dashes, "lw": width, "shade": 0.12}
        styles[method] = {**look, "marker": _MARKERS[number % len(_MARKERS)], "ms": 4 + width, "mec": "white"}
    return styles


def _spaced(number: int, points: int) -> dict[str, Any]:
    """Some eight markers along a curve, those of each curve at other places."""
    every = max(points // 8, 1)
    return {"markevery": (number * every // 5 % every, every)}
