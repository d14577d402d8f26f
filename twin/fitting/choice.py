"""Which of two models explains held-out arrivals better (PyTorch)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from twin.fitting.closed import Rows, solve_arrivals
from twin.fitting.loop import Data
from twin.fitting.networks import Folds, data_of
from twin.models.mixture import Mixture
from twin.models.settings import TransitionSettings
from twin.models.transition import TransitionEnsemble
from twin.runtime import arrays
from twin.runtime.draws import num_outputs
from twin.runtime.encoding import encode
from twin.runtime.weights import make_stepper


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


def _likelihood(raw: Tensor, components: int, data: Data) -> float:
    """Mean log probability of all variables together, of outputs (n, P)."""
    mixture = Mixture.of(raw.double(), components)
    return float(mixture.log_likelihood(data.below, data.above).mean())
