"""What the fidelity of a twin is measured by: one number each, of all held-out decisions or of a resample of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.reporting.statistics import Estimate, block_bootstrap, estimate
from twin.fidelity.evaluator import OneStepEvaluation, Scores
from twin.fidelity.rollout import Rollout
from twin.fidelity.scores import r_squared
from twin.runtime.monotonicity import PLACES, Monotonicity

Rows = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Figures = Mapping[tuple[str, str, str], Estimate]
"""Every figure by metric, variable and predictor."""

NOISE_FLOOR = "noise_floor"
"""The predictor that is the cell itself with resampled noise."""

PREDICTORS = ("twin", "tree", "persistence", "climatology", NOISE_FLOOR)
"""The columns of a fidelity table."""

LEAST_VARIANCE = 1e-8
"""Variance, on the modelled scale, below which a variable does not vary: there is no skill in predicting it."""

AHEAD = (5, 20, 50)
"""Intervals ahead at which errors are tabled."""

MORE_UNITS = "SSR falls with more units"
"""The metric of what no cell does, followed by where units were moved."""

BY = f"{MORE_UNITS}, by"
"""The metric of how much, likewise."""

MARGINAL_INTERVALS = 20
"""Intervals at the end of a free run over which distributions are compared."""


@dataclass(frozen=True)
class Measure:
    """One figure of a table.

    Args:
        metric, variable, predictor: which.
        compute: the figure, from rows of decisions (a bootstrap gives others than all).
        rows: decisions there are; 0 if the figure is not one of decisions.
    """

    metric: str
    variable: str
    predictor: str
    compute: Callable[[Rows], float]
    rows: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from the others."""
        return self.metric, self.variable, self.predictor

    @property
    def value(self) -> float:
        """Of all decisions."""
        return self.compute(np.arange(self.rows))


def constant(metric: str, variable: str, predictor: str, value: float) -> Measure:
    """A figure that is not one of decisions."""
    return Measure(metric, variable, predictor, lambda _: value)


def one_step_measures(evaluation: OneStepEvaluation, num_slices: int) -> list[Measure]:
    """Of predictions one interval ahead."""
    found = []
    for index, scores in enumerate(evaluation.scores):
        found += _of_variable(scores)
        if index == num_slices - 1:
            found += _of_state(evaluation.scores[:num_slices])
    if evaluation.utility is not None:
        found += [
            _explained("utility", predictor, expected, evaluation.utility)
            for predictor, expected in evaluation.expected_utility.items()
        ]
    return found


def _of_variable(scores: Scores) -> list[Measure]:
    """Likelihood, CRPS, coverage and skill of one variable."""
    name, rows = scores.variable, len(scores.error["twin"])

    def means(metric: str, by_predictor: Mapping[str, FloatArray]) -> list[Measure]:
        return [Measure(metric, name, predictor, _mean_of(values), rows) for predictor, values in by_predictor.items()]

    found = means("NLL [nat]", scores.nll) if name.startswith("arrivals") else []
    found += means("CRPS", scores.crps) + means("inside 90 %", scores.inside)
    found += [
        Measure("skill", name, predictor, _skill(scores, predictor), rows)
        for predictor in scores.error
        if predictor not in ("persistence", "climatology")
    ]
    if "tree" in scores.error:
        twin, tree = _skill(scores, "twin"), _skill(scores, "tree")
        found.append(Measure("skill less the tree's", name, "twin", lambda chosen: twin(chosen) - tree(chosen), rows))
    return found


def _mean_of(values: FloatArray) -> Callable[[Rows], float]:
    return lambda chosen: float(values[chosen].mean())


def _skill(scores: Scores, predictor: str) -> Callable[[Rows], float]:
    """1 - squared error / that of the better of climatology and persistence."""
    error = scores.error

    def compute(chosen: Rows) -> float:
        reference = min(error["climatology"][chosen].mean(), error["persistence"][chosen].mean())
        return float(1.0 - error[predictor][chosen].mean() / reference) if reference > LEAST_VARIANCE else float("nan")

    return compute


def _of_state(arrivals: Sequence[Scores]) -> list[Measure]:
    """CRPS of all slices' arrivals in one number: each over the noise floor's, or else climatology's, then the mean."""
    reference = NOISE_FLOOR if NOISE_FLOOR in arrivals[0].crps else "climatology"
    metric = f"CRPS / {'noise floor' if reference == NOISE_FLOOR else reference}'s"
    rows = len(arrivals[0].error["twin"])

    def compare(predictor: str) -> Callable[[Rows], float]:
        def compute(chosen: Rows) -> float:
            pairs = [(s.crps[predictor][chosen].mean(), s.crps[reference][chosen].mean()) for s in arrivals]
            ratios = [own / other for own, other in pairs if other > 0.0]  # nothing ever arrives for the idle units
            return float(np.mean(ratios)) if ratios else float("nan")

        return compute

    return [Measure(metric, "state", predictor, compare(predictor), rows) for predictor in arrivals[0].crps]


def _explained(name: str, predictor: str, predicted: FloatArray, truth: FloatArray) -> Measure:
    return Measure("R²", name, predictor, lambda chosen: r_squared(predicted[chosen], truth[chosen]), len(truth))


def performance_measures(evaluation: OneStepEvaluation, truth: FloatArray) -> list[Measure]:
    """R² of what the reward is made of, on the scale that it is modelled on; `truth` (n, V) on that scale."""
    found: list[Measure] = []
    for v, scores in enumerate(evaluation.scores):
        if not scores.variable.startswith(("ssr", "spectral_efficiency")):
            continue
        found += [
            Measure("R²", scores.variable, predictor, _share_explained(error, truth[:, v]), len(error))
            for predictor, error in scores.error.items()
        ]
    return found


def _share_explained(error: FloatArray, truth: FloatArray) -> Callable[[Rows], float]:
    """R² from squared errors."""

    def compute(chosen: Rows) -> float:
        variance = truth[chosen].var()
        return float(1.0 - error[chosen].mean() / variance) if variance > LEAST_VARIANCE else float("nan")

    return compute


def ahead_measures(rollout: Rollout, names: Sequence[str], num_slices: int) -> list[Measure]:
    """CRPS of the arrivals some intervals ahead."""
    steps = [step for step in AHEAD if step <= len(rollout.truth)]
    return [
        constant(f"CRPS {step} ahead", names[v], predictor, float(values[step - 1]))
        for v in range(num_slices)
        for predictor, values in rollout.crps(v).items()
        for step in steps
    ]


def marginal_measures(rollout: Rollout, names: Sequence[str]) -> list[Measure]:
    """How far distributions are from what was measured, at the end of a long free run, and means from the history's."""
    horizon = len(rollout.truth)
    last = min(MARGINAL_INTERVALS, horizon)
    distances = [
        constant(f"distance after {horizon}", name, predictor, distance)
        for v, name in enumerate(names)
        for predictor, distance in rollout.marginal_distance(v, last).items()
    ]
    means = [
        constant(f"mean after {horizon} / fitted", name, predictor, mean)
        for v, name in enumerate(names)
        for predictor, mean in rollout.relative_mean(v, last).items()
    ]
    return distances + means


def monotonicity_measures(found: Monotonicity, names: Sequence[str], places: Sequence[str] = PLACES) -> list[Measure]:
    """In which share of the states more units bring a slice a lower SSR, by the places where they can be moved.

    Then by how much in the median of these states, where there are any: a mean over cells is one of those that have.
    """
    return [
        constant(f"{metric}: {place}", name, "twin", float(values[n, column]))
        for metric, values in ((MORE_UNITS, found.falls), (BY, found.drops))
        for column, place in enumerate(places)
        for n, name in enumerate(names)
        if not np.isnan(values[n, column])
    ]


def over_cells(cells: Sequence[Sequence[Measure]]) -> Figures:
    """Mean over cells of every figure, with Student's interval."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for measures in cells:
        for measure in measures:
            values.setdefault(measure.key, []).append(measure.value)
    return {key: estimate(found) for key, found in values.items()}


def over_blocks(measures: Sequence[Measure], run: npt.NDArray[np.int64]) -> Figures:
    """Every figure of a single history, with an interval from resampling blocks of decisions."""
    return {
        measure.key: block_bootstrap(measure.compute, run) if measure.rows else Estimate(measure.value, float("nan"))
        for measure in measures
    }
