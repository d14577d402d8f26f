"""The fidelity of a twin as text, a CSV and a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.fidelity.evaluation import Outcome
from experiments.fidelity.measures import MORE_UNITS, NOISE_FLOOR, PREDICTORS, Figures, FloatArray
from experiments.fidelity.verdict import CANNOT_TELL, CARE, FAR_WORSE, GO, NO_GO, Verdict
from experiments.reporting.statistics import Estimate
from experiments.reporting.style import draw_bars_side_by_side, save_figure
from experiments.reporting.tables import aligned, write_rows
from slicing_gym.files import atomic_write
from twin.data.columns import ARRIVALS

_COLOURS = {
    "twin": "#0072B2",
    "tree": "#009E73",
    "persistence": "#E69F00",
    "climatology": "#999999",
    NOISE_FLOOR: "#000000",
}
_ANSWERS = {GO: "#007A55", CARE: "#A66C00", CANNOT_TELL: "#555555", NO_GO: "#B2182B"}
WORST_SKILL = -1.0
"""Where the picture cuts skills and their intervals: below it a twin is worse than nothing by any measure."""

LARGE = 1e4
"""Size from which on numbers of the table have a power of ten."""

COLUMNS = 3
"""In which the picture has its verdicts."""

_LABELS = {NOISE_FLOOR: "noise floor: the same cell, resampled noise", "tree": "gradient-boosted tree"}
_ORDER = (
    *("CRPS / ", "CRPS", "NLL", "inside 90 %", "CRPS 5 ", "CRPS 20 ", "CRPS 50 ", "distance", "mean", "skill less"),
    *("skill", "R²", MORE_UNITS, "rank", "|U", "U in", "never held", "fit"),
)
"""What metrics begin with, in the order of the table."""


def as_lines(found: Sequence[Verdict], held: str = "", remedies: Sequence[str] = ()) -> list[str]:
    """The verdicts as text, reasons below each use; what is said of every use stands once, in the first line.

    Args:
        found: the verdicts.
        held: the range of units that they are of, if there is one.
        remedies: what may help, as the twin contradicts physics.
    """
    first, *others = found
    common = [reason for reason in first.reasons if others and all(reason in each.reasons for each in others)]
    lines = [": ".join(["verdict", *common])]
    lines += [f"  networks contradict physics here: {remedy}" for remedy in remedies]
    if held:
        lines.append(f"  within the units that the fit held: {held}. The fit saw nothing beyond")
    for each in found:
        lines.append(f"  {each.use}: {each.answer}")
        lines += [f"    {reason}" for reason in each.reasons if reason not in common]
    return lines


def as_table(figures: Figures, units: Mapping[str, str] = MappingProxyType({})) -> str:
    """The figures as text: one row per metric and variable, one column per predictor.

    Args:
        figures: mean and half width by metric, variable and predictor.
        units: of the variables, by name; none stands behind those that it lacks.
    """
    columns = [predictor for predictor in PREDICTORS if any(key[2] == predictor for key in figures)]
    rows = []
    for metric, variable in dict.fromkeys((key[0], key[1]) for key in figures):
        cells = [figures.get((metric, variable, predictor)) for predictor in columns]
        unit = units.get(variable) if metric == "CRPS" or metric.endswith(" ahead") else ""
        of = f"{variable} [{unit}]" if unit else variable
        rows.append([metric, of, *("" if cell is None else show(cell) for cell in cells)])
    header = ["metric", "of", *(column.replace("_", " ") for column in columns)]
    return aligned(header, sorted(rows, key=lambda row: _rank(row[0])))


def not_learned(figures: Figures) -> list[str]:
    """A sentence on the variables whose CRPS is no better than the better of climatology's and persistence's.

    Where it is far worse that is said, too.
    """
    found: dict[str, list[str]] = {}
    for metric, variable, predictor in figures:
        if metric != "CRPS" or predictor != "twin":
            continue
        others = {who: figures.get((metric, variable, who)) for who in ("climatology", "persistence")}
        name, least = min(((who, value.mean) for who, value in others.items() if value), key=lambda pair: pair[1])
        score = figures[metric, variable, predictor].mean
        if score >= 0.99 * least > 0.0:
            far = f", the twin's is {score / least:.3g} times as large" if score > FAR_WORSE * least else ""
            found.setdefault(name, []).append(f"{variable} (CRPS {least:.3g}{far})")
    return [f"nothing is learned beyond {name} of {', '.join(variables)}" for name, variables in found.items()]


def show(value: Estimate) -> str:
    """Three significant digits, or three decimals for numbers near one; of large numbers with a power of ten."""
    size = abs(value.mean)
    if math.isnan(value.mean):
        return "-"
    if size >= LARGE and math.isfinite(size):
        largest = max(size, value.half_width) if math.isfinite(value.half_width) else size
        power = int(f"{largest:.2e}".partition("e")[2])  # after rounding: 99999 is 1.00e5
        scaled = Estimate(value.mean / 10.0**power, value.half_width / 10.0**power).show(2)
        return f"({scaled})e{power}" if "±" in scaled else f"{scaled}e{power}"
    return value.show(3 if size < 10.0 else 2 if size < 100.0 else 1)


def _rank(metric: str) -> int:
    """Where a metric stands in the table."""
    return _ORDER.index(max((start for start in _ORDER if metric.startswith(start)), key=len))


def write_figures(path: Path, name: str, figures: Figures) -> None:
    """One row per figure, atomically.

    Args:
        path: of the CSV.
        name: of the scenario or mapping, its first column.
        figures: mean and half width by metric, variable and predictor.
    """
    header = ["scenario", "metric", "variable", "predictor", "mean", "half_width"]
    write_rows(path, header, ([name, *key, f"{v.mean:.6g}", f"{v.half_width:.3g}"] for key, v in figures.items()))


def write_text(path: Path, text: str) -> None:
    """A text, atomically."""
    with atomic_write(path) as file:
        file.write(f"{text}\n".encode())


def plot_fidelity(path: Path, figures: Figures, outcome: Outcome, verdicts: Sequence[Verdict]) -> None:
    """Verdicts; how errors grow in a free run of the twin; below predictions, ranked allocations, policies."""
    scenario = outcome.twin.scenario
    rows = -(-(len(verdicts) + 1) // COLUMNS)
    figure = Figure(figsize=(12, 7.8 + 0.25 * rows), layout="constrained")
    top, above, below = figure.subfigures(3, 1, height_ratios=[0.3 + 0.25 * rows, 3.4, 3.9])  # type: ignore[misc]
    _answers(top.subplots(), figures, verdicts, rows)
    axes = np.atleast_1d(above.subplots(1, scenario.num_slices))
    axes[0].set_ylabel("CRPS of the arrivals")
    for v, name in enumerate(scenario.slice_names):
        _horizon(axes[v], outcome, v, name)
    above.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    unit = _unit(outcome)
    above.suptitle(f"The twin in a free run: error of the arrivals (CRPS, {unit}) so many intervals ahead", fontsize=11)
    if outcome.utilities is not None:
        left, middle, right = below.subplots(1, 3, width_ratios=[1.2, 1, 1.2])
        _scores(left, figures, scenario.slice_names)
        _allocations(middle, *outcome.utilities)
        _policies(right, figures)
    else:
        draw_skills(below.subplots(), figures)
    top.suptitle(f"How far the twin of {scenario.name} can be trusted, on decisions it has not seen", fontsize=12.5)
    save_figure(figure, path)


def _answers(axes: Axes, figures: Figures, verdicts: Sequence[Verdict], rows: int) -> None:
    """The R² of the utility and the answer for each use, in columns."""
    axes.set_axis_off()
    explained = figures.get(("R²", "utility", "twin"))
    lines = [("black", "there is no utility" if explained is None else f"R² of the utility: {explained.show(2)}")]
    lines += [(_ANSWERS[each.answer], f"{each.use}: {each.answer}") for each in verdicts]
    for index, (colour, line) in enumerate(lines):
        place = (index // rows) / COLUMNS, 1.0 - (index % rows + 0.5) / rows
        axes.text(*place, line, transform=axes.transAxes, color=colour, va="center", fontsize=9.5)


def _unit(outcome: Outcome) -> str:
    """What arrivals are counted in; a log's mapping that says nothing leaves the simulator's packets in the column."""
    unit = outcome.twin.model.layout.arrivals_column.unit
    simulated = outcome.utilities is not None
    return unit if simulated or unit != ARRIVALS.unit else "in the unit of the arrivals"


def _horizon(axes: Axes, outcome: Outcome, v: int, name: str) -> None:
    for predictor, values in outcome.rollout.crps(v).items():
        smooth = np.convolve(values, np.ones(5) / 5.0, mode="valid") if len(values) > 20 else values
        ahead = np.arange(len(smooth)) + 1 + (len(values) - len(smooth)) // 2
        style = "--" if predictor == NOISE_FLOOR else "-"
        label = _LABELS.get(predictor, predictor)
        axes.plot(ahead, smooth, color=_COLOURS[predictor], lw=1.6, ls=style, label=label)
    axes.set_title(name, fontsize=10)
    axes.set_xlabel("intervals ahead")
    axes.set_ylim(bottom=0.0)


def _scores(axes: Axes, figures: Figures, names: tuple[str, ...]) -> None:
    """CRPS one interval ahead, over that of the noise floor."""
    for index, predictor in enumerate(("twin", "persistence", "climatology")):
        ratios = [
            figures["CRPS", f"arrivals_{name}", predictor].mean / figures["CRPS", f"arrivals_{name}", NOISE_FLOOR].mean
            for name in names
        ]
        positions = np.arange(len(names)) + (index - 1) * 0.27
        bars = axes.bar(positions, ratios, 0.27, color=_COLOURS[predictor], label=predictor)
        axes.bar_label(bars, fmt="%.2f", padding=1, fontsize=7.5)
    axes.axhline(1.0, color=_COLOURS[NOISE_FLOOR], ls="--", lw=1.2)
    axes.set_xticks(range(len(names)), names)
    axes.set_xlabel("slice")
    axes.set_ylabel("CRPS / that of the noise floor")
    axes.set_title("arrivals one interval ahead: CRPS over the noise floor's\n(less is better)", fontsize=10)
    axes.margins(y=0.1)


def _allocations(axes: Axes, in_cell: FloatArray, in_twin: FloatArray) -> None:
    ends = [in_cell.min(), in_cell.max()]
    axes.plot(ends, ends, color="#999999", lw=1)
    axes.plot(in_cell, in_twin, ".", ms=4, color=_COLOURS["twin"])
    axes.set_xlabel("utility in the cell")
    axes.set_ylabel("utility in the twin")
    number = f"{len(in_cell)} allocation{'' if len(in_cell) == 1 else 's'}"
    axes.set_title(f"{number} never held before\n(a perfect twin: on the line)", fontsize=10)


def _policies(axes: Axes, figures: Figures) -> None:
    names = [key[1] for key in figures if key[0] == "U in the cell"]
    in_cell = [figures["U in the cell", name, NOISE_FLOOR].mean for name in names]
    axes.barh(range(len(names)), in_cell, color="#BBBBBB")
    for index, (name, value) in enumerate(zip(names, in_cell, strict=True)):
        gap = figures["|U twin - U cell|", name, "twin"]
        axes.annotate(f" {value:.2f}, twin off by {gap}", (0.0, index), va="center", fontsize=8.5)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("mean utility U in the cell")
    axes.invert_yaxis()
    axes.set_title("utility of policies in the cell,\nand how far off the twin is", fontsize=10)


def draw_skills(axes: Axes, figures: Figures) -> None:
    """Skill of every variable, twin and tree side by side."""
    names = [key[1] for key in figures if key[0] == "skill" and key[2] == "twin"]
    predictors = [predictor for predictor in ("twin", "tree") if ("skill", names[0], predictor) in figures]
    labels = {predictor: _LABELS.get(predictor, predictor) for predictor in predictors}
    skills = {labels[predictor]: [figures["skill", name, predictor] for name in names] for predictor in predictors}
    draw_bars_side_by_side(axes, skills, {labels[each]: _COLOURS[each] for each in predictors}, span=0.8)
    axes.axhline(0.0, color="#444444", lw=1)
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=8.5)
    low, high = axes.get_ylim()
    axes.set_ylim(max(WORST_SKILL, low), min(1.05, high))  # an interval of few blocks may be a thousand times as wide
    axes.set_title(
        "skill one interval ahead: 1 - squared error / that of the better of climatology and persistence "
        f"(0: no better, 1: perfect; cut at {WORST_SKILL:g})",
        fontsize=10,
    )
    axes.legend(frameon=False)
