"""The scales of a model that is calibrated: predictions of arrivals move to where the fresh ones are (PyTorch)."""

from __future__ import annotations

import numpy as np
import torch

from twin.data.history import History
from twin.data.layout import Layout
from twin.models.mixture import Mixture, mean_of_mixtures
from twin.runtime import arrays
from twin.runtime.encoding import encode, measured_by, move, target_bounds, to_scale, widen
from twin.runtime.model import TwinModel

CLEARLY = 0.05
"""Gain in log likelihood [nat a decision] below which a calibration does not move predictions."""


def moved_scaler(present: TwinModel, layout: Layout, fresh: History) -> arrays.Scaler:
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
