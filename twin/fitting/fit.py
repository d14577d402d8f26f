"""From a history to a `TwinModel`: what is fitted, on which decisions, and what the history was like (PyTorch)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twin.data.history import History
from twin.data.layout import Layout
from twin.fitting.choice import gain_of_autoregression, gain_per_slice
from twin.fitting.closed import Rows, solve_arrivals, solve_performance
from twin.fitting.loop import Fitted
from twin.fitting.networks import Folds, Networks, fit_networks, parameters_of
from twin.fitting.scales import moved_scaler
from twin.fitting.windows import about_hold_out, hold_out, initial_windows, mixed, modal_controls
from twin.models.registry import transition_settings
from twin.models.settings import NEURAL_DECISIONS, PerformanceSettings, TrainingSettings, TransitionSettings
from twin.runtime import arrays
from twin.runtime.encoding import encode, make_scaler, measured_by, opened, widen
from twin.runtime.model import TwinModel

STAND_IN = "autoregressive"
"""The kind of transition that stands in for networks."""


@dataclass(frozen=True)
class Report:
    """How a twin came about.

    Args:
        decisions, runs: of the history.
        transition, performance: how each was fitted; 0 epochs in closed form.
        notes: which structure was taken and why, what is unusual about the history, and how it was handled.
    """

    decisions: int
    runs: int
    transition: Fitted
    performance: Fitted
    notes: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Time the two fits took."""
        return self.transition.seconds + self.performance.seconds


def fit(
    history: History,
    transition: TransitionSettings,
    performance: PerformanceSettings,
    settings: TrainingSettings,
    seed: int,
    present: TwinModel | None = None,
    progress: bool = False,
    log_folder: Path | None = None,
) -> tuple[TwinModel, Report]:
    """Fit a model to a history, from scratch or from a present model, whose structure stays what it is.

    Torch's own generator is seeded for the time of the fit and then put back.
    """
    layout, enough = history.layout, len(history) >= NEURAL_DECISIONS
    f, structure = (present.transition, present.structure) if present else (transition, performance.structure)
    asked = (
        (f if enough and not f.closed_form else None),
        (performance if enough and structure != "per_slice" else None),
    )
    scaler = make_scaler(layout, measured_by(history))
    if present:
        neural = asked[0] is not None
        scaler = (moved_scaler if neural else _widened)(present, layout, history)
    folds = [hold_out(history, settings.validation_share, number) for number in range(f.members)]
    networks = fit_networks(history, scaler, folds, *asked, settings, seed, present, progress, log_folder)
    started = time.perf_counter()
    f, structure, notes = _chosen(networks, f, structure, performance, scaler, folds, seed, present)
    rows = Rows.of(encode(layout, scaler, history))
    if networks.transition is not None and not f.closed_form:
        f_parameters = parameters_of(networks.transition)
    else:
        f_parameters = solve_arrivals(f, scaler, rows, layout.scenario.num_slices)
    if networks.performance is not None and structure == "joint":
        g_parameters = parameters_of(networks.performance)
    else:
        if not present:
            scaler = opened(scaler, layout, rows.measured, slice(layout.scenario.num_slices, None))
        g_parameters = solve_performance(layout, scaler, rows.with_kept(present) if present else rows, seed)
    closed = Fitted(0, 0, float("nan"), time.perf_counter() - started)
    windows = initial_windows(encode(layout, scaler, history), history)
    model = TwinModel(
        layout=layout,
        scaler=scaler,
        transition=f,
        performance=performance,
        transition_parameters=f_parameters,
        performance_parameters=g_parameters,
        initial_windows=windows,
        rehearsal=mixed(present.rehearsal, windows.features) if present else windows.features,
        modal_controls=modal_controls(layout, history),
        structure=structure,
    )
    if networks.transition is not None or networks.performance is not None:
        notes.append(about_hold_out(history, folds[0][1]))
    about = networks.about_transition or closed, networks.about_performance or closed
    return model, Report(len(history), len(history.runs), *about, (*notes, *_remarks(history, layout)))


def _widened(present: TwinModel, layout: Layout, fresh: History) -> arrays.Scaler:
    """The scales of a present model, with room for what is fresh."""
    return widen(present.scaler, layout, measured_by(fresh))


def _chosen(
    networks: Networks,
    f: TransitionSettings,
    structure: str,
    performance: PerformanceSettings,
    scaler: arrays.Scaler,
    folds: Folds,
    seed: int,
    present: TwinModel | None,
) -> tuple[TransitionSettings, str, list[str]]:
    """Transition and structure that are taken, and why: from scratch, what explains held-out decisions better."""
    notes = []
    if present or structure == "joint":
        return f, structure, notes
    few, by = f"there are fewer than {NEURAL_DECISIONS} decisions", "nat a held-out decision"
    if networks.transition is None and not f.closed_form:
        notes.append(f"arrivals: {STAND_IN} instead of {f.name}, as {few}")
        f = transition_settings(STAND_IN)
    elif networks.transition is not None:
        other = transition_settings(STAND_IN)
        gain = gain_of_autoregression(networks.transition, f, other, scaler, folds)
        taken, left = (other.name, f.name) if gain > 0.0 else (f.name, other.name)
        notes.append(f"arrivals: {taken}, better than {left} by {abs(gain):.3f} {by}")
        f = other if gain > 0.0 else f
    if structure == "auto" and networks.performance is None:
        notes.append(f"performance: per_slice, as {few}")
        structure = "per_slice"
    elif networks.performance is not None:
        gain = gain_per_slice(networks.performance, performance, scaler, folds[0], seed)
        structure, left = ("per_slice", "joint") if gain > 0.0 else ("joint", "per_slice")
        notes.append(f"performance: {structure}, better than {left} by {abs(gain):.3f} {by}")
    return f, structure, notes


def _remarks(history: History, layout: Layout) -> list[str]:
    """What is unusual about a history."""
    notes = []
    gaps = len(history.sequences()) - len(history.runs)
    if gaps:
        notes.append(f"{gaps} gaps in the numbers of the intervals: memory begins again after each")
    measured = measured_by(history)
    for v, (name, _) in enumerate(layout.variables):
        if (measured[:, v] == measured[0, v]).all():
            notes.append(f"{name} is constant ({measured[0, v]:g}): it is predicted so, whatever the allocation")
    distinct = len(np.unique(history.allocation, axis=0))
    if distinct < 10:
        notes.append(f"only {distinct} different allocations: of others the twin can know little")
    return notes
