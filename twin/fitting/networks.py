"""The networks of a twin fitted to a history: which decisions each sees, what is rehearsed, priors (PyTorch)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from twin.data.history import History
from twin.fitting.loop import Data, Fitted, Prior, curves, fit_performance, fit_transition, one_thread, together
from twin.fitting.prior import random_functions
from twin.models.operations import Floats
from twin.models.parameters import Parameters
from twin.models.performance import EnsembleNetwork
from twin.models.settings import PerformanceSettings, TrainingSettings, TransitionSettings
from twin.models.transition import TransitionEnsemble
from twin.runtime import arrays
from twin.runtime.draws import num_outputs
from twin.runtime.encoding import Encoded, encode, standardised, target_bounds
from twin.runtime.model import TwinModel

_Settings = TypeVar("_Settings", bound=TransitionSettings | PerformanceSettings)

Folds = Sequence[tuple[History, History]]
"""Of each member of the transition the decisions to learn from, and those to stop by; the first are everybody's."""


@dataclass(frozen=True)
class Networks:
    """Networks that were fitted, None for what is none.

    Args:
        transition: members of f.
        performance: the ensemble g.
        about_transition, about_performance: how each was fitted.
    """

    transition: TransitionEnsemble | None = None
    performance: EnsembleNetwork | None = None
    about_transition: Fitted | None = None
    about_performance: Fitted | None = None

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self.transition is not None or self.performance is not None


def fit_networks(
    history: History,
    scaler: arrays.Scaler,
    folds: Folds,
    transition: TransitionSettings | None,
    performance: PerformanceSettings | None,
    settings: TrainingSettings,
    seed: int,
    present: TwinModel | None,
    progress: float,
    log_folder: Path | None,
    device: str = "cpu",
) -> Networks:
    """Fit networks with these settings (None: there is no such network), from fresh weights or from a model's.

    They are computed on a device, and are on the CPU before and after.
    """
    if transition is None and performance is None:
        return Networks()
    layout, slices = history.layout, history.scenario.num_slices
    rest, rate = layout.num_variables - slices, settings.calibration_rate if present else 1.0
    if present:
        settings = _for_calibration(settings, len(history))
    generator = np.random.default_rng(seed)
    first, others = slice(0, slices), slice(slices, None)
    f, g, about_f, about_g = None, None, None, None
    with torch.random.fork_rng(devices=[]), one_thread(), curves(log_folder) as writer:
        torch.manual_seed(seed)
        if transition is not None:
            f = TransitionEnsemble(transition, layout.num_features, num_outputs(transition.components, slices))
        if performance is not None:
            g = EnsembleNetwork(performance, layout.num_features, num_outputs(performance.components, rest))
        if f is not None and present:
            _load(f, present.transition_parameters)
        if g is not None and present:
            _load(g, present.performance_parameters)
        f_old, g_old = (_rehearsal(present, scaler, part, generator, device) for part in (first, others))
        how = (settings, generator, progress, writer)
        if f is not None and transition is not None:
            members, slowed = [], _slowed(transition, rate)
            for number, (fold, network) in enumerate(zip(folds, f.to(device).members, strict=True)):
                learn, stop = (data_of(scaler, encode(layout, scaler, part), first).to(device) for part in fold)
                members.append(fit_transition(network, slowed, learn, stop, f_old, *how, f"transition_{number}"))
            about_f = together(members)
            f.to("cpu")
        if g is not None and performance is not None:
            learn, stop = (data_of(scaler, encode(layout, scaler, part), others).to(device) for part in folds[0])
            prior = None
            if not present and performance.prior_scale > 0.0:  # a calibration goes on from members that differ already
                found = random_functions(layout, scaler, folds[0][0], performance.members, generator)
                at, functions, counts = (torch.from_numpy(part).float().to(device) for part in found)
                prior = Prior(at, functions[..., others], counts)
            about_g = fit_performance(g.to(device), _slowed(performance, rate), learn, stop, g_old, *how, prior)
            g.to("cpu")
    return Networks(f, g, about_f, about_g)


def _for_calibration(settings: TrainingSettings, decisions: int) -> TrainingSettings:
    return replace(
        settings,
        max_epochs=settings.calibration_epochs,
        patience=settings.calibration_patience,
        batch_size=min(settings.batch_size, max(64, decisions // 8)),
    )


def _slowed(settings: _Settings, rate: float) -> _Settings:
    """The same settings with another learning rate."""
    return replace(settings, learning_rate=settings.learning_rate * rate)


def data_of(scaler: arrays.Scaler, encoded: Encoded, variables: slice) -> Data:
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
    standard = standardised(scaler, measured)
    return Data(
        features=torch.from_numpy(features),
        below=torch.from_numpy(below[:, variables]),
        above=torch.from_numpy(above[:, variables]),
        values=torch.from_numpy(standard[:, variables]).float(),
        low=torch.from_numpy(scaler.low[variables]).float(),
        high=torch.from_numpy(scaler.high[variables]).float(),
        sequences=sequences,
    )


def _rehearsal(
    present: TwinModel | None, scaler: arrays.Scaler, variables: slice, generator: np.random.Generator, device: str
) -> Data | None:
    """What a present model predicts, drawn once, for the windows it keeps: a calibration forgets no other region."""
    if present is None:
        return None
    number, window, width = present.rehearsal.shape
    features = present.rehearsal.reshape(-1, width)
    sequences = [slice(i * window, (i + 1) * window) for i in range(number)]
    drawn = present.draw(present.predict_features(features, sequences), generator)
    return _tensors(scaler, features, drawn, sequences, variables).to(device)


def parameters_of(network: nn.Module) -> Parameters:
    """Copies of a network's parameters and buffers."""
    return {name: value.numpy().astype(np.float32).copy() for name, value in network.state_dict().items()}


def _load(network: nn.Module, parameters: Parameters) -> None:
    network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in parameters.items()})
