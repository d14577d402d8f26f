"""What a twin may be used for: go, go with care, cannot tell or no-go for each use, with the figures that say so."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from experiments.fidelity.measures import BY, MORE_UNITS, Figures
from experiments.reporting.statistics import Estimate
from slicing_gym import Scenario
from twin.data.columns import SPECTRAL_EFFICIENCY
from twin.data.layout import IDLE
from twin.runtime.monotonicity import MOSTLY, served_worse

BEYOND = "what-if beyond the units held"
"""The use of a log's twin where nothing was measured."""

GO, CARE, CANNOT_TELL, NO_GO = ANSWERS = ("go", "go with care", "cannot tell", "no-go")
"""The answers, the best first."""

MOST_EXPLAINED = 0.5
"""R² whose interval has to lie above this for "go": more of the variance is explained than is left."""

_LITTLE_R2 = 0.1
"""R² whose interval has to reach above this, or it is a "no-go" even if it is above 0."""

ONE_TERM = 0.99
"""Share of the utility's variance that one of its terms may make: beyond it the R² of U says nothing of the others."""

HONEST = 0.8
"""Share of values inside the central 90 % from which on the spread counts as honest: at most twice the misses."""

FALLS = 0.1
"""Share of the states from which on it counts that more units bring a slice a lower SSR."""

DRIFT = 0.25
"""By how many standard deviations a free run may be further off than the history's distribution is, for "go"."""

DRIFTED = 1.0
"""The same from which on it is a "no-go": the twin has left what the cell does."""

FAR_WORSE = 1.25
"""CRPS of arrivals over the last value's which the interval has to lie above for a "no-go": such a fit has failed."""

NEW = 0.5
"""Share of held-out decisions whose allocation was not fitted to, from which on they tell of any allocation."""

ENOUGH = 200
"""Held-out decisions for "go": 8 blocks of the bootstrap. Of fewer its interval is too narrow by far."""

FEWEST_PARTS = 3
"""Cells or blocks for "go", and for "it may explain nothing": one has no interval, that of two says next to nothing."""


@dataclass(frozen=True)
class Verdict:
    """What a twin is good for in one use.

    Args:
        use: "what-if on the utility", "training an agent", "the SSR of" a slice, or of a log "what-if beyond the
            units held", where nothing was measured; of a twin of nothing else "the arrivals".
        answer: "go", "go with care", "cannot tell" or "no-go".
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
        parts: cells, or blocks of a history's decisions, that intervals are over.
        part: what these are, "cell" or "block".
        restricted: whether environments offer only the allocations that the log held.
        ssr: mean SSR of each slice over the held-out decisions, by name.
        terms: share of the utility's variance that each of its terms makes, by the variable's name; empty of cells.
        held: fewest and most units that the fit held, by slice; empty of cells, where allocations never held are
            compared with the truth.
        starved: slices that may count as met where they are so starved that nothing arrives: more units may lower
            their SSR.
        arrivals_alone: whether the twin predicts nothing else: no utility, no SSR and no other measure.
    """

    figures: Figures
    scenario: Scenario
    held_out: int
    new: float
    parts: int
    part: str = "cell"
    restricted: bool = False
    ssr: Mapping[str, float] = field(default_factory=dict)
    terms: Mapping[str, float] = field(default_factory=dict)
    held: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    starved: Collection[str] = ()
    arrivals_alone: bool = False

    def of(self, metric: str, variable: str, predictor: str = "twin") -> Estimate | None:
        """A figure that there is and that is a number."""
        found = self.figures.get((metric, variable, predictor))
        return None if found is None or math.isnan(found.mean) else found

    @property
    def slices(self) -> tuple[str, ...]:
        """The slices that somebody uses."""
        return tuple(name for name in self.scenario.slice_names if name != IDLE)

    @property
    def arrivals(self) -> tuple[str, ...]:
        """The variables of the arrivals of those slices."""
        return tuple(f"arrivals_{name}" for name in self.slices)

    def falls(self, place: str) -> dict[str, float]:
        """Slices that are often expected to be served worse with more units, and in which share of the states."""
        shares = {name: self.of(f"{MORE_UNITS}: {place}", name) for name in self.slices}
        return {name: share.mean for name, share in shares.items() if share and share.mean >= FALLS}

    @property
    def contradicted(self) -> dict[str, float]:
        """Those of `falls("held")` in more than `MOSTLY` of the states, without starved slices: a "no-go"."""
        falls = self.falls("held")
        return {name: share for name, share in falls.items() if share > MOSTLY and name not in self.starved}

    def worse(self, falls: Mapping[str, float], place: str = "held") -> str:
        """What `falls` has found at a place, as text."""
        starved = [name for name in falls if name in self.starved]
        unless = f", unless a starved slice counts as met ({', '.join(starved)})" if starved else ""
        found = {name: self.of(f"{BY}: {place}", name) for name in falls}
        return f"{served_worse(falls, {name: drop.mean for name, drop in found.items() if drop})}{unless}"

    @property
    def range(self) -> str:
        """The units that the fit held, as text."""
        return ", ".join(f"{name} {low} to {high}" for name, (low, high) in self.held.items() if name != IDLE)


Said = tuple[str, str]
"""An answer, and the reason for it."""


def verdicts(evidence: Evidence) -> tuple[Verdict, ...]:
    """One for each use, as `Verdict.use` lists them.

    A use has the worst answer of all that is asked about it. docs/logs.md gives the thresholds and their reasons.
    """
    if evidence.arrivals_alone:
        return (_verdict("the arrivals", evidence, list(_arrivals_alone(evidence))),)
    utility = list(_utility(evidence))
    training = list(dict.fromkeys([*_training(evidence), *utility]))  # each reason once
    found = [_verdict("what-if on the utility", evidence, utility), _verdict("training an agent", evidence, training)]
    ssr = [_verdict(f"the SSR of {name}", evidence, list(_ssr(evidence, name))) for name in evidence.slices]
    beyond = list(_beyond(evidence))
    return (*found, *ssr, *([_verdict(BEYOND, evidence, beyond)] if beyond else []))


def _verdict(use: str, evidence: Evidence, said: Sequence[Said]) -> Verdict:
    """The worst answer, with what has led to it; if all is well, with what is said first of the use."""
    answers, few = [answer for answer, _ in said], evidence.held_out < ENOUGH or evidence.parts < FEWEST_PARTS
    worst = max([*answers, *([CARE] if few else [])], key=ANSWERS.index)
    reasons = [reason for answer, reason in said if answer == worst != GO] or [reason for _, reason in said[:1]]
    if few:
        where = f"{evidence.parts} {evidence.part}{'' if evidence.parts == 1 else 's'}"
        held_out = f"only {evidence.held_out} decisions in {where} were held out"
        reasons.append(f"{held_out}, so that no answer is better than {CARE!r}")
    return Verdict(use, worst, tuple(reasons))


def _utility(evidence: Evidence) -> Iterator[Said]:
    """How well the expected utility is predicted, and of which allocations that tells."""
    found = evidence.of("R²", "utility")
    if found is None:
        yield NO_GO, "there is no utility that varies (of a log, its mapping needs ssr and spectral_efficiency)"
        return
    yield _explained(evidence, found, "utility")
    yield from _one_term(evidence)
    if falls := evidence.falls("held"):
        yield CARE, evidence.worse(falls)
    if evidence.new < NEW and not evidence.restricted:
        yield CARE, f"only {evidence.new:.0%} of the held-out decisions had allocations that the fit had not seen"
    left_out = evidence.of("never held: inside 90 %", "utility")
    if left_out is not None and left_out.mean < HONEST:
        yield CARE, f"of allocations left out {left_out.mean:.0%} of utilities lie in the 90 % interval"


def _falls_inside(evidence: Evidence, *names: str) -> Iterator[Said]:
    """Which of these slices are served worse with more of the units that they held, most of the time or often."""
    falls = {name: share for name, share in evidence.falls("held").items() if name in names}
    mostly = {name: share for name, share in evidence.contradicted.items() if name in names}
    if mostly:
        yield NO_GO, evidence.worse(mostly)
    elif falls:
        yield CARE, evidence.worse(falls)


def _beyond(evidence: Evidence) -> Iterator[Said]:
    """What the twin says of units that no decision of the fit held; nothing where none can be chosen."""
    moved = any(key[0] in (f"{MORE_UNITS}: below", f"{MORE_UNITS}: above") for key in evidence.figures)
    if evidence.restricted or not evidence.held or not moved:
        return
    for place, where in (("below", "from fewer units than held"), ("above", "to more units than held")):
        falls = evidence.falls(place)
        if falls:
            yield NO_GO, f"{where}: {evidence.worse(falls, place)}"
    yield CARE, "nothing was measured there; the SSR that the twin expects at least does not fall with more units"


def _one_term(evidence: Evidence) -> Iterator[Said]:
    """Which term of the utility makes nearly all of its variance, if one does."""
    name, share = max(evidence.terms.items(), key=lambda pair: pair[1], default=("", 0.0))
    if share < ONE_TERM:
        return
    check = "the unit of the rate and se_weight" if name == SPECTRAL_EFFICIENCY.name else "se_weight and the SLAs"
    yield CARE, f"{share:.1%} of the utility's variance is {name.replace('_', ' ', 1)}: check {check}"


def _arrivals_alone(evidence: Evidence) -> Iterator[Said]:
    """What is asked about arrivals of a twin that predicts nothing else."""
    yield from _arrivals(evidence)
    yield from _coverage(evidence, *evidence.arrivals)


def _arrivals(evidence: Evidence) -> Iterator[Said]:
    """Whether the twin stays itself in free runs, and predicts arrivals better than the last value does."""
    arrivals = evidence.arrivals
    drifts = [(_drift(evidence, name), name) for name in arrivals]
    measured = [(drift, name) for drift, name in drifts if drift is not None]
    if measured:
        worst, where = max(measured)
        answer = GO if worst <= DRIFT else CARE if worst <= DRIFTED else NO_GO
        off = f"{worst:.2f} std further" if worst > 0.0 else "no further"
        yield answer, f"free runs end {off} off than the history's distribution ({where})"
    if len(measured) < len(arrivals):
        left = ", ".join(name for drift, name in drifts if drift is None)
        yield CARE, f"how far off free runs end is not measured ({left})"
    yield from _worse_than_the_last(evidence)


def _training(evidence: Evidence) -> Iterator[Said]:
    """Whether the twin stays itself in free runs and draws what may come."""
    yield from _arrivals(evidence)
    tempting = {} if evidence.restricted or not evidence.held else evidence.falls("below")
    if tempting:
        yield CARE, f"agents are drawn to fewer units than were ever held, where the twin errs ({', '.join(tempting)})"
    yield from _falls_inside(evidence, *evidence.slices)
    yield from _coverage(evidence, *evidence.arrivals, *(f"ssr_{name}" for name in evidence.slices))


def _worse_than_the_last(evidence: Evidence) -> Iterator[Said]:
    """Where the CRPS of the last value is below the whole interval of the twin's, and whether far below."""
    found: dict[str, list[str]] = {}
    for name in evidence.arrivals:
        twin, last = evidence.of("CRPS", name), evidence.of("CRPS", name, "persistence")
        if twin is None or last is None:
            continue
        least = twin.mean - (0.0 if math.isnan(twin.half_width) else twin.half_width)
        if least > last.mean:  # of arrivals that never change the last value has 0, and a packet is no failure
            far = least > max(FAR_WORSE * last.mean, last.mean + 1.0) and evidence.parts >= FEWEST_PARTS
            factor = f" (by a factor of {twin.mean / last.mean:.3g})" if last.mean > 0.0 else ""
            found.setdefault(NO_GO if far else CARE, []).append(f"{name} {twin.mean:.3g} and {last.mean:.3g}{factor}")
    for answer, names in found.items():
        yield answer, f"arrivals are predicted worse than by the last value (CRPS): {', '.join(names)}"


def _ssr(evidence: Evidence, slice_name: str) -> Iterator[Said]:
    """How well the SSR of a slice is predicted."""
    name = f"ssr_{slice_name}"
    found = evidence.of("R²", name)
    if found is not None:
        yield _explained(evidence, found, name)
        yield from _coverage(evidence, name)
        yield from _falls_inside(evidence, slice_name)
    elif evidence.of("CRPS", name) is None:
        yield NO_GO, "there is no SSR (of a log, its mapping needs ssr)"
    else:
        yield _constant(evidence, slice_name)


def _constant(evidence: Evidence, slice_name: str) -> Said:
    """What an SSR says that hardly changes."""
    mean, held_out = evidence.ssr[slice_name], evidence.held_out
    if mean == 0.0:
        return CANNOT_TELL, f"never met (0 of {held_out} decisions): the bound may be wrong"
    if mean == 1.0:
        return CARE, f"always met ({held_out} of {held_out} decisions): nothing says what would break it"
    return CARE, f"it hardly changes in the held-out decisions (mean {mean:.3g}): nothing says what would break it"


def _explained(evidence: Evidence, found: Estimate, name: str) -> Said:
    """An answer from R²: how much of the variance is explained for sure, and whether the last value does as well."""
    known = not math.isnan(found.half_width)
    low, high = ((found.mean + sign * found.half_width) if known else found.mean for sign in (-1.0, 1.0))
    figure = f"R² of {name} {found.show(2)}"
    last = evidence.of("R²", name, "persistence")
    if high <= 0.0:
        return NO_GO, f"{figure}: it explains nothing"
    if last is not None and found.mean <= last.mean:
        return NO_GO, f"{figure}, no more than the last value explains ({last.mean:.2f})"
    if low <= 0.0 and evidence.parts < FEWEST_PARTS:
        few = f"{evidence.parts} {evidence.part}s are too few to tell whether it explains anything"
        return CANNOT_TELL, f"{figure}: {few}"
    if low <= 0.0:
        answer, above = (NO_GO if high <= _LITTLE_R2 else CANNOT_TELL), f"{high:.0%} at most"
        return answer, f"{figure}: it may explain nothing, and {above}"
    if not known:
        return (CARE if found.mean >= MOST_EXPLAINED else CANNOT_TELL), f"{figure}, without an interval"
    return (GO if low >= MOST_EXPLAINED else CARE), f"{figure}: at least {low:.0%} of the variance is explained"


def _coverage(evidence: Evidence, *names: str) -> Iterator[Said]:
    """Whose spread is too narrow, if any is."""
    found = {name: evidence.of("inside 90 %", name) for name in names}
    narrow = [f"{value.mean:.0%} of {name}" for name, value in found.items() if value and value.mean < HONEST]
    if narrow:
        yield CARE, f"only {', '.join(narrow)} lie in their 90 % interval"


def _drift(evidence: Evidence, name: str) -> float | None:
    """By how many standard deviations the end of a free run is further off than the history's; None: not measured."""
    metric = next((key[0] for key in evidence.figures if key[0].startswith("distance after")), "")
    twin, history = evidence.of(metric, name), evidence.of(metric, name, "climatology")
    return None if twin is None or history is None else twin.mean - history.mean
