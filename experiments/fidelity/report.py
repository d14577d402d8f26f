"""The fidelity of a twin as a table, a CSV and a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.fidelity.measures import PREDICTORS
from experiments.reporting.statistics import Estimate
from experiments.reporting.style import save_figure
from experiments.reporting.tables import aligned, write_rows
from twin import DigitalTwin

if TYPE_CHECKING:
    from experiments.fidelity.outcome import Outcome

FloatArray = npt.NDArray[np.float64]
Figures = Mapping[tuple[str, str, str], Estimate]

_COLOURS = {
    "twin": "#0072B2",
    "tree": "#009E73",
    "persistence": "#E69F00",
    "climatology": "#999999",
    "noise_floor": "#000000",
}
_ORDER = (
    "CRPS / ",
    "CRPS",
    "NLL",
    "inside 90 %",
    "CRPS 5 ",
    "CRPS 20 ",
    "CRPS 50 ",
    "distance",
    "skill less",
    "skill",
    "R²",
    "rank",
    "|U",
    "U in",
    "fit",
)


def as_table(figures: Figures) -> str:
    """The figures as text: a row a metric and variable, a column a predictor."""
    columns = [who for who in PREDICTORS if any(key[2] == who for key in figures)]
    rows = []
    for metric, variable in dict.fromkeys((key[0], key[1]) for key in figures):
        cells = [figures.get((metric, variable, who)) for who in columns]
        rows.append([metric, variable, *("" if cell is None else show(cell) for cell in cells)])
    return aligned(["metric", "of", *columns], sorted(rows, key=lambda row: _rank(row[0])))


def show(value: Estimate) -> str:
    """Three significant digits, or three decimals for numbers near one."""
    size = abs(value.mean)
    if math.isnan(value.mean):
        return "-"
    return value.show(3 if size < 10.0 else 2 if size < 100.0 else 1)


def _rank(metric: str) -> int:
    """Where a metric stands in the table."""
    exact = [place for place, start in enumerate(_ORDER) if metric == start]
    begins = [place for place, start in enumerate(_ORDER) if metric.startswith(start)]
    return (exact or begins[:1] or [len(_ORDER)])[0] if metric != "CRPS" else 1


def write_csv(path: Path, name: str, figures: Figures) -> None:
    """One row a figure, atomically."""
    header = ["network", "metric", "variable", "predictor", "mean", "half_width"]
    write_rows(path, header, ([name, *key, f"{v.mean:.6g}", f"{v.half_width:.3g}"] for key, v in figures.items()))


def plot(path: Path, name: str, figures: Figures, outcome: Outcome, twin: DigitalTwin) -> None:
    """Above how errors grow when the twin is left alone; below predictions, ranked allocations, policies."""
    slices = twin.scenario.num_slices
    figure = Figure(figsize=(12, 7.6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1, 1.15])  # type: ignore[misc]
    axes = np.atleast_1d(above.subplots(1, slices))
    for v in range(slices):
        _horizon(axes[v], outcome, v, twin.scenario.slice_names[v])
    above.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    above.suptitle("The twin left alone: error of the arrivals (CRPS, packets) so many intervals ahead", fontsize=11)
    if outcome.utilities is not None:
        left, middle, right = below.subplots(1, 3, width_ratios=[1.2, 1, 1.2])
        _scores(left, figures, list(twin.scenario.slice_names))
        _allocations(middle, *outcome.utilities)
        _policies(right, figures)
    else:
        _skills(below.subplots(), figures)
    figure.suptitle(f"How far the twin of {name} can be trusted, on runs it has not seen", fontsize=12.5)
    save_figure(figure, path)


def _horizon(axes: Axes, outcome: Outcome, v: int, name: str) -> None:
    for who, values in outcome.rollout.crps(v).items():
        smooth = np.convolve(values, np.ones(5) / 5.0, mode="valid") if len(values) > 20 else values
        ahead = np.arange(len(smooth)) + 1 + (len(values) - len(smooth)) // 2
        axes.plot(
            ahead, smooth, color=_COLOURS[who], lw=1.6, ls="--" if who == "noise_floor" else "-", label=_label(who)
        )
    axes.set_title(name, fontsize=10)
    axes.set_xlabel("intervals ahead")
    axes.set_ylim(bottom=0.0)


def _scores(axes: Axes, figures: Figures, names: list[str]) -> None:
    """CRPS one interval ahead, over that of the noise floor."""
    people = ("twin", "persistence", "climatology")
    for place, who in enumerate(people):
        bars = []
        for name in names:
            floor = figures["CRPS", f"arrivals_{name}", "noise_floor"].mean
            bars.append(figures["CRPS", f"arrivals_{name}", who].mean / floor)
        spots = np.arange(len(names)) + (place - 1) * 0.27
        axes.bar(spots, bars, 0.27, color=_COLOURS[who], label=_label(who))
        for spot, bar in zip(spots, bars, strict=True):
            axes.annotate(
                f"{bar:.2f}", (spot, bar), xytext=(0, 1), textcoords="offset points", ha="center", fontsize=7.5
            )
    axes.axhline(1.0, color=_COLOURS["noise_floor"], ls="--", lw=1.2, label=_label("noise_floor"))
    axes.set_xticks(range(len(names)), names)
    axes.set_title("arrivals one interval ahead: CRPS over the floor's\n(less is better)", fontsize=10)
    axes.margins(y=0.1)


def _allocations(axes: Axes, real: FloatArray, dreamt: FloatArray) -> None:
    axes.plot([real.min(), real.max()], [real.min(), real.max()], color="#999999", lw=1)
    axes.plot(real, dreamt, ".", ms=4, color=_COLOURS["twin"])
    axes.set_xlabel("utility in the network")
    axes.set_ylabel("utility in the twin")
    axes.set_title(f"{len(real)} allocations never held before\n(a perfect twin: on the line)", fontsize=10)


def _policies(axes: Axes, figures: Figures) -> None:
    names = [key[1] for key in figures if key[0] == "U in the network"]
    real = [figures["U in the network", name, "noise_floor"].mean for name in names]
    gaps = [figures["|U twin - U network|", name, "twin"] for name in names]
    axes.barh(range(len(names)), real, color="#BBBBBB")
    for place, (value, gap) in enumerate(zip(real, gaps, strict=True)):
        axes.annotate(f" {value:.2f}, twin off by {gap}", (0.0, place), va="center", fontsize=8.5)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_title("utility of policies in the network,\nand how far off the twin is", fontsize=10)


def _skills(axes: Axes, figures: Figures) -> None:
    """Skill of every variable, twin and tree side by side."""
    names = [key[1] for key in figures if key[0] == "skill" and key[2] == "twin"]
    people = [who for who in ("twin", "tree") if ("skill", names[0], who) in figures]
    width = 0.8 / len(people)
    for place, who in enumerate(people):
        values = [figures["skill", name, who] for name in names]
        spots = np.arange(len(names)) + (place - (len(people) - 1) / 2) * width
        axes.bar(
            spots,
            [value.mean for value in values],
            width,
            yerr=[value.half_width for value in values],
            color=_COLOURS[who],
            label="gradient-boosted tree" if who == "tree" else who,
            error_kw={"lw": 1},
        )
    axes.axhline(0.0, color="#444444", lw=1)
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=8.5)
    axes.set_ylim(bottom=max(-0.5, axes.get_ylim()[0]))
    axes.set_title(
        "skill one interval ahead: 1 - squared error / that of the better of climatology and persistence "
        "(0: no better, 1: perfect)",
        fontsize=10,
    )
    axes.legend(frameon=False)


def _label(who: str) -> str:
    return {"noise_floor": "noise floor: the same cell, resampled noise"}.get(who, who)
