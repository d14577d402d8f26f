"""A picture of a log's load, and of what a cell of the simulator replays of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.reporting.style import save_figure
from twin.traffic import Replay, TrafficLog


def plot_traffic(path: Path, log: TrafficLog, replayed: Replay) -> None:
    """One row per slice: the log over time, an episode of a cell, and how often each load occurs in the two."""
    scenario = replayed.scenario
    figure = Figure(figsize=(10, 1.2 + 1.6 * scenario.num_slices), layout="constrained")
    axes = figure.subplots(scenario.num_slices, 3, squeeze=False, width_ratios=[1.6, 1.6, 1])
    decisions = np.arange(replayed.arrived.shape[1])
    for place, (part, row) in enumerate(zip(scenario.slices, axes, strict=True)):
        sent = log.packets_of(part.name, part.traffic.packet_size_byte.mean) / log.period_s
        arrived = replayed.arrived[..., place] / scenario.radio.interval_s
        row[0].plot(np.arange(len(sent)), sent, color="#000000", lw=0.8)
        trace = replayed.wanted[0, :, place] / scenario.radio.interval_s
        row[1].plot(decisions, trace, color="#999999", lw=2.2, label="trace")
        row[1].plot(decisions, arrived[0], color="#0072B2", lw=0.8, label="arrivals")
        row[0].set_ylabel(f"{part.name}\n[packets/s]")
        scale = max(replayed.wanted[..., place].mean() / scenario.radio.interval_s, 1e-9) / max(sent.mean(), 1e-9)
        for values, colour, label in ((sent * scale, "#000000", "log, scaled"), (arrived.ravel(), "#0072B2", "cells")):
            ordered = np.sort(values)
            row[2].plot(ordered, np.linspace(0.0, 1.0, len(ordered)), color=colour, lw=1.2, label=label)
    for column, title in enumerate(
        ("the log, interval by interval", "an episode of a cell [packets/s]", "share below")
    ):
        axes[0, column].set_title(title, fontsize=10)
    for column in (1, 2):
        axes[0, column].legend(frameon=False, fontsize=8)
    axes[-1, 0].set_xlabel("interval")
    axes[-1, 1].set_xlabel("decision")
    axes[-1, 2].set_xlabel("packets/s")
    figure.suptitle(f"{scenario.name}: the load of the log, and the load that agents meet", fontsize=11)
    save_figure(figure, path)
