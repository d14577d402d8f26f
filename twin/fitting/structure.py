"""Which structure the performance of a twin takes, and why (PyTorch)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from twin.data.history import History
from twin.fitting.comparison import PARTS, Comparison, compare
from twin.fitting.networks import Folds, Networks
from twin.fitting.prior import mean_remoteness
from twin.fitting.windows import hold_out
from twin.models.performance import EnsembleNetwork
from twin.models.settings import NEURAL_DECISIONS, PerformanceSettings
from twin.runtime import arrays
from twin.runtime.model import TwinModel
from twin.runtime.monotonicity import mostly_worse, served_worse

REMOTE = 0.8
"""Mean remoteness of the allocations from which on a history tells of few of them.

A history of 64 random decisions has 0.7, one of 1000 decisions of a planner 0.95.
"""

MUCH = 1.0
"""By how much networks must be better then [nat a held-out decision]: what slices bring carries over."""

FEW_HELD_OUT = 100
"""Held-out decisions below which networks have to be better in a cross-validation, too."""

CENTRAL = 0.95
"""Share of the decisions within whose units more of them must not serve a slice worse; further out hardly any were."""

FitEnsemble = Callable[[tuple[History, History]], EnsembleNetwork]
"""Fits networks to the decisions to learn from, and stops by the others."""

MakeModel = Callable[[str], TwinModel]
"""The twin's model with a structure."""

FEW = f"there are fewer than {NEURAL_DECISIONS} decisions"


def structure_of(
    networks: Networks,
    performance: PerformanceSettings,
    scaler: arrays.Scaler,
    folds: Folds,
    history: History,
    share: float,
    seed: int,
    fit_ensemble: FitEnsemble,
    make_model: MakeModel,
) -> tuple[str, list[str]]:
    """The structure that is taken, and why.

    Args:
        networks: fitted to the first fold.
        performance: the settings that were asked for.
        scaler: of the history.
        folds: decisions to learn from and to stop by.
        history: all decisions.
        share: of decisions that a fit is stopped by.
        seed: of the fit.
        fit_ensemble: fits the networks again, to other decisions.
        make_model: the models that would be taken, by structure.
    """
    if performance.structure == "per_slice":
        return "per_slice", []
    if networks.performance is None:
        return "per_slice", [f"performance: per_slice, as {FEW}"]
    parts = (
        compare(fit_ensemble(hold_out(rest, share, 0)), performance, scaler, rest, part, seed)
        for rest, part in _parts(history)
    )
    found = compare(networks.performance, performance, scaler, *folds[0], seed)
    remote = found.gain <= 0.0 and mean_remoteness(history.layout, history) >= REMOTE  # else it does not matter
    structure, why = choose(found, parts, remote)
    if structure == "joint" and not remote:  # else units would be moved to where neither has seen anything

        def worse(structure: str) -> dict[str, float]:
            return mostly_worse(make_model(structure), history, folds[0][1], CENTRAL)

        if contradicted := worse("joint"):
            structure, why = physical(contradicted, worse("per_slice"), why)
    return structure, [f"performance: {structure}, {why}"]


def choose(found: Comparison, parts: Iterable[Comparison], remote: bool) -> tuple[str, str]:
    """The structure that is taken, and why.

    Slice by slice is the simpler one: networks are taken where they explain held-out decisions better, and what they
    expect of the utility is not much worse.

    Args:
        found: on the decisions that the networks were stopped by.
        parts: of a cross-validation, which few such decisions need; not computed where they are not.
        remote: whether most allocations are far from those held.
    """
    structure, why = _taken(found, remote)
    if structure == "joint" and len(found.likelihood) < FEW_HELD_OUT:
        together = Comparison.together(list(parts))
        structure, why = _taken(together, remote, together.gain_error)
        why += f" ({PARTS}-fold cross-validation, as only {len(found.likelihood)} decisions were held out)"
    return structure, why


def physical(joint: Mapping[str, float], by_slice: Mapping[str, float], why: str) -> tuple[str, str]:
    """The structure that is taken where networks would be: they must not contradict physics where regressions do not.

    The random functions that members are held to (`prior_scale`) draw their mean to the history's where allocations are
    rare, as they are where each is held for long. Decisions held out lie near those learned from, and hardly tell.

    Args:
        joint: slices that networks have served worse with more units in most states, and in which share of them.
        by_slice: those of regressions.
        why: networks would be taken.
    """
    if by_slice:
        return "joint", f"{why}; both expect slices to be served worse with more units"
    return "per_slice", f"as joint contradicts physics: {served_worse(joint)} (it is {why})"


def _taken(found: Comparison, remote: bool, clear: float = 0.0) -> tuple[str, str]:
    """The structure, and why; networks have to be better by more than `clear`, and by much on a remote history."""
    gain = found.gain
    if gain > 0.0:
        return "per_slice", f"better than joint by {gain:.3f} nat a held-out decision"
    better = f"joint is better by {-gain:.3f} nat a held-out decision"
    if found.networks_lose:
        return "per_slice", f"as joint explains {found.loss:.0%} less of the variance of the utility ({better})"
    if remote and -gain < MUCH:
        return "per_slice", f"as most allocations are far from those held ({better})"
    if -gain < clear:
        return "per_slice", f"as joint is not clearly better: by {-gain:.3f} ± {clear:.3f} nat a held-out decision"
    return "joint", f"better than per_slice by {-gain:.3f} nat a held-out decision"


def _parts(history: History) -> Iterator[tuple[History, History]]:
    """The history without each of its parts, and the part; parts are consecutive decisions."""
    part = np.arange(len(history)) * PARTS // len(history)
    for number in range(PARTS):
        yield history.take(part != number), history.take(part == number)
