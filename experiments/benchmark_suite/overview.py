"""What the command prints: the runs that are to do before it begins, and a method of the user's own among others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.benchmark_suite.leaderboard import make_board
from experiments.benchmark_suite.methods import BENCHMARKED
from experiments.benchmark_suite.page import NOT_RUN, shown_interval
from experiments.benchmark_suite.plan import BenchmarkPlan
from experiments.benchmark_suite.protocol import FIXED
from experiments.benchmark_suite.rows import RunKey, RunRow
from experiments.reporting.tables import aligned

_COMPARED = (FIXED, "sb3_dqn")
"""Methods that one of the user's own is compared with."""


def runs_to_do(runs: Sequence[RunKey]) -> str:
    """One line per scenario, method and budget, with the seeds, in the order in which they are begun."""
    seeds: dict[tuple[str, str, int], list[int]] = {}
    for run in runs:
        seeds.setdefault(run[:3], []).append(run.seed)
    lines = [[*map(str, part), ",".join(map(str, sorted(own)))] for part, own in seeds.items()]
    return aligned(["scenario", "method", "budget", "seeds"], lines)


def own_among_others(own: str, rows: Mapping[RunKey, RunRow], plan: BenchmarkPlan, budget: int) -> str:
    """The score of a method, the best fixed allocation's and SB3 DQN's, one line per scenario of the plan.

    Args:
        own: name of the method.
        rows: all that are known.
        plan: of the runs.
        budget: real decisions.
    """
    lines = []
    for scenario in dict.fromkeys(run.scenario for run in plan.runs):
        board = make_board(rows, scenario, budget, plan.protocol, plan.methods)
        cells = []
        for name in (own, *_COMPARED):
            found, why = board.of(name), plan.left_out.get((scenario, name, budget)) or board.missing.get(name, "")
            if found is None or found.score is None:
                cells.append("n/a" if why and why != NOT_RUN else NOT_RUN)
            else:
                seeds = "" if found.counted == "-" else f" ({found.counted} seeds)"
                cells.append(f"{shown_interval(found.score, 2)}{seeds}")
        lines.append([scenario, *cells])
    header = ["scenario", own, *(BENCHMARKED[name].label for name in _COMPARED)]
    return (
        f"Score after {budget} decisions, in unseen cells: 0 is hard slicing, 1 the oracle; [95 % interval]\n"
        + aligned(header, lines)
    )
