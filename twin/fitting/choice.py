"""Which of two models explains held-out decisions better (PyTorch)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from twin.data.history import History
from twin.data.layout import REWARDED, Layout
from twin.fitting.closed import Rows, solve_arrivals, solve_performance
from twin.fitting.loop import Data
from twin.fitting.networks import Folds, data_of
from twin.models.mixture import Mixture, mean_of_mixtures
from twin.models.operations import Floats
from twin.models.performance import EnsembleNetwork
from twin.models.settings import PerformanceSettings, TransitionSettings
from twin.models.transition import TransitionEnsemble
from twin.runtime import arrays
from twin.runtime.draws import num_outputs
from twin.runtime.encoding import encode, opened
from twin.runtime.performance import SliceStepper
from twin.runtime.weights import make_stepper

MOST = 3.0
"""Log likelihood [nat] by which a single decision may tell for one model: a surprise must not decide alone."""


def gain_of_autoregression(
    network: TransitionEnsemble,
    settings: TransitionSettings,
    other: TransitionSettings,
    scaler: arrays.Scaler,
    folds: Folds,
) -> float:
    """By how much an autoregression explains arrivals better than networks do [nat a held-out decision].

    Each member against one that has learned from the same decisions, on those that it was stopped by; a cell of a twin
    is simulated with one member.
    """
    gains = []
    for (learn, stop), member in zip(folds, network.members, strict=True):
        layout, slices = learn.layout, learn.scenario.num_slices
        held_out, variables = encode(layout, scaler, stop), slice(0, slices)
        data = data_of(scaler, held_out, variables)
        with torch.no_grad():
            runs = [member(data.features[block][None])[0] for block in data.sequences]
        parameters = solve_arrivals(other, scaler, Rows.of(encode(layout, scaler, learn)), slices)
        stepper, number = make_stepper(other, parameters, layout.num_features), len(stop)
        raw = np.zeros((number, 1, num_outputs(1, slices)), np.float32)
        age, memory = np.zeros(number, np.int64), stepper.memory(number)
        stepper(np.arange(number), held_out.features, memory, age, raw, np.zeros(1, np.float32))
        gains.append(
            _likelihood(torch.from_numpy(raw[:, 0]), 1, data) - _likelihood(torch.cat(runs), settings.components, data)
        )
    return float(np.mean(gains))


def gain_per_slice(
    network: EnsembleNetwork,
    settings: PerformanceSettings,
    scaler: arrays.Scaler,
    fold: tuple[History, History],
    seed: int,
) -> float:
    """By how much regressions slice by slice explain SSR and SE better than an ensemble of networks does.

    In nat a held-out decision, of which none counts more than `MOST`. Of a history that measured neither of the two,
    all columns count.
    """
    learn, stop = fold
    layout, slices = learn.layout, learn.scenario.num_slices
    held_out = encode(layout, scaler, stop)
    data, rows = data_of(scaler, held_out, slice(slices, None)), Rows.of(encode(layout, scaler, learn))
    wide = opened(scaler, layout, rows.measured, slice(slices, None))
    stepper = SliceStepper(layout, wide, settings, solve_performance(layout, wide, rows, seed))
    outputs = num_outputs(stepper.components, layout.num_variables - slices)
    raw: Floats = np.zeros((len(stop), stepper.members, outputs), np.float32)
    stepper(np.arange(len(stop)), held_out.features, raw, np.zeros(stepper.scratch_size, np.float32))
    with torch.no_grad():
        joint = network(data.features).transpose(0, 1)
    columns = _rewarded(layout)
    slice_by_slice = _marginal(torch.from_numpy(raw), stepper.components, data, columns)
    better = slice_by_slice - _marginal(joint, settings.components, data, columns)
    return float(better.clamp(-MOST, MOST).mean())


def _likelihood(raw: Tensor, components: int, data: Data) -> float:
    """Mean log probability of all variables together, of outputs (n, P)."""
    mixture = Mixture.of(raw.double(), components)
    return float(mixture.log_likelihood(data.below.double(), data.above.double()).mean())


def _marginal(raw: Tensor, components: int, data: Data, columns: list[int]) -> Tensor:
    """Sums over some variables of their log probabilities (n,), of members' outputs (n, M, P)."""
    below, above = (edge.double()[:, None] for edge in (data.below, data.above))
    each = mean_of_mixtures(Mixture.of(raw.double(), components).marginal_log_likelihood(below, above), dim=1)
    return each[:, columns].sum(dim=1)


def _rewarded(layout: Layout) -> list[int]:
    """The performance variables that the reward is made of; all, if there are none."""
    slices, number = layout.scenario.num_slices, layout.num_variables - layout.scenario.num_slices
    places = [layout.place(name) for name in REWARDED if layout.has(name)]
    return [v - slices for place in places for v in range(place.start, place.stop)] or list(range(number))
