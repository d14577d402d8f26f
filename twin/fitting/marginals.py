"""What is modelled by ranks: no more is predicted than holds for other runs, and the marginal distribution is kept."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from twin.models.mixture import Mixture, mean_of_mixtures
from twin.models.operations import Floats
from twin.runtime.encoding import Encoded, ranked_variables, target_bounds, with_tables
from twin.runtime.model import TwinModel
from twin.runtime.ranks import DEVIATION

DECISIONS = 2_048
"""Decisions that predictions are averaged over, or evaluated on, at most."""

SHARES = np.linspace(0.0, 1.0, 11)
"""Of what networks say of a variable beyond its distribution in the history."""

SHARPNESS = np.array([6.0, 4.0, 3.0, 2.5, 2.0, 1.5, 1.25, 1.0])
"""What the logarithms of the weights of components may be multiplied by."""

WIDTH = -math.log(DEVIATION)
"""Log scale of a logistic distribution with a standard deviation of 1, which the history has."""

GRID = np.linspace(-12.0, 12.0, 481)
"""Scores at which their distribution is computed."""


def sharpened(model: TwinModel, held_out: Encoded) -> TwinModel:
    """The model that chooses components as surely as decisions that were held out bear out.

    What never changes within a run, as a profile of traffic, is lost in a free run as soon as a component is drawn that
    is wrong but has some weight; a prediction for one interval hardly loses by it. The weights are calibrated by a
    temperature (Guo et al. 2017, "On calibration of modern neural networks"): the lowest that explains held-out
    decisions as well as the best, within one standard error.
    """
    if len(ranked_variables(model.scaler)) == 0 or model.structure != "joint":
        return model
    chosen, raw = _outputs(model, held_out.features)
    outputs, first = torch.from_numpy(raw).double(), model.scenario.num_slices
    edges = [torch.from_numpy(edge[chosen, None, first:]) for edge in target_bounds(model.scaler, held_out.measured)]
    components, parameters = model.performance.components, dict(model.performance_parameters)
    likelihoods = []
    for factor in SHARPNESS:
        sharp = torch.cat([factor * outputs[..., :components], outputs[..., components:]], dim=-1)
        each = Mixture.of(sharp, components).log_likelihood(*edges)
        likelihoods.append(mean_of_mixtures(each, dim=1).numpy())
    factor = SHARPNESS[_simplest(np.array(likelihoods))]
    for name in ("output", "output_bias"):
        parameters[name] = parameters[name].copy()
        parameters[name][..., :components] *= np.float32(factor)
    return replace(model, performance_parameters=parameters)


def shrunk(model: TwinModel, held_out: Encoded) -> TwinModel:
    """The model whose networks say no more of what is modelled by ranks than decisions that were held out bear out.

    Outputs are linear in the last layer's weights, and the history's own distribution is one of them: predictions move
    towards it, variable by variable, as far as they explain held-out decisions as well as at their best, within one
    standard error (Breiman et al. 1984, "Classification and regression trees", 3.4.3).
    """
    variables, first = ranked_variables(model.scaler), model.scenario.num_slices
    if len(variables) == 0 or model.structure != "joint":
        return model
    chosen, raw = _outputs(model, held_out.features)
    below, above = (edge[chosen, None] for edge in target_bounds(model.scaler, held_out.measured))
    components, parameters = model.performance.components, dict(model.performance_parameters)
    number = below.shape[2] - first
    for v in variables:
        places = components + np.arange(2 * components) * number + v - first  # locations, then log scales
        likelihoods = []
        for share in SHARES:
            outputs = torch.from_numpy(np.concatenate([raw[..., :components], _moved(raw[..., places], share)], axis=2))
            edges = (torch.from_numpy(edge[..., v : v + 1]) for edge in (below, above))
            each = Mixture.of(outputs.double(), components).marginal_log_likelihood(*edges)
            likelihoods.append(mean_of_mixtures(each, dim=1)[:, 0].numpy())
        share = SHARES[_simplest(np.array(likelihoods))]
        for name in ("output", "output_bias"):
            parameters[name] = parameters[name].copy()
            moved = _moved(parameters[name][..., places], share, bias=name == "output_bias")
            parameters[name][..., places] = moved
    return replace(model, performance_parameters=parameters)


def _outputs(model: TwinModel, features: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """Some rows of the features (n, F), evenly spread, and what the members predict for them (k, M, P)."""
    chosen = np.linspace(0, len(features) - 1, min(len(features), DECISIONS)).round().astype(np.int64)
    buffers, rows = model.buffers(len(chosen)), np.arange(len(chosen))
    model.performance_stepper(rows, np.ascontiguousarray(features[chosen]), buffers.performance, model.scratch())
    return chosen, buffers.performance


def _moved(outputs: Floats, share: float, bias: bool = True) -> Floats:
    """Locations and log scales (..., 2 K) moved towards those of the history's distribution."""
    half = outputs.shape[-1] // 2
    target = np.repeat([0.0, WIDTH if bias else 0.0], half)
    return (share * outputs + (1.0 - share) * target).astype(np.float32)


def _simplest(likelihoods: npt.NDArray[np.float64]) -> int:
    """The first of some candidates (C, n) that is as good as the best, within one standard error of the difference."""
    behind = likelihoods[likelihoods.mean(axis=1).argmax()] - likelihoods
    error = behind.std(axis=1) / math.sqrt(behind.shape[1])
    return int((behind.mean(axis=1) <= error).argmax())


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
    mixture = Mixture.of(torch.from_numpy(_outputs(model, features)[1]), model.performance_stepper.components)
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
