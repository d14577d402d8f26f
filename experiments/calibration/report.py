"""Twins after the traffic has changed, as a table, a CSV and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.calibration.trials import CALIBRATED, FROM_SCRATCH, METRICS, STALE, Trial
from experiments.reporting.statistics import Estimate, estimate
from experiments.reporting.style import save_figure
from experiments.reporting.tables import aligned, write_rows

_COLOURS = {CALIBRATED: "#0072B2", FROM_SCRATCH: "#E69F00"}


class Summary(NamedTuple):
    """A kind of twin after so many fresh decisions.

    Args:
        twin, fresh: see `Trial`.
        estimates: of each of `METRICS`: mean over cells with its 95 % interval.
    """

    twin: str
    fresh: int
    estimates: dict[str, Estimate]


def summarize(trials: Sequence[Trial]) -> list[Summary]:
    """Means over cells, by twin and number of fresh decisions."""
    found = []
    for twin, fresh in dict.fromkeys((trial.twin, trial.fresh) for trial in trials):
        cells = [trial for trial in trials if (trial.twin, trial.fresh) == (twin, fresh)]
        found.append(
            Summary(twin, fresh, {name: estimate([getattr(each, name) for each in cells]) for name in METRICS})
        )
    return found


def as_table(summaries: Sequence[Summary]) -> str:
    """One row per twin, one column per metric."""
    rows = [[twin, str(fresh), *map(str, estimates.values())] for twin, fresh, estimates in summaries]
    return aligned(["twin", "fresh decisions", *METRICS.values()], rows)


def write_trials(path: Path, trials: Sequence[Trial]) -> None:
    """One row per twin and cell, atomically."""
    rows = [[seed, twin, fresh, *(f"{v:.6g}" for v in values)] for seed, twin, fresh, *values in map(astuple, trials)]
    write_rows(path, ["seed", "twin", "fresh", *METRICS], rows)


def plot_calibration(path: Path, summaries: Sequence[Summary]) -> None:
    """Each metric but R² against the number of fresh decisions."""
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    for axes, metric in zip(figure.subplots(1, 3), ("state_crps", "utility_crps", "seconds"), strict=True):
        _panel(axes, summaries, metric)
    figure.suptitle(
        "A twin after the traffic has changed (less is better); bars are 95 % intervals over cells", fontsize=11
    )
    save_figure(figure, path)


def _panel(axes: Axes, summaries: Sequence[Summary], metric: str) -> None:
    """One metric of calibrated twins and of twins fitted from scratch."""
    for twin, colour in _COLOURS.items():
        line = sorted((each for each in summaries if each.twin == twin), key=lambda each: each.fresh)
        numbers, values = [each.fresh for each in line], [each.estimates[metric] for each in line]
        means, widths = zip(*values, strict=True)
        axes.errorbar(numbers, means, widths, color=colour, marker="o", ms=4, capsize=2, label=twin)
    (stale,) = (each.estimates[metric] for each in summaries if each.twin == STALE)
    axes.set_xscale("log")
    axes.set_xticks(numbers, [str(number) for number in numbers])
    axes.minorticks_off()
    axes.set_xlabel("decisions since the traffic changed")
    title = "seconds of computing" if metric == "seconds" else f"{METRICS[metric]} (not calibrated: {stale.mean:.2f})"
    axes.set_title(title, fontsize=10)
    axes.legend(frameon=False, fontsize=8.5)
