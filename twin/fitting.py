"""From a history to a `TwinModel`: what is fitted, on which decisions, and what the history was like (PyTorch)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from twin import kernel
from twin.draws import num_outputs
from twin.encoding import Encoded, encode, make_table, measured_by, one_hot, target_bounds, to_scale
from twin.history import History
from twin.layout import Layout
from twin.model import Starts, TwinModel
from twin.performance import EnsembleNetwork
from twin.settings import PerformanceSettings, TrainingSettings, TransitionSettings
from twin.training import Data, Fitted, curves, fit_performance, fit_transition
from twin.transition import make_transition

WINDOW = 16
"""Intervals of the history that a cell has seen when its round begins."""

MAX_WINDOWS = 192
"""Windows that a twin keeps to begin rounds from."""


@dataclass(frozen=True)
class Report:
    """How a twin came about.

    Args:
        decisions, runs: of the history.
        transition, performance: how each network was fitted.
        notes: what was met with in the history, and how it was handled.
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
    """Fit a model to a history, from fresh weights or from those of a present model.

    Torch's own generator is seeded for the time of the fit and then put back.
    """
    layout = history.layout
    training_part, validation_part, notes = _hold_out(history, settings.validation_share)
    notes += _remarks(history, layout)
    table = present.table if present else make_table(layout, measured_by(training_part))
    generator = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]), curves(log_folder) as writer:
        torch.manual_seed(seed)
        slices, rest = layout.scenario.num_slices, layout.num_variables - layout.scenario.num_slices
        f = make_transition(transition, layout.num_features, num_outputs(transition.components, slices))
        g = EnsembleNetwork(performance, layout.num_features, num_outputs(performance.components, rest))
        if present:
            _load(f, present.transition_parameters)
            _load(g, present.performance_parameters)
        training, validation = (encode(layout, table, part) for part in (training_part, validation_part))
        arrivals = [_data(table, part, slice(0, slices)) for part in (training, validation)]
        measured = [_data(table, part, slice(slices, None)) for part in (training, validation)]
        fitted_f = fit_transition(f, transition, *arrivals, settings, generator, progress, writer)
        fitted_g = fit_performance(g, performance, *measured, settings, generator, progress, writer)
    encoded = encode(layout, table, history)
    model = TwinModel(
        layout=layout,
        table=table,
        transition=transition,
        performance=performance,
        transition_parameters=_parameters(f),
        performance_parameters=_parameters(g),
        starts=_starts(encoded, history),
        usual_controls=_usual_controls(layout, history),
        usual_spread=0.0,
    )
    if model.has_reward:
        spread = model.disagreement(model.predict(encoded).expected)
        model = replace(model, usual_spread=float(np.quantile(spread, 0.99)))
    return model, Report(len(history), len(history.runs), fitted_f, fitted_g, tuple(notes))


def _hold_out(history: History, share: float) -> tuple[History, History, list[str]]:
    """The decisions to learn from and those to stop by: the last runs, or of a single run the last part."""
    runs = len(history.runs)
    if runs > 1:
        number = max(1, round(share * runs))
        training, validation = history.split_by_run(last=number)
        return training, validation, [f"early stopping on the last {number} of {runs} runs"]
    training, validation = history.split_by_time(share)
    return training, validation, [f"one single run: early stopping on its last {len(validation)} decisions"]


def _remarks(history: History, layout: Layout) -> list[str]:
    """What is unusual about a history."""
    notes = []
    gaps = len(history.sequences()) - len(history.runs)
    if gaps:
        notes.append(f"{gaps} gaps in the numbers of the intervals: memory begins anew after each")
    measured = measured_by(history)
    for v, (name, _) in enumerate(layout.variables):
        if (measured[:, v] == measured[0, v]).all():
            notes.append(f"{name} is constant ({measured[0, v]:g}): it is predicted so, whatever the allocation")
    distinct = len(np.unique(history.allocation, axis=0))
    if distinct < 10:
        notes.append(f"only {distinct} different allocations: of others the twin can know little")
    return notes


def _data(table: kernel.Table, encoded: Encoded, variables: slice) -> Data:
    """The tensors of some variables."""
    below, above = target_bounds(table, encoded.measured)
    return Data(
        features=torch.from_numpy(encoded.features),
        below=torch.from_numpy(below[:, variables]).float(),
        above=torch.from_numpy(above[:, variables]).float(),
        values=torch.from_numpy((to_scale(table, encoded.measured) - table.center) / table.spread)[
            :, variables
        ].float(),
        low=torch.from_numpy(table.low[variables]).float(),
        high=torch.from_numpy(table.high[variables]).float(),
        sequences=encoded.sequences,
    )


def _starts(encoded: Encoded, history: History) -> Starts:
    """Windows evenly spread over the history."""
    length = min(WINDOW, max(block.stop - block.start for block in encoded.sequences))
    ends = np.concatenate([np.arange(block.start + length - 1, block.stop) for block in encoded.sequences])
    chosen = ends[np.linspace(0, len(ends) - 1, min(MAX_WINDOWS, len(ends))).round().astype(np.int64)]
    rows = chosen[:, None] + np.arange(1 - length, 1)
    return Starts(encoded.features[rows], encoded.measured[chosen], history.allocation[chosen])


def _usual_controls(layout: Layout, history: History) -> kernel.Floats:
    """The most frequent value of each control of each slice, one-hot (C,)."""
    usual = {}
    for control in layout.control_columns:
        values = history.controls[control.name]
        counts = np.stack([(values == value).sum(axis=0) for value in control.values])  # (values, S)
        usual[control.name] = np.array(control.values)[counts.argmax(axis=0)][None]
    return one_hot(layout, usual, 1)[0]


def _parameters(network: nn.Module) -> dict[str, kernel.Floats]:
    """Copies of a network's parameters and buffers."""
    return {name: value.numpy().astype(np.float32).copy() for name, value in network.state_dict().items()}


def _load(network: nn.Module, parameters: dict[str, kernel.Floats] | object) -> None:
    assert isinstance(parameters, dict)
    network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in parameters.items()})
