"""Which runs a part of the benchmark has, in which order, and which of them are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.benchmark_suite.methods import BENCHMARKED, BenchmarkMethod, PolicyMethod
from experiments.benchmark_suite.protocol import FIXED, LOWER, PROTOCOL, UPPER, Protocol
from experiments.benchmark_suite.rows import RunKey
from slicing_gym import get_scenario
from slicing_gym.errors import unknown_name


@dataclass(frozen=True)
class BenchmarkPlan:
    """Runs to do.

    Args:
        runs: in the order in which they are done.
        methods: by name.
        left_out: by scenario, method and budget, why the protocol has no such runs.
        protocol: of the benchmark.
    """

    runs: tuple[RunKey, ...]
    methods: Mapping[str, BenchmarkMethod]
    left_out: Mapping[tuple[str, str, int], str]
    protocol: Protocol = PROTOCOL


def make_plan(
    scenarios: Sequence[str] = (),
    methods: Sequence[str] = (),
    seeds: Sequence[int] = (),
    budget: int | None = None,
    *,
    own: BenchmarkMethod | None = None,
    protocol: Protocol = PROTOCOL,
) -> BenchmarkPlan:
    """The runs of a part of the benchmark; with them those that its scores need.

    What does not learn comes first, of all scenarios; then one scenario after the other, of each all methods of the
    first seed, of the second, ...

    Args:
        scenarios: names of presets; none: all.
        methods: names; none: all, or with `own` that alone.
        seeds: of training runs; none: all of the budget. Methods of which one run is enough have the first seed,
            `own` those that are given.
        budget: real decisions; None: the smallest.
        own: a method of the user's own.
        protocol: of the benchmark.

    Raises:
        ValueError, TypeError: a name or number is not of the protocol, or a method cannot be run.
    """
    budget = protocol.first_budget if budget is None else budget
    places = tuple(scenarios) or protocol.scenarios
    numbers = tuple(seeds) or protocol.seeds(budget)
    protocol.check_part(places, numbers, budget)
    known = BENCHMARKED if own is None else {**BENCHMARKED, own.name: own}
    chosen = tuple(methods) or (tuple(BENCHMARKED) if own is None else (own.name,))
    for name in chosen:
        if name not in known:
            raise ValueError(unknown_name("methods", name, known))
    for name in chosen:
        known[name].check([get_scenario(place) for place in places])
    left_out, runs = {}, _references(places, protocol)
    for place in places:
        for name in chosen:
            why = known[name].why_not(get_scenario(place), budget, protocol)
            if why:
                left_out[place, name, budget] = why
            else:
                typed = seeds and name not in BENCHMARKED  # else one run of what has no seed of its own is enough
                own_seeds = numbers if typed or known[name].seeded else known[name].seeds(budget, protocol)
                runs += [RunKey(place, name, budget, seed) for seed in own_seeds]
    return BenchmarkPlan(_sorted(runs, known, places, chosen), known, left_out, protocol)


def _references(scenarios: Sequence[str], protocol: Protocol) -> list[RunKey]:
    """Runs that scores and probabilities of improvement need: one seed of each, for they do not learn."""
    budget = protocol.first_budget
    first = protocol.seeds(budget)[0]
    return [RunKey(place, name, budget, first) for place in scenarios for name in (LOWER, FIXED, UPPER)]


def _sorted(
    runs: Sequence[RunKey], known: Mapping[str, BenchmarkMethod], scenarios: Sequence[str], methods: Sequence[str]
) -> tuple[RunKey, ...]:
    names = [*(name for name in known if name not in methods), *methods]

    def place(run: RunKey) -> tuple[int, ...]:
        learns = not isinstance(known[run.method], PolicyMethod)
        number = names.index(run.method)
        if not learns:
            return 0, number, scenarios.index(run.scenario), run.seed
        return 1, scenarios.index(run.scenario), run.seed, number

    return tuple(sorted(dict.fromkeys(runs), key=place))
