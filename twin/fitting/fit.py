"""From a history to a `TwinModel`: what is fitted, on which decisions, and what the history was like (PyTorch)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from twin.data.history import History
from twin.data.layout import Layout
from twin.fitting.loop import Data, Fitted, curves, fit_performance, fit_transition, one_thread, together
from twin.fitting.prior import made_up_decisions
from twin.models.mixture import Mixture, mean_of_mixtures
from twin.models.operations import Floats
from twin.models.performance import EnsembleNetwork
from twin.models.settings import PerformanceSettings, TrainingSettings, TransitionSettings
from twin.models.transition import TransitionEnsemble
from twin.runtime import arrays
from twin.runtime.draws import num_outputs
from twin.runtime.encoding import (
    Encoded,
    encode,
    make_scaler,
    measured_by,
    move,
    one_hot,
    target_bounds,
    to_scale,
    widen,
)
from twin.runtime.model import InitialWindows, TwinModel

WINDOW = 16
"""Intervals of the history that a cell has seen when its episode begins."""

MAX_WINDOWS = 64
"""Windows that a twin keeps to begin episodes from."""

CLEARLY = 0.05
"""Gain in log likelihood [nat a decision] below which a calibration does not move predictions."""

_Settings = TypeVar("_Settings", bound=TransitionSettings | PerformanceSettings)


@dataclass(frozen=True)
class Report:
    """How a twin came about.

    Args:
        decisions, runs: of the history.
        transition, performance: how each network was fitted.
        notes: what is unusual about the history, and how it was handled.
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
    if present:
        settings = replace(
            settings,
            max_epochs=settings.calibration_epochs,
            patience=settings.calibration_patience,
            batch_size=min(settings.batch_size, max(64, len(history) // 8)),
        )
    rate = settings.calibration_rate if present else 1.0
    learners = _slowed(transition, rate), _slowed(performance, rate)
    scaler = _moved(present, layout, history) if present else make_scaler(layout, measured_by(history))
    folds = [_hold_out(history, settings.validation_share, number) for number in range(transition.members)]
    generator = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]), one_thread(), curves(log_folder) as writer:
        torch.manual_seed(seed)
        slices, rest = layout.scenario.num_slices, layout.num_variables - layout.scenario.num_slices
        f = TransitionEnsemble(transition, layout.num_features, num_outputs(transition.components, slices))
        g = EnsembleNetwork(performance, layout.num_features, num_outputs(performance.components, rest))
        if present:
            _load(f, present.transition_parameters)
            _load(g, present.performance_parameters)
        first, others = slice(0, slices), slice(slices, None)
        f_old, g_old = (_rehearsal(present, scaler, part, generator) for part in (first, others))
        how = (settings, generator, progress, writer)
        members = []
        for number, (fold, network) in enumerate(zip(folds, f.members, strict=True)):
            learn, stop = (_data(scaler, encode(layout, scaler, part), first) for part in fold)
            name = f"transition_{number}"
            members.append(fit_transition(network, learners[0], learn, stop, f_old, *how, name))
        learn, stop = (_data(scaler, encode(layout, scaler, part), others) for part in folds[0])
        prior = None
        if not present and performance.prior_scale > 0.0:  # a calibration goes on from members that differ already
            features, brought = made_up_decisions(layout, scaler, history, performance.members, generator)
            prior = _tensors(scaler, features, brought, [], others)
        fitted_g = fit_performance(g, learners[1], learn, stop, g_old, *how, prior)
    encoded = encode(layout, scaler, history)
    windows = _initial_windows(encoded, history)
    model = TwinModel(
        layout=layout,
        scaler=scaler,
        transition=transition,
        performance=performance,
        transition_parameters=_parameters(f),
        performance_parameters=_parameters(g),
        initial_windows=windows,
        rehearsal=_mixed(present.rehearsal, windows.features) if present else windows.features,
        modal_controls=_modal_controls(layout, history),
    )
    notes = (_about_hold_out(history, folds[0][1]), *_remarks(history, layout))
    return model, Report(len(history), len(history.runs), together(members), fitted_g, notes)


def _hold_out(history: History, share: float, fold: int) -> tuple[History, History]:
    """The decisions to learn from and those to stop by: some runs, or a part of each where runs are few.

    In fold 0 these are the last, in fold 1 those before them, and so on: between them the members see everything.
    """
    runs, lengths = np.unique(history.run, return_counts=True)
    wanted = share * len(history)
    behind = np.cumsum(lengths[::-1])[::-1]  # decisions from each run on to the end
    blocks = ((behind - 1) // max(wanted, 1.0)).astype(np.int64)  # runs in blocks of about that many decisions
    block = np.unique(blocks)[fold % len(np.unique(blocks))]
    held_out = np.isin(history.run, runs[blocks == block])
    if 0.5 * wanted <= held_out.sum() <= 2.0 * wanted and not held_out.all():
        return history.take(~held_out), history.take(held_out)
    held_out = np.zeros(len(history), np.bool_)
    for run, length in zip(runs, lengths, strict=True):
        rows = np.flatnonzero(history.run == run)
        size = round(share * length)  # none of a run of one or two decisions
        stop = length - size * (fold % max(1, length // (2 * max(size, 1))))
        held_out[rows[stop - size : stop]] = True
    if not held_out.any():  # every run is short
        held_out[-max(1, round(wanted)) :] = True
    return history.take(~held_out), history.take(held_out)


def _about_hold_out(history: History, held_out: History) -> str:
    """What early stopping looks at."""
    runs = len(history.runs)
    if len(held_out.runs) < runs:
        return f"early stopping on {len(held_out.runs)} of {runs} runs, others for each member of the transition"
    which = "one single run: early stopping on" if runs == 1 else f"only {runs} runs: early stopping on"
    return f"{which} {len(held_out)} decisions in {'it' if runs == 1 else 'them'}"


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


def _slowed(settings: _Settings, rate: float) -> _Settings:
    """The same settings with another learning rate."""
    return replace(settings, learning_rate=settings.learning_rate * rate)


def _moved(present: TwinModel, layout: Layout, fresh: History) -> arrays.Scaler:
    """The scales of a present model, its predictions of arrivals moved to where the fresh ones are.

    Traffic that doubled lies many standard deviations off, which takes gradients long. For each slice the predictions
    stay as they are, are shifted so that their errors have mean zero, or are stretched too so that the errors have the
    size that is expected: whichever makes the fresh arrivals clearly more likely than the simpler.
    """
    measured = measured_by(fresh)
    scaler = widen(present.scaler, layout, measured)
    encoded, slices = encode(layout, scaler, fresh), layout.scenario.num_slices
    mixture = Mixture.of(torch.from_numpy(present.predict(encoded).transition).double(), present.transition.components)
    spread, center = scaler.spread[:slices], scaler.center[:slices]
    means, variances = mixture.moments()  # (n, M, slices)
    predicted = means.mean(dim=1).numpy() * spread + center
    deviation = (variances.mean(dim=1) + means.var(dim=1, correction=0)).sqrt().numpy() * spread
    truth = to_scale(scaler, measured)[:, :slices]
    error = truth - predicted
    size = np.sqrt(((error - error.mean(axis=0)) ** 2).mean(axis=0) / (deviation**2).mean(axis=0))
    stretch = np.clip(size, 0.2, 5.0)
    candidates = [
        (np.zeros(slices), np.ones(slices)),
        (error.mean(axis=0), np.ones(slices)),
        (truth.mean(axis=0) - stretch * predicted.mean(axis=0), stretch),
    ]
    shift, stretch = (part.copy() for part in candidates[0])
    least = np.full(slices, np.inf)
    for candidate in candidates:
        below, above = (edge[:, None, :slices] for edge in target_bounds(move(scaler, *candidate), measured))
        likelihood = mixture.marginal_log_likelihood(torch.from_numpy(below), torch.from_numpy(above))
        loss = -mean_of_mixtures(likelihood, dim=1).mean(dim=0).numpy()
        better = loss < least - CLEARLY
        least[better] = loss[better]
        shift[better], stretch[better] = candidate[0][better], candidate[1][better]
    return move(scaler, shift, stretch)


def _data(scaler: arrays.Scaler, encoded: Encoded, variables: slice) -> Data:
    """The tensors of some variables."""
    return _tensors(scaler, encoded.features, encoded.measured, encoded.sequences, variables)


def _tensors(
    scaler: arrays.Scaler,
    features: Floats,
    measured: npt.NDArray[np.float64],
    sequences: list[slice],
    variables: slice,
) -> Data:
    below, above = target_bounds(scaler, measured)
    standard = (to_scale(scaler, measured) - scaler.center) / scaler.spread
    return Data(
        features=torch.from_numpy(features),
        below=torch.from_numpy(below[:, variables]).float(),
        above=torch.from_numpy(above[:, variables]).float(),
        values=torch.from_numpy(standard[:, variables]).float(),
        low=torch.from_numpy(scaler.low[variables]).float(),
        high=torch.from_numpy(scaler.high[variables]).float(),
        sequences=sequences,
    )


def _rehearsal(
    present: TwinModel | None, scaler: arrays.Scaler, variables: slice, generator: np.random.Generator
) -> Data | None:
    """What a present model predicts, drawn once, for the windows it keeps: a calibration forgets no other region."""
    if present is None:
        return None
    number, window, width = present.rehearsal.shape
    features = present.rehearsal.reshape(-1, width)
    sequences = [slice(i * window, (i + 1) * window) for i in range(number)]
    drawn = present.draw(present.predict_features(features, sequences), generator)
    return _tensors(scaler, features, drawn, sequences, variables)


def _mixed(old: Floats, fresh: Floats) -> Floats:
    """Half of the windows that were kept and half of the fresh ones, evenly spread, cut to the shorter length."""
    length, most = min(old.shape[1], fresh.shape[1]), MAX_WINDOWS // 2
    parts = []
    for part in (old, fresh):
        chosen = np.linspace(0, len(part) - 1, min(most, len(part))).round().astype(np.int64)
        parts.append(part[chosen, -length:])
    return np.ascontiguousarray(np.concatenate(parts))


def _initial_windows(encoded: Encoded, history: History) -> InitialWindows:
    """Windows evenly spread over the history."""
    length = min(WINDOW, max(block.stop - block.start for block in encoded.sequences))
    ends = np.concatenate([np.arange(block.start + length - 1, block.stop) for block in encoded.sequences])
    chosen = ends[np.linspace(0, len(ends) - 1, min(MAX_WINDOWS, len(ends))).round().astype(np.int64)]
    rows = chosen[:, None] + np.arange(1 - length, 1)
    return InitialWindows(encoded.features[rows], encoded.measured[chosen], history.allocation[chosen])


def _modal_controls(layout: Layout, history: History) -> Floats:
    """The most frequent value of each control of each slice, one-hot (C,)."""
    modal = {}
    for control in layout.control_columns:
        values = history.controls[control.name]
        counts = np.stack([(values == value).sum(axis=0) for value in control.values])  # (values, S)
        modal[control.name] = np.array(control.values)[counts.argmax(axis=0)][None]
    hot: Floats = one_hot(layout, modal, 1)[0]
    return hot


def _parameters(network: nn.Module) -> dict[str, Floats]:
    """Copies of a network's parameters and buffers."""
    return {name: value.numpy().astype(np.float32).copy() for name, value in network.state_dict().items()}


def _load(network: nn.Module, parameters: dict[str, Floats] | object) -> None:
    assert isinstance(parameters, dict)
    network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in parameters.items()})
