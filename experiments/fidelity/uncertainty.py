"""What a twin's uncertainty is worth where its history is silent: on allocations that it never held."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from experiments.fidelity.measures import FloatArray, Measure, constant
from experiments.fidelity.settings import Settings
from slicing_gym.progress import ProgressBar
from slicing_gym.reward import utility
from twin import DigitalTwin, History
from twin.fidelity.evaluator import Evaluator
from twin.fidelity.scores import rank_correlation
from twin.fidelity.simulated import HeldOut
from twin.fidelity.uncertainty import attainable_correlation, predict_choices, predict_utility
from twin.models.settings import NEURAL_DECISIONS
from twin.runtime.encoding import encode
from twin.runtime.model import TwinModel

LISTED = 12
"""Allocations of a history up to which each is left out in turn, if nothing else is asked for."""

FEWEST_COPIES = 4
"""Copies of a cell at least, at each moment, whose mean utility is the noise-free one."""

SAMPLES_FROM_SEED = 3_000_000_000
"""Seed of the first such copy; far from those of cells and of the noise floor."""

BINS = 5
"""Bins of equal size, by predicted standard deviation."""


@dataclass(frozen=True)
class Uncertainty:
    """Predictions of the utility of allocations that a history never held.

    Args:
        std: epistemic standard deviation (n,) of an allocation's mean utility over the moments of a cell, or over the
            intervals of a history in which it was held.
        error: expected less true mean utility (n,).
        inside: shares of utilities inside the central 90 % (m,).
        never_held, held: epistemic standard deviations of single decisions.
        ended: shares of the decisions on held and on never held allocations at which `truncate` ends an episode.
        names: of the allocations left out, or none.
    """

    std: FloatArray
    error: FloatArray
    inside: FloatArray
    never_held: FloatArray
    held: FloatArray
    ended: tuple[float, float]
    names: tuple[str, ...] = ()

    def bins(self) -> list[tuple[float, float]]:
        """Root mean squares of predicted std and of error, in bins of equal size by std."""
        order = np.argsort(self.std)
        parts = np.array_split(order, min(BINS, len(order)))
        return [(_rms(self.std[part]), _rms(self.error[part])) for part in parts]


def _rms(values: FloatArray) -> float:
    return float(np.sqrt((values**2).mean()))


def uncertainty_on_cell(
    twin: DigitalTwin, history: History, held_out: HeldOut, chosen: npt.NDArray[np.int64], copies: int
) -> Uncertainty | None:
    """Of allocations (n, n_slices) held for one interval from moments of the held-out runs on.

    What is true at a moment is the mean over copies of the cell with resampled noise; each copy is a measurement, too.
    Queues and the phase of the load are hidden from the twin and shift the utility of a moment, whatever the
    allocation: that is no error, so errors are those of the mean over all moments.
    """
    model = twin.model
    if not model.has_reward:
        return None
    evaluator, generator = Evaluator(model, history, held_out.history), np.random.default_rng(twin.seed)
    seeds = range(SAMPLES_FROM_SEED, SAMPLES_FROM_SEED + max(FEWEST_COPIES, copies // 2))
    std, members, true, inside = [], [], [], []
    for row, moment in held_out.moments:
        predicted = predict_choices(evaluator, row, chosen, generator)
        others = moment.fork(0, seeds)
        measured = np.stack([others.what_if(chosen, cell=copy)[0].utility for copy in range(len(seeds))])
        std.append(predicted.std)
        members.append(predicted.members)
        true.append(measured.mean(axis=0))
        inside.append(predicted.inside(measured).mean(axis=0))
    held, never = model.disagreement(twin.predict(history).expected), np.concatenate(std)
    ended = tuple(float((each > model.spread_quantile_99).mean()) for each in (held, never))
    expected: FloatArray = np.mean(members, axis=0)  # (n, members)
    return Uncertainty(
        std=expected.std(axis=1),
        error=expected.mean(axis=1) - np.mean(true, axis=0),
        inside=np.concatenate(inside),
        never_held=never,
        held=held,
        ended=(ended[0], ended[1]),
    )


def uncertainty_on_history(
    twin: DigitalTwin, history: History, settings: Settings, whole: TwinModel
) -> Uncertainty | None:
    """Leave allocations out in turn, fit a twin with these settings to the rest, and predict what was left out.

    Each has the performance that was taken for the whole history, as far as its decisions are enough for that.
    """
    chosen = left_out_in_turn(history, settings)
    if not len(chosen):
        return None
    progress, left_out = settings.progress or settings.delay, ProgressBar(chosen, "left out", delay=settings.delay)
    return _together([_leave_out(twin, history, units, whole, progress) for units in left_out])


def left_out_in_turn(history: History, settings: Settings) -> npt.NDArray[np.int64]:
    """The allocations (k, S) of a history that are left out in turn, each of which costs a fit."""
    seen, counts = np.unique(history.allocation, axis=0, return_counts=True)
    number = settings.left_out if settings.left_out is not None else (len(seen) if len(seen) <= LISTED else 0)
    columns = {column.name for column in history.columns}
    if len(seen) < 2 or not {"ssr", "spectral_efficiency"} <= columns:
        number = 0
    return seen[np.argsort(-counts, kind="stable")[:number]]


def _leave_out(
    twin: DigitalTwin, history: History, units: npt.NDArray[np.int64], whole: TwinModel, progress: float
) -> Uncertainty:
    """One allocation left out."""
    own = (history.allocation == units).all(axis=1)
    rest, other = history.take(~own), deepcopy(twin)
    structure = whole.structure if len(rest) >= NEURAL_DECISIONS else "per_slice"
    other.performance = replace(whole.performance, structure=structure)
    model = other.fit(rest, progress=progress).model
    encoded = encode(model.layout, model.scaler, history)
    predicted = predict_utility(model, encoded.features, encoded.sequences, np.random.default_rng(twin.seed))
    measured = utility(history.scenario, history.spectral_efficiency, history.ssr)
    never, held = predicted.std[own], predicted.std[~own]
    return Uncertainty(
        std=np.array([predicted.members[own].mean(axis=0).std()]),
        error=np.array([predicted.mean[own].mean() - measured[own].mean()]),
        inside=predicted.inside(measured)[own],
        never_held=never,
        held=held,
        ended=(float((held > model.spread_quantile_99).mean()), float((never > model.spread_quantile_99).mean())),
        names=("-".join(map(str, units)),),
    )


def _together(parts: list[Uncertainty]) -> Uncertainty:
    """Of several allocations left out."""
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("std", "error", "inside", "never_held", "held")
    }
    held, never = np.mean([part.ended for part in parts], axis=0)
    return Uncertainty(**arrays, ended=(float(held), float(never)), names=sum((part.names for part in parts), ()))


def uncertainty_measures(found: Uncertainty) -> list[Measure]:
    """The figures: coverage, correlation compared with what is attainable, held against never held, errors in bins."""
    figures = [
        ("inside 90 %", "utility", float(found.inside.mean())),
        ("corr. std, |error|", "utility", rank_correlation(found.std, np.abs(found.error))),
        ("corr. std, |error|", "attainable", attainable_correlation(found.std)),
        ("median std", "allocations held", float(np.median(found.held))),
        ("median std", "never held", float(np.median(found.never_held))),
        ("truncated", "allocations held", found.ended[0]),
        ("truncated", "never held", found.ended[1]),
    ]
    if found.names:
        each = zip(found.names, found.error, found.std, strict=True)
        figures += [("error / std", name, float(error / std)) for name, error, std in each]
    for number, (std, error) in enumerate(found.bins(), start=1):
        figures += [("predicted std", f"bin {number}", std), ("RMS error", f"bin {number}", error)]
    return [constant(f"never held: {metric}", variable, "twin", value) for metric, variable, value in figures]
