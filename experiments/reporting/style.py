"""The pictures of the experiments."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.reporting.names import display_names
from experiments.reporting.statistics import (
    Estimate,
    Interval,
    base_name,
    bootstrap_interval,
    interquartile_mean,
    over_few_seeds,
)
from slicing_gym.files import atomic_write

FloatArray = npt.NDArray[np.float64]

_POLICY_COLOURS = {
    "random": "#999999",
    "hard": "#E69F00",
    "proportional": "#56B4E9",
    "best_fixed": "#009E73",
    "one_step_oracle": "#CC79A7",
    "planner": "#882255",
}
_OTHER_COLOURS = ("#0072B2", "#D55E00", "#000000", "#8C510A", "#6A3D9A", "#999933")
BAR_COLOURS = ("#0072B2", "#D55E00", "#999933", "#6A3D9A", "#8C510A")
"""The same without black, which hides error bars; neighbours differ in grey, too."""

MARKERS = "osD^vP"
"""Of points next to each other, which are told apart in grey, too."""

_AGENT_COLOURS = {
    "dqn": "#0072B2",
    "ddqn": "#D55E00",
    "gan_ddqn": "#8C510A",
    "sb3_dqn": "#999933",
    "sb3_qrdqn": "#6A3D9A",
    "planner": "#882255",
    "random": "#999999",
}
_SPARE_COLOURS = ("#332288", "#117733", "#661100", "#AA4499", "#44AA99")
"""None of them is that of a baseline, nor are those of agents: a picture may have both."""


def agent_colour(method: str) -> str:
    """Of an agent, with a twin or without; the same in every picture, whatever else is in it."""
    name = base_name(method)
    return _AGENT_COLOURS.get(name, _SPARE_COLOURS[zlib.crc32(name.encode()) % len(_SPARE_COLOURS)])


def agent_colours(methods: Sequence[str]) -> dict[str, str]:
    """Of each of the agents of a picture: names of one's own that would look alike get another, while there is one.

    Such a name may have another colour in another picture.
    """
    found: dict[str, str] = {}
    for name in dict.fromkeys(map(base_name, methods)):
        usual, taken = agent_colour(name), found.values()
        free = [colour for colour in (usual, *_SPARE_COLOURS) if colour not in taken]
        found[name] = free[0] if free else usual
    return {method: found[base_name(method)] for method in methods}


def curve_dashes(method: str) -> str:
    """Of the curve of an agent: solid with a twin, dash-dotted with a twin of another kind, dashed without."""
    _, twin, kind = method.partition("-dt")
    return "-." if kind else "-" if twin else "--"


def point_style(method: str) -> dict[str, Any]:
    """Of the point of an agent: its colour, hollow where it has no twin."""
    colour = agent_colour(method)
    return {"color": colour, "mfc": "white" if method == base_name(method) else colour}


def draw_point(axes: Axes, x: float, value: Interval, text: str, *, fontsize: float = 8.5, **style: Any) -> None:
    """A point with its 95 % interval, and a text to its right."""
    middle, low, high = map(float, value)
    look = {"fmt": "o", "ms": 7, "mew": 1.6, "capsize": 3, "elinewidth": 1.4, **style}
    axes.errorbar(x, middle, yerr=[[middle - low], [high - middle]], **look)
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.8}
    place: dict[str, Any] = {"xytext": (8, 0), "textcoords": "offset points", "va": "center"}
    axes.annotate(text, (x, middle), fontsize=fontsize, bbox=box, zorder=4, **place)


def draw_bars_side_by_side(
    axes: Axes, values: Mapping[str, Sequence[Estimate]], colours: Mapping[str, str], span: float
) -> None:
    """At each position a bar of every name with its 95 % interval, together `span` wide."""
    width, names = span / len(values), display_names(values)
    for number, (name, estimates) in enumerate(values.items()):
        means, halves = zip(*estimates, strict=True)
        x = np.arange(len(estimates)) + (number - (len(values) - 1) / 2) * width
        axes.bar(x, means, width, yerr=halves, color=colours[name], label=names[name], error_kw={"lw": 1})


def draw_curve(
    axes: Axes,
    x: npt.ArrayLike,
    values: npt.ArrayLike,
    *,
    shade: float,
    statistic: Callable[[FloatArray], FloatArray] = interquartile_mean,
    **style: Any,
) -> None:
    """The interquartile mean of curves (seeds, points) over `x` (points,), with its 95 % interval as a band.

    Without a band where `shade` is 0; or another `statistic` over seeds, with its own.
    """
    (line,) = axes.plot(x, statistic(np.asarray(values, np.float64)), **style)
    if shade:
        band = bootstrap_interval(values, resamples=500, statistic=statistic)
        axes.fill_between(x, band.low, band.high, color=line.get_color(), alpha=shade, lw=0)


def episode_axis(axes: Axes, longest: int) -> None:
    """The axis of a learning curve: episodes of real decisions, logarithmic where there are many."""
    if longest > 30:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(*((1, longest) if longest > 1 else (0.5, 1.5)))
    axes.set_xlabel("episode of real decisions" if longest <= 30 else "episode of real decisions (logarithmic)")


def policy_colours(policies: Sequence[str], among: Sequence[str] = _OTHER_COLOURS) -> dict[str, str]:
    """A colour for each policy; baselines and the planner have the same in every picture, others one `among` these."""
    others = [policy for policy in policies if policy not in _POLICY_COLOURS]
    return _POLICY_COLOURS | {p: among[n % len(among)] for n, p in enumerate(others)}


def over_seeds(*numbers: int, intervals: str = "95 % intervals") -> str:
    """How many seeds the methods of a picture have, and what its bars or bands are if there are any."""
    few, many = min(numbers), max(numbers)
    if many == 1:
        return "one seed"
    return f"{many if few == many else f'{few} to {many}'} seeds, {intervals}{over_few_seeds(numbers)}"


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG, atomically."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    with atomic_write(path) as file:
        file.write(picture.getvalue())
