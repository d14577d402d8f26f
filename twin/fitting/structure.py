"""Which structure the performance of a twin takes, and why (PyTorch)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from twin.data.history import History
from twin.fitting.comparison import PARTS, Comparison, compare
from twin.fitting.loop import Fitted
from twin.fitting.networks import Folds, Networks
from twin.fitting.prior import mean_remoteness
from twin.fitting.windows import hold_out
from twin.models.performance import EnsembleNetwork
from twin.models.settings import NEURAL_DECISIONS, PerformanceSettings
from twin.runtime import arrays
from twin.runtime.model import TwinModel
from twin.runtime.monotonicity import MOSTLY, mostly_worse, served_worse

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


@dataclass(frozen=True, eq=False)
class Candidate:
    """A performance that a twin may take; equal to itself alone, so that a model of it can be kept.

    Args:
        structure: "joint" or "per_slice".
        settings: that are in force.
        network: None where regressions are solved.
        about: how it was fitted; likewise.
    """

    structure: str
    settings: PerformanceSettings
    network: EnsembleNetwork | None = None
    about: Fitted | None = None


FitEnsemble = Callable[[PerformanceSettings, tuple[History, History]], tuple[EnsembleNetwork, Fitted]]
"""Fits networks with settings to the decisions to learn from, and stops by the others; says how, too."""

MakeModel = Callable[[Candidate], TwinModel]
"""The twin's model with a performance."""

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
) -> tuple[Candidate, list[str]]:
    """The performance that is taken, and why.

    Args:
        networks: fitted to the first fold.
        performance: the settings that were asked for.
        scaler: of the history.
        folds: decisions to learn from and to stop by.
        history: all decisions.
        share: of decisions that a fit is stopped by.
        seed: of the fit.
        fit_ensemble: fits networks again, to other decisions or without random functions.
        make_model: the models that would be taken.
    """
    by_slice = Candidate("per_slice", performance)
    if performance.structure == "per_slice":
        return by_slice, []
    if networks.performance is None:
        return by_slice, [f"performance: per_slice, as {FEW}"]
    parts = (
        compare(fit_ensemble(performance, hold_out(rest, share, 0))[0], performance, scaler, rest, part, seed)
        for rest, part in _parts(history)
    )
    found = compare(networks.performance, performance, scaler, *folds[0], seed)
    remote = found.gain <= 0.0 and mean_remoteness(history.layout, history) >= REMOTE  # else it does not matter
    structure, why = choose(found, parts, remote)
    if structure == "per_slice":
        return by_slice, [f"performance: per_slice, {why}"]
    joint = Candidate("joint", performance, networks.performance, networks.about_performance)

    def worse(each: Candidate) -> dict[str, float]:
        return mostly_worse(make_model(each), history, folds[0][1], CENTRAL)

    def others() -> Iterator[tuple[Candidate, dict[str, float] | str]]:
        if not remote:  # else its units would be moved to where it has seen nothing
            yield by_slice, worse(by_slice)
        if performance.prior_scale > 0.0:
            settings = replace(performance, prior_scale=0.0)
            network, about = fit_ensemble(settings, folds[0])
            plain = Candidate("joint", settings, network, about)
            better, because = _taken(compare(network, settings, scaler, *folds[0], seed), remote)
            yield plain, worse(plain) if better == "joint" else because

    taken = joint
    if contradicted := worse(joint):
        taken, why = physical(joint, contradicted, others(), why)
    return taken, [f"performance: {_named(taken, joint)}, {why}"]


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


def physical(
    joint: Candidate,
    contradicted: Mapping[str, float],
    others: Iterable[tuple[Candidate, Mapping[str, float] | str]],
    why: str,
) -> tuple[Candidate, str]:
    """The performance that is taken where networks would be, and they contradict physics.

    The random functions that members are held to (`prior_scale`) draw their mean to the history's where allocations are
    rare, as they are where each is held for long. Decisions held out lie near those learned from, and hardly tell. So
    the first other that does not contradict physics is taken; if all do, the one that does least. That has to be
    clear: by `MOSTLY`, which a slice less always is.

    Args:
        joint: the networks.
        contradicted: slices that they have served worse with more units in most states, and in which share of them.
        others: what may be taken in their place, and the same of it, or why `per_slice` is taken rather than these;
            asked one by one, as each may take a fit.
        why: networks would be taken.
    """
    tried, left = [], ""
    for other, falls in others:
        if isinstance(falls, str):
            left += f"; {_named(other, joint)} was tried, too, and loses to per_slice, {falls}"
            continue
        tried.append((sum(falls.values()), other))
        if not falls:
            break
    least, other = min(tried, key=lambda each: each[0], default=(np.inf, joint))
    if least <= sum(contradicted.values()) - MOSTLY:
        more = " more often: " if least else ": "
        physics = f"contradicts physics{more}{served_worse(contradicted)}"
        return other, f"as {_named(joint, other)} {physics} (it is {why}){left}"
    named = "".join(f", and so does {_named(each, joint)}" for _, each in tried)
    return joint, f"{why}; it contradicts physics{named}{left}"


def _named(one: Candidate, other: Candidate) -> str:
    """Its structure, and what of its settings the other's do not have."""
    scales = one.settings.prior_scale, other.settings.prior_scale
    return one.structure if scales[0] == scales[1] else f"{one.structure} with prior_scale={scales[0]:g}"


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
