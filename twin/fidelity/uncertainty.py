"""What a twin's uncertainty is worth: utilities of allocations that its history never held, predicted and true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slicing_gym.reward import utility
from twin.fidelity.evaluator import Evaluator
from twin.fidelity.scores import FloatArray, rank_correlation
from twin.models.operations import Floats
from twin.runtime.encoding import choice_features
from twin.runtime.model import TwinModel

DRAWS = 200
"""Draws from a twin that stand for the distribution of a utility."""

CENTRAL = 0.05, 0.95
"""Quantiles between which the central 90 % lie."""

TRIALS = 200
"""Sets of Gaussian errors of which the mean correlation with their standard deviations is taken."""


@dataclass(frozen=True)
class PredictedUtility:
    """The utility of n decisions as a twin predicts it.

    Args:
        members: what each member of the ensemble expects (n, M).
        std: epistemic standard deviation (n,).
        low, high: ends of the central 90 % of draws (n,).
    """

    members: FloatArray
    std: FloatArray
    low: FloatArray
    high: FloatArray

    @property
    def mean(self) -> FloatArray:
        """Expected utility (n,)."""
        expected: FloatArray = self.members.mean(axis=1)
        return expected

    def inside(self, measured: FloatArray) -> FloatArray:
        """1 where utilities (..., n) lie in the central 90 %, else 0."""
        return ((measured >= self.low) & (measured <= self.high)).astype(np.float64)


def predict_utility(
    model: TwinModel, features: Floats, sequences: Sequence[slice], generator: np.random.Generator
) -> PredictedUtility:
    """Predictions for decisions with features (n, F), in blocks of rows without a gap."""
    prediction = model.predict_features(features, sequences)
    drawn = np.zeros((DRAWS, len(features)))
    for each in drawn:
        parts = model.split(model.draw(prediction, generator))
        each[:] = utility(model.scenario, parts["spectral_efficiency"], parts["ssr"])
    low, high = np.quantile(drawn, CENTRAL, axis=0)
    return PredictedUtility(
        model.expected_utility(prediction.expected), model.disagreement(prediction.expected), low, high
    )


def predict_choices(
    evaluator: Evaluator, row: int, units: npt.NDArray[np.int64], generator: np.random.Generator
) -> PredictedUtility:
    """Predictions for allocations (n, S), each decided on after row `row` of the evaluator's held-out runs."""
    model, rows = evaluator.model, np.full(len(units), row)
    held = evaluator.held_out.allocation[rows]
    features = choice_features(model.layout, model.scaler, evaluator.encoded, held, rows, units)
    return predict_utility(model, features, [slice(i, i + 1) for i in range(len(units))], generator)


def attainable_correlation(std: npt.ArrayLike, seed: int = 0) -> float:
    """Rank correlation of |error| and std (n,) that Gaussian errors of these standard deviations have, on average."""
    given = np.asarray(std, np.float64)
    generator = np.random.default_rng(seed)
    return float(
        np.mean([rank_correlation(given, np.abs(generator.normal(size=len(given)) * given)) for _ in range(TRIALS)])
    )
