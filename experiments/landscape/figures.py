"""The pictures of the loss landscape: curves along the gradient (the paper's Fig. 7), and the loss in a plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.landscape.flatness import FloatArray
from experiments.landscape.losses import STOCK
from experiments.landscape.report import Measurement, mean_surface, method_pairs, sorted_by_method
from experiments.reporting.names import display_name, display_names
from experiments.reporting.statistics import base_name, interquartile_mean
from experiments.reporting.style import agent_colours, draw_curve, over_seeds, save_figure

_AXES = {
    "epsilon": "ε: the weights move by ε times the gradient (equation 11)",
    "distance": "distance in weight space along the same gradient",
}
_STOCK_COLOUR = "#CC79A7"


def plot_curves(path: Path, title: str, measured: Sequence[Measurement], steps: Mapping[str, FloatArray]) -> None:
    """One column per algorithm; above the loss over epsilon (Fig. 7), below over the distance in weight space.

    Args:
        path: PNG to write.
        title: the first line.
        measured: agents of one scenario and head.
        steps: along the curves (points,) by their names.
    """
    methods = sorted_by_method(measured)
    shown, colours = display_names(methods), agent_colours(list(methods)) | {STOCK: _STOCK_COLOUR}
    compared_with = {other: name for name, other in method_pairs(list(methods))}
    names = list(
        dict.fromkeys(base_name(method) for method in methods if method != STOCK or STOCK not in compared_with)
    )
    figure = Figure(figsize=(max(4.6 * len(names), 7.0), 8.0), layout="constrained")
    grid = figure.subplots(len(_AXES), len(names), squeeze=False)
    for row, along in enumerate(_AXES):
        for axes, name in zip(grid[row], names, strict=True):
            lowest = np.inf
            for method, those in methods.items():
                if name in (base_name(method), compared_with.get(method)):
                    losses = np.array([each.curves[along] for each in those])
                    _line(axes, method, shown[method], colours[method], steps[along], losses)
                    lowest = min(lowest, losses.min())
            axes.axvline(0.0, color="black", lw=0.6)
            axes.set_xlim(steps[along][0], steps[along][-1])
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.set_xlabel(_AXES[along] if len(names) < 3 else _AXES[along].partition(" (")[0], fontsize=9)
            axes.set_title(display_name(name), fontsize=10)
            axes.set_ylabel(_loss_label(lowest))
            axes.grid(alpha=0.25)
            axes.legend(frameon=False, fontsize=8.5)
    seeds = over_seeds(*map(len, methods.values()), intervals="shaded 95 % intervals")
    second = f"with a twin solid, without dashed; interquartile mean over {seeds}"
    figure.suptitle(f"{title}\n{second}", fontsize=11)
    save_figure(figure, path)


def _loss_label(lowest: float) -> str:
    """What a loss is, by its lowest value: a squared error is never negative, the score of GAN-DDQN's critic may be."""
    return "loss [U²]" if lowest >= 0.0 else "loss with the critic's score (no unit)"


def _line(axes: Axes, method: str, label: str, colour: str, steps: FloatArray, losses: FloatArray) -> None:
    """The curve of a method (seeds, points) with its interval."""
    dashes = ":" if method == STOCK else "-" if "-dt" in method else "--"
    width = 2.0 if dashes == "-" else 1.5
    draw_curve(axes, steps, losses, shade=0.16, color=colour, ls=dashes, lw=width, label=label)


def plot_surfaces(path: Path, title: str, measured: Sequence[Measurement], steps: FloatArray) -> None:
    """The loss in the plane of two random directions; one row per algorithm, without and with a twin side by side.

    Contours of a row are the same, so that its panels can be compared.

    Args:
        path: PNG to write.
        title: the first line.
        measured: agents of one scenario and head.
        steps: of both directions (n,).
    """
    by_name = sorted_by_method(measured)
    surfaces = {method: mean_surface(those) for method, those in by_name.items()}
    shown = display_names(surfaces)
    compared_with = {other: name for name, other in method_pairs(list(surfaces))}
    rows: dict[str, list[str]] = {}
    for method in surfaces:
        rows.setdefault(compared_with.get(method, base_name(method)), []).append(method)
    columns = max(map(len, rows.values()))
    figure = Figure(figsize=(max(3.5 * columns + 1.4, 8.5), 3.4 * len(rows) + 1.0), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False, sharex=True, sharey=True)
    for panels, methods in zip(grid, rows.values(), strict=True):
        levels = _levels([surfaces[method] for method in methods])
        for axes, method in zip(panels, methods, strict=False):
            filled = axes.contourf(steps, steps, surfaces[method], levels, extend="max", cmap="viridis")
            axes.plot(0.0, 0.0, "+", color="white", ms=9, mew=1.6)
            learned = interquartile_mean([each.flatness.loss for each in by_name[method]])
            axes.set_title(f"{shown[method]}: {learned:.2f} at +", fontsize=10)
            axes.set_xlabel("first random direction", fontsize=9)
        panels[0].set_ylabel("second random direction", fontsize=9)
        for axes in panels[len(methods) :]:
            axes.set_visible(False)
        bar = figure.colorbar(filled, ax=list(panels), label=_loss_label(levels[0]), ticks=levels[::3])
        bar.ax.set_yticklabels([f"{level:.2f}" for level in levels[::3]])
    second = "at 1 the weights of every neuron have moved by their own norm; + is what was learned"
    figure.suptitle(f"{title}\n{second}; interquartile mean over seeds", fontsize=11)
    save_figure(figure, path)


def _levels(surfaces: Sequence[FloatArray]) -> FloatArray:
    """Contours, close where the loss is low: from the lowest loss to what nine tenths of the plane are below."""
    values = np.concatenate([surface.ravel() for surface in surfaces])
    low, high = float(values.min()), float(np.quantile(values, 0.9))
    return low + max(high - low, 1e-6) * np.linspace(0.0, 1.0, 16) ** 2
