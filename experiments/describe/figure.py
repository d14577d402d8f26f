"""The picture of a description."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.describe.link import Link
from experiments.describe.load import SliceLoad
from experiments.reporting.style import save_figure
from slicing_gym import Scenario

_SNR, _RATE, _CAPACITY = "#0072B2", "#D55E00", "#009E73"


def plot_description(path: Path, scenario: Scenario, slices: Sequence[SliceLoad], capacity_bps: float) -> None:
    """SNR and rate against distance; load of each slice, and the capacity of the units that its SLA takes."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_link(left, scenario)
    _draw_load(right, slices, capacity_bps)
    figure.suptitle(f"Scenario {scenario.name}", fontsize=11)
    save_figure(figure, path)


def _draw_link(axes: Axes, scenario: Scenario) -> None:
    """One user alone, from the nearest distance to the edge."""
    link = Link(scenario)
    distances = np.linspace(scenario.radio.min_distance_m, scenario.radio.cell_radius_m, 60).tolist()
    snr = [link.snr_db(each, link.band_blocks) for each in distances]
    rates = [link.rate_bps(each, link.band_blocks) / 1e6 for each in distances]
    axes.plot(distances, snr, color=_SNR)
    axes.set_ylabel("mean SNR over the band [dB]", color=_SNR)
    axes.set_xlabel("distance [m]")
    other = axes.twinx()
    other.plot(distances, rates, color=_RATE)
    other.set_ylabel("rate of one user alone [Mbit/s]", color=_RATE)
    other.set_ylim(bottom=0.0)
    axes.set_title("the link", fontsize=10)


def _draw_load(axes: Axes, slices: Sequence[SliceLoad], capacity_bps: float) -> None:
    """Bars of the mean load, marks of what 95 % of the decisions stay below, and capacities."""
    places = np.arange(len(slices))
    axes.bar(places - 0.2, [each.offered_bps / 1e6 for each in slices], 0.4, color=_SNR, label="mean load")
    axes.plot(places - 0.2, [each.high_bps / 1e6 for each in slices], "k_", ms=14, label="95 % of decisions are below")
    held = [np.nan if each.sla_bps is None else each.sla_bps / 1e6 for each in slices]
    axes.bar(places + 0.2, held, 0.4, color=_RATE, label="capacity of the units for its SLA")
    axes.axhline(capacity_bps / 1e6, color=_CAPACITY, ls="--", label="capacity of the cell")
    axes.set_yscale("log")
    axes.set_ylabel("Mbit/s (logarithmic)")
    axes.set_xticks(places, [each.name for each in slices], rotation=30 if len(slices) > 5 else 0)
    axes.set_title("load and capacity", fontsize=10)
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
