"""What the fidelity of a twin is measured by: one number each, of all held-out decisions or of a resample of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.reporting.statistics import Estimate, block_bootstrap, estimate
from twin.fidelity.evaluator import OneStepEvaluation, Scores
from twin.fidelity.rollout import Rollout
from twin.fidelity.scores import r_squared

Rows = npt.NDArray[np.int64]

PREDICTORS = ("twin", "tree", "persistence", "climatology", "noise_floor")
"""The columns of a fidelity table."""

CONSTANT = 1e-8
"""Variance, on the modelled scale, below which a variable does not vary: there is no skill in predicting it."""

AHEAD = (5, 20, 50)
"""Intervals ahead at which errors are tabled."""

MARGINAL_INTERVALS = 20
"""Intervals at the end of a free run over which distributions are compared."""


@dataclass(frozen=True)
class Measure:
    """One figure of a table.

    Args:
        metric, variable, predictor: which.
        compute: the figure, from numbers of decisions (a bootstrap gives others than all).
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


def number(metric: str, variable: str, predictor: str, value: float) -> Measure:
    """A figure that is not one of decisions."""
    return Measure(metric, variable, predictor, lambda _: value)


def one_step_measures(judged: OneStepEvaluation, num_slices: int) -> list[Measure]:
    """Of predictions one interval ahead."""
    found = []
    for place, scores in enumerate(judged.scores):
        found += _of_variable(scores)
        if place == num_slices - 1:
            found += _of_state(judged.scores[:num_slices])
    if judged.utility is not None:
        found += [_explained("utility", who, said, judged.utility) for who, said in judged.expected_utility.items()]
    return found


def _of_variable(scores: Scores) -> list[Measure]:
    """Likelihood, CRPS, coverage and skill of one variable."""
    name, rows = scores.variable, len(scores.error["twin"])

    def mean_of(values: npt.NDArray[np.float64]) -> Callable[[Rows], float]:
        return lambda chosen: float(values[chosen].mean())

    found = []
    if name.startswith("arrivals"):
        found += [Measure("NLL [nat]", name, who, mean_of(values), rows) for who, values in scores.nll.items()]
    found += [Measure("CRPS", name, who, mean_of(values), rows) for who, values in scores.crps.items()]
    found += [Measure("inside 90 %", name, who, mean_of(values), rows) for who, values in scores.inside.items()]
    found += [
        Measure("skill", name, who, _skill(scores, who), rows)
        for who in scores.error
        if who not in ("persistence", "climatology")
    ]
    if "tree" in scores.error:
        mine, tree = _skill(scores, "twin"), _skill(scores, "tree")
        found.append(Measure("skill less the tree's", name, "twin", lambda chosen: mine(chosen) - tree(chosen), rows))
    return found


def _skill(scores: Scores, who: str) -> Callable[[Rows], float]:
    """1 - squared error / that of the better of climatology and persistence."""
    error = scores.error

    def compute(chosen: Rows) -> float:
        bar = min(error["climatology"][chosen].mean(), error["persistence"][chosen].mean())
        return float(1.0 - error[who][chosen].mean() / bar) if bar > CONSTANT else float("nan")

    return compute


def _of_state(arrivals: Sequence[Scores]) -> list[Measure]:
    """CRPS of all slices' arrivals in one number: each over the floor's, or else climatology's, then the mean."""
    bar = "noise_floor" if "noise_floor" in arrivals[0].crps else "climatology"
    rows = len(arrivals[0].error["twin"])

    def compare(who: str) -> Callable[[Rows], float]:
        return lambda chosen: float(
            np.mean([s.crps[who][chosen].mean() / s.crps[bar][chosen].mean() for s in arrivals])
        )

    return [Measure(f"CRPS / {bar.replace('_', ' ')}'s", "state", who, compare(who), rows) for who in arrivals[0].crps]


def _explained(name: str, who: str, predicted: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]) -> Measure:
    return Measure("R²", name, who, lambda chosen: r_squared(predicted[chosen], truth[chosen]), len(truth))


def performance_measures(judged: OneStepEvaluation, truth: npt.NDArray[np.float64]) -> list[Measure]:
    """R² of what the reward is made of, on the scale that it is modelled on; `truth` (n, V) on that scale."""
    found: list[Measure] = []
    for v, scores in enumerate(judged.scores):
        if not scores.variable.startswith(("ssr", "spectral_efficiency")):
            continue
        found += [
            Measure("R²", scores.variable, who, _share_explained(error, truth[:, v]), len(error))
            for who, error in scores.error.items()
        ]
    return found


def _share_explained(error: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]) -> Callable[[Rows], float]:
    """R² from squared errors."""

    def compute(chosen: Rows) -> float:
        variance = truth[chosen].var()
        return float(1.0 - error[chosen].mean() / variance) if variance > CONSTANT else float("nan")

    return compute


def ahead_measures(rollout: Rollout, names: Sequence[str], num_slices: int) -> list[Measure]:
    """CRPS of the arrivals some intervals ahead."""
    found, horizon = [], len(rollout.truth)
    for v in range(num_slices):
        for who, values in rollout.crps(v).items():
            found += [
                number(f"CRPS {step} ahead", names[v], who, float(values[step - 1]))
                for step in AHEAD
                if step <= horizon
            ]
    return found


def marginal_measures(rollout: Rollout, names: Sequence[str]) -> list[Measure]:
    """How far distributions are from what really happened, at the end of a long time alone."""
    horizon = len(rollout.truth)
    return [
        number(f"distance after {horizon}", name, who, distance)
        for v, name in enumerate(names)
        for who, distance in rollout.marginal_distance(v, min(MARGINAL_INTERVALS, horizon)).items()
    ]


def over_cells(cells: Sequence[Sequence[Measure]]) -> dict[tuple[str, str, str], Estimate]:
    """Mean over cells of every figure, with Student's interval."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for measures in cells:
        for measure in measures:
            values.setdefault(measure.key, []).append(measure.value)
    return {key: estimate(found) for key, found in values.items()}


def over_blocks(measures: Sequence[Measure], run: npt.NDArray[np.int64]) -> dict[tuple[str, str, str], Estimate]:
    """Every figure of a single network, with an interval from resampling blocks of decisions."""
    found = {}
    for measure in measures:
        if measure.rows:
            found[measure.key] = block_bootstrap(measure.compute, run)
        else:
            found[measure.key] = Estimate(measure.value, float("nan"))
    return found
