"""What a twin's uncertainty is worth, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.fidelity.uncertainty import Uncertainty
from experiments.reporting.style import save_figure

_BLUE, _ORANGE, _GREY = "#0072B2", "#E69F00", "#999999"


def plot_uncertainty(path: Path, name: str, found: Sequence[Uncertainty]) -> None:
    """Left error against predicted std, each point and in bins; right the std of held and never held allocations."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
    _errors(left, found)
    _spreads(right, found)
    figure.suptitle(f"The twin's uncertainty on {name}: allocations that its history never held", fontsize=12)
    save_figure(figure, path)


def _errors(axes: Axes, found: Sequence[Uncertainty]) -> None:
    std = np.concatenate([each.std for each in found])
    error = np.abs(np.concatenate([each.error for each in found]))
    axes.plot(std, error, ".", ms=3 if len(std) > 50 else 8, color=_GREY, alpha=0.5, label="each")
    bins = np.array([pair for each in found for pair in each.bins()])
    axes.plot(bins[:, 0], bins[:, 1], "o", ms=6, color=_BLUE, label="root mean square in bins")
    ends = np.array([max(std.min(), 1e-4), std.max()])
    axes.plot(ends, ends, color="black", lw=1, label="error = std")
    axes.plot(ends, 2.0 * ends, color="black", lw=1, ls=":", label="error = 2 std")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(bottom=max(error.max() / 1000.0, 1e-5))
    axes.set_xlabel("predicted epistemic std of the utility")
    axes.set_ylabel("|expected - true utility|")
    axes.legend(frameon=False, fontsize=8.5)
    inside = np.concatenate([each.inside for each in found]).mean()
    axes.set_title(f"{100.0 * inside:.0f} % of the utilities lie in the central 90 %", fontsize=10)


def _spreads(axes: Axes, found: Sequence[Uncertainty]) -> None:
    parts = {"held": [each.held for each in found], "never held": [each.never_held for each in found]}
    for (label, values), colour in zip(parts.items(), (_ORANGE, _BLUE), strict=True):
        ordered = np.sort(np.concatenate(values))
        axes.plot(ordered, np.linspace(0.0, 1.0, len(ordered)), color=colour, lw=1.8, label=label)
    axes.set_xscale("log")
    axes.set_xlabel("epistemic std of the utility")
    axes.set_ylabel("share of the decisions below")
    axes.set_title("held allocations and never held ones", fontsize=10)
    axes.legend(frameon=False)
