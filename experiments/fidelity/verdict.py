"""What a twin may be used for, in words: go, go with care or no-go for each use, with the figures that say so."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments.fidelity.measures import Figures
from experiments.reporting.statistics import Estimate
from slicing_gym import Scenario
from twin.data.layout import IDLE

GO, CARE, NO_GO = ANSWERS = ("go", "go with care", "no-go")
"""The answers, the best first."""

MOST_EXPLAINED = 0.5
"""R² whose interval has to lie above this for "go": more of the variance is explained than is left."""

HONEST = 0.8
"""Share of values inside the central 90 % from which on the spread counts as honest: at most twice the misses."""

DRIFT = 0.25
"""By how many standard deviations a free run may be further off than the history's distribution is, for "go"."""

LOST = 1.0
"""The same from which on it is a "no-go": the twin has left what the cell does."""

NEW = 0.5
"""Share of held-out decisions whose allocation was not fitted to, from which on they tell of any allocation."""

ENOUGH = 200
"""Held-out decisions for "go": 8 blocks of the bootstrap. Of fewer its interval is too narrow by far."""


@dataclass(frozen=True)
class Verdict:
    """What a twin is good for in one use.

    Args:
        use: "what-if on the utility", "training an agent", or "the SSR of" a slice.
        answer: "go", "go with care" or "no-go".
        reasons: the figures that decided, the most important first.
    """

    use: str
    answer: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.answer}: {'; '.join(self.reasons)}"


@dataclass(frozen=True)
class Evidence:
    """What verdicts are made of.

    Args:
        figures: of the evaluation.
        scenario: of the twin.
        held_out: decisions that the twin was evaluated on.
        new: share of them whose allocation was not fitted to.
        restricted: whether environments offer only the allocations that the log held.
    """

    figures: Figures
    scenario: Scenario
    held_out: int
    new: float
    restricted: bool = False

    def of(self, metric: str, variable: str, predictor: str = "twin") -> Estimate | None:
        """A figure that there is and that is a number."""
        found = self.figures.get((metric, variable, predictor))
        return None if found is None or math.isnan(found.mean) else found

    @property
    def slices(self) -> tuple[str, ...]:
        """The slices that somebody uses."""
        return tuple(name for name in self.scenario.slice_names if name != IDLE)


Said = tuple[str, str]
"""An answer, and the reason for it."""


def verdicts(evidence: Evidence) -> tuple[Verdict, ...]:
    """One for each use: what-if on the utility, training an agent, and the SSR of each slice.

    A use has the worst answer of all that is asked about it. docs/logs.md gives the thresholds and their reasons.
    """
    utility = list(_utility(evidence))
    training = [*utility[:1], *_training(evidence)]
    found = [_verdict("what-if on the utility", utility), _verdict("training an agent", training)]
    return (*found, *(_verdict(f"the SSR of {name}", list(_ssr(evidence, name))) for name in evidence.slices))


def as_lines(found: Sequence[Verdict]) -> list[str]:
    """The verdicts as text: a line a use, and under it the reasons; what was said of a use before is not repeated."""
    width, said, lines = max(len(each.use) for each in found), set(), ["verdict"]
    for each in found:
        reasons = [reason for reason in each.reasons if reason not in said] or ["as above"]
        said.update(each.reasons)
        lines.append(f"  {each.use.ljust(width)}  {each.answer.ljust(len(CARE))}  {'; '.join(reasons)}")
    return lines


def _verdict(use: str, said: Sequence[Said]) -> Verdict:
    """The worst answer, with its reasons; of "go" the first reason."""
    worst = max((answer for answer, _ in said), key=ANSWERS.index)
    return Verdict(use, worst, tuple(reason for answer, reason in said if answer == worst))


def _utility(evidence: Evidence) -> Iterator[Said]:
    """How well the expected utility is predicted, and of which allocations that tells."""
    found = evidence.of("R²", "utility")
    if found is None:
        yield NO_GO, "the history gives no utility that varies (a mapping needs ssr and spectral_efficiency)"
        return
    yield _explained(found, "the utility", _best_reference(evidence, "utility"))
    yield from _few(evidence)
    if evidence.new < NEW and not evidence.restricted:
        yield CARE, f"{evidence.new:.0%} of the held-out decisions had an allocation that was not fitted to"
    left_out = evidence.of("never held: inside 90 %", "utility")
    if left_out is not None and left_out.mean < HONEST:
        yield CARE, f"of allocations left out {left_out.mean:.0%} of utilities lie in the 90 % interval"


def _training(evidence: Evidence) -> Iterator[Said]:
    """Whether the twin stays itself in free runs and draws what may come."""
    arrivals = [f"arrivals_{name}" for name in evidence.slices]
    worst, where = max((_drift(evidence, name), name) for name in arrivals)
    answer = GO if worst <= DRIFT else CARE if worst <= LOST else NO_GO
    yield answer, f"in a free run {where} is {max(worst, 0.0):.2f} std further off than the history"
    yield from _few(evidence)
    for name in (*arrivals, *(f"ssr_{slice_name}" for slice_name in evidence.slices)):
        yield from _coverage(evidence, name)
    if evidence.new < NEW and not evidence.restricted:
        yield CARE, f"an agent tries other allocations than the {1.0 - evidence.new:.0%} seen (allowed: held)"


def _ssr(evidence: Evidence, slice_name: str) -> Iterator[Said]:
    """How well the SSR of a slice is predicted."""
    name = f"ssr_{slice_name}"
    found = evidence.of("R²", name)
    if found is None:
        if evidence.of("CRPS", name) is None:
            yield NO_GO, "the history has no SSR"
        else:
            yield CARE, "it is the same in all held-out decisions: nothing says what would break it"
        return
    yield _explained(found, "it", _best_reference(evidence, name))
    yield from _few(evidence)
    yield from _coverage(evidence, name)


def _explained(found: Estimate, what: str, reference: float) -> Said:
    """An answer from R²: surely more than half, surely something, or nothing for sure."""
    low = found.mean - (0.0 if math.isnan(found.half_width) else found.half_width)
    figure = f"R² of {what} {found.show(2)}" if what != "it" else f"R² {found.show(2)}"
    if low <= 0.0:
        return NO_GO, f"{figure}: not surely better than the mean"
    if found.mean <= reference:
        return NO_GO, f"{figure}: the last value predicts it as well ({reference:.2f})"
    return (GO, figure) if low >= MOST_EXPLAINED else (CARE, f"{figure}: not surely more than half")


def _best_reference(evidence: Evidence, name: str) -> float:
    """R² of persistence."""
    found = evidence.of("R²", name, "persistence")
    return -math.inf if found is None else found.mean


def _few(evidence: Evidence) -> Iterator[Said]:
    if evidence.held_out < ENOUGH:
        yield CARE, f"only {evidence.held_out} decisions were held out"


def _coverage(evidence: Evidence, name: str) -> Iterator[Said]:
    """That the spread is too narrow, if it is."""
    found = evidence.of("inside 90 %", name)
    if found is not None and found.mean < HONEST:
        yield CARE, f"{found.mean:.0%} of {name} lie in the 90 % interval"


def _drift(evidence: Evidence, name: str) -> float:
    """By how many standard deviations the end of a free run is further off than the history's distribution."""
    metric = next((key[0] for key in evidence.figures if key[0].startswith("distance after")), "")
    twin, history = evidence.of(metric, name), evidence.of(metric, name, "climatology")
    return -math.inf if twin is None or history is None else twin.mean - history.mean
