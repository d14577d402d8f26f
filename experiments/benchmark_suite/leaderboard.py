"""Standings of methods, and whether reinforcement learning is worth it: figures of the tables and of the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.benchmark_suite.methods import BENCHMARKED, BenchmarkMethod
from experiments.benchmark_suite.protocol import FIXED, LOWER, PROTOCOL, UPPER, Protocol
from experiments.benchmark_suite.rows import RunKey, RunRow, in_order, score_of
from experiments.reporting.statistics import Interval, bootstrap_interval, probability_of_improvement
from slicing_gym import get_scenario

LITTLE = 0.05
"""Share of what lies between hard slicing and the oracle, below which headroom is not worth a method that learns."""


@dataclass(frozen=True)
class Standing:
    """A method on a scenario at a budget.

    Args:
        method: its name.
        label: in tables.
        seeds: training seeds that are run.
        of: that the protocol has; 1 where U does not depend on them, of which more may be run: regret does depend. None
            of a method of the user's own that is known by its rows alone: of a policy fewer may be enough.
        utility, score, reward, regret, seconds: interquartile means over seeds; of a method that does not learn, regret
            is of its own budget.
        improvement: probability that a run is better than the best fixed allocation; None while that is not run.
        rank: by U, from 1; None of the oracle, which knows the future.
    """

    method: str
    label: str
    seeds: int
    of: int | None
    utility: Interval
    score: Interval | None
    reward: Interval
    regret: Interval
    seconds: Interval
    improvement: Interval | None
    rank: int | None = None

    @property
    def partly(self) -> str:
        """How many seeds are run, as "3 of 10 seeds"; "" if all are; "1 seed" where nobody says how many are enough."""
        if self.of is None:
            return f"{self.seeds} seed{'' if self.seeds == 1 else 's'}"
        return f"{self.seeds} of {self.of} seeds" if self.seeds < self.of else ""

    @property
    def counted(self) -> str:
        """The same of a table with a column for seeds: "3 of 10", "1", or "-" where one run is enough."""
        return str(self.seeds) if self.of is None else f"{self.seeds} of {self.of}" if self.of > 1 else "-"


@dataclass(frozen=True)
class Board:
    """Standings of one scenario at one budget.

    Args:
        scenario: its name.
        budget: real decisions.
        standings: of methods that are run, the best first.
        missing: methods that are not run, or not all seeds, and why: "not run yet", "7 of 10 seeds", "n/a: ...".
        headroom: U of the oracle less that of the best fixed allocation; None while one of them is not run.
        share: headroom as a share of what lies between hard slicing and the oracle.
    """

    scenario: str
    budget: int
    standings: tuple[Standing, ...]
    missing: Mapping[str, str]
    headroom: float | None
    share: float | None

    def of(self, method: str) -> Standing | None:
        """The standing of a method, if it is run."""
        return next((each for each in self.standings if each.method == method), None)


def make_board(
    rows: Mapping[RunKey, RunRow],
    scenario: str,
    budget: int,
    protocol: Protocol = PROTOCOL,
    methods: Mapping[str, BenchmarkMethod] = BENCHMARKED,
) -> Board:
    """The standings of a scenario at a budget; methods that do not learn are those of the first budget.

    Args:
        rows: of all runs that are known.
        scenario: its name.
        budget: real decisions.
        protocol: of the benchmark.
        methods: that are known; of others with rows nobody says how many seeds are enough.
    """
    found: dict[str, list[RunRow]] = {}
    for row in in_order(rows.values(), list(BENCHMARKED), protocol):
        learns = row.method not in BENCHMARKED or BENCHMARKED[row.method].learns
        if row.scenario == scenario and row.budget == (budget if learns else protocol.first_budget):
            found.setdefault(row.method, []).append(row)
    fixed = found[FIXED][0].utility if FIXED in found else None
    standings = [_standing(name, own, fixed, rows, protocol, methods.get(name)) for name, own in found.items()]
    standings.sort(key=lambda each: -float(each.utility.value))
    room = found[UPPER][0].utility - fixed if UPPER in found and fixed is not None else None
    share = None
    if room is not None and LOWER in found:
        share = room / (found[UPPER][0].utility - found[LOWER][0].utility)
    missing = {
        name: _missing(method, found.get(name, []), scenario, budget, protocol) for name, method in BENCHMARKED.items()
    }
    missing = {name: why for name, why in missing.items() if why}
    return Board(scenario, budget, tuple(_ranked(standings)), missing, room, share)


def by_gain(boards: Sequence[Board]) -> list[Board]:
    """Boards in the order of tables and of the picture: where adapting to the state wins the most first."""
    return sorted(boards, key=lambda board: -(board.share or 0.0))


def _standing(
    name: str,
    own: Sequence[RunRow],
    fixed: float | None,
    rows: Mapping[RunKey, RunRow],
    protocol: Protocol,
    method: BenchmarkMethod | None,
) -> Standing:
    utilities, budget = [row.utility for row in own], own[0].budget
    needed = len(protocol.seeds(budget) if method is None else method.seeds(budget, protocol))
    of: int | None = needed
    if name not in BENCHMARKED:  # it may be run on more
        of = None if method is None and len(own) < needed else max(needed, len(own))
    scores = [score for row in own if (score := score_of(row, rows, protocol)) is not None]
    improvement = None
    if fixed is not None and name not in (FIXED, UPPER):
        improvement = probability_of_improvement(utilities, [fixed] * len(own))
    return Standing(
        method=name,
        label=name if method is None else method.label,
        seeds=len(own),
        of=of,
        utility=over_runs(utilities),
        score=over_runs(scores) if len(scores) == len(own) else None,
        reward=over_runs([row.reward_at_c_max for row in own]),
        regret=over_runs([row.regret for row in own]),
        seconds=over_runs([row.cpu_seconds for row in own]),
        improvement=improvement,
    )


def over_runs(values: Sequence[float]) -> Interval:
    """Interquartile mean and its interval; without one where all runs have the same value."""
    return bootstrap_interval(values if np.ptp(values) > 0.0 else values[:1])


def _missing(method: BenchmarkMethod, own: Sequence[RunRow], scenario: str, budget: int, protocol: Protocol) -> str:
    why = method.why_not(get_scenario(scenario), budget if method.learns else protocol.first_budget, protocol)
    if why:
        return f"n/a: {why}"
    needed = len(method.seeds(budget, protocol))
    if not own:
        return "not run yet"
    return "" if len(own) >= needed else f"{len(own)} of {needed} seeds"


def _ranked(standings: Sequence[Standing]) -> list[Standing]:
    """With ranks: methods of one U share one."""
    ranked: list[Standing] = []
    others = [each for each in standings if each.method != UPPER]
    for each in standings:
        above = sum(float(other.utility.value) > float(each.utility.value) for other in others)
        ranked.append(each if each.method == UPPER else replace(each, rank=above + 1))
    return ranked


def is_it_worth_it(board: Board) -> str:
    """Whether reinforcement learning is worth it on a scenario, as the rows say.

    Where headroom is below `LITTLE` of what lies between hard slicing and the oracle, no. Else the best learner's
    interval decides: above the best rule that does not learn, below it, or around it.

    Args:
        board: of a scenario at a budget.
    """
    if board.headroom is None or board.share is None:
        return "not run yet"
    if board.share < LITTLE:
        return f"no: one fixed allocation leaves {board.share:.1%} to be gained"
    rules = [each for each in board.standings if each.method in BENCHMARKED and each.method != UPPER]
    rule = next(each for each in rules if not BENCHMARKED[each.method].learns)
    best, planner = _best_learner(board), board.of("planner")
    others = [each for each in (rule if rule.method != FIXED else None, planner) if each is not None]
    shown = "; ".join(_won(board, each) for each in others)
    if best is None:
        return f"not run yet ({shown})" if shown else "not run yet"
    bottom = float(rule.utility.value)
    low, high = (
        float(best.utility.value if np.isnan(each) else each) for each in (best.utility.low, best.utility.high)
    )
    answer = "yes" if low > bottom else "no" if high < bottom else "undecided"
    networks = [why for name, why in board.missing.items() if BENCHMARKED[name].network]
    so_far = " (so far)" if any(not why.startswith("n/a") for why in networks) else ""
    return f"{answer}{so_far}: {_won(board, best)}" + (f" ({shown})" if shown else "")


def _best_learner(board: Board) -> Standing | None:
    """The best method that learns with a neural network; of the user's own, any."""
    return next(
        (each for each in board.standings if each.method not in BENCHMARKED or BENCHMARKED[each.method].network), None
    )


def _won(board: Board, found: Standing) -> str:
    """What a method wins of the headroom, or how far below the best fixed allocation it ends, in the same measure."""
    fixed = board.of(FIXED)
    assert fixed is not None
    assert board.headroom
    won = (float(found.utility.value) - float(fixed.utility.value)) / board.headroom
    if won < 0:
        return f"{found.label} ends {-won:.0%} of the headroom below best fixed"
    return f"{found.label} wins {won:.0%} of the headroom"
