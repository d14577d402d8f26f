"""What is modelled by ranks keeps the history's marginal distribution: scores moved to where predictions are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from twin.models.mixture import Mixture
from twin.models.operations import Floats
from twin.runtime.encoding import ranked_variables, with_tables
from twin.runtime.model import TwinModel
from twin.runtime.ranks import DEVIATION

DECISIONS = 2_048
"""Of the history over which predictions are averaged, at most."""

GRID = np.linspace(-12.0, 12.0, 481)
"""Scores at which their distribution is computed."""


def with_marginals(model: TwinModel, features: Floats) -> TwinModel:
    """The model with tables by which its predictions for the history have the history's distribution.

    A mixture of few components is not of the right form everywhere, and what is amiss in each prediction alike adds up
    in a free run. The distribution of all predictions together is known, so each score moves to where that has the
    rank that the history gives its knot.

    Args:
        model: fitted.
        features: of the history's decisions (n, F).
    """
    scaler, slices = model.scaler, model.scenario.num_slices
    variables = ranked_variables(scaler)
    if len(variables) == 0:
        return model
    chosen = np.linspace(0, len(features) - 1, min(len(features), DECISIONS)).round().astype(np.int64)
    buffers, rows = model.buffers(len(chosen)), np.arange(len(chosen))
    model.performance_stepper(rows, np.ascontiguousarray(features[chosen]), buffers.performance, model.scratch())
    mixture = Mixture.of(torch.from_numpy(buffers.performance), model.performance_stepper.components)
    scores = scaler.scores.copy()
    for v in variables:
        ranks = 1.0 / (1.0 + np.exp(-DEVIATION * scores[v]))
        scores[v] = np.interp(ranks, _distribution(mixture, v - slices), GRID)
    return replace(model, scaler=with_tables(scaler, scaler.knots, scores))


def _distribution(mixture: Mixture, variable: int) -> npt.NDArray[np.float64]:
    """Probability of values up to those of the grid, averaged over decisions and members."""
    weights = mixture.log_weights.exp()  # (n, M, K)
    locations, scales = mixture.locations[..., variable], mixture.scales[..., variable]
    found = [float((weights * torch.sigmoid((float(z) - locations) / scales)).sum(dim=-1).mean()) for z in GRID]
    return np.array(found)
