"""A benchmark under one protocol: methods on all presets, one row per run, leaderboards and a picture."""

from experiments.benchmark_suite.leaderboard import Board, Standing, is_it_worth_it, make_board
from experiments.benchmark_suite.methods import BENCHMARKED, BenchmarkMethod, own_method
from experiments.benchmark_suite.page import findings_of, leaderboards_of
from experiments.benchmark_suite.plan import BenchmarkPlan, make_plan
from experiments.benchmark_suite.protocol import PROTOCOL, Protocol, normalised_score
from experiments.benchmark_suite.queue import RunQueue, work_through
from experiments.benchmark_suite.rows import RunKey, RunRow, read_results, read_rows, write_table
from experiments.benchmark_suite.writing import publish, write_report

__all__ = [
    "BENCHMARKED",
    "PROTOCOL",
    "BenchmarkMethod",
    "BenchmarkPlan",
    "Board",
    "Protocol",
    "RunKey",
    "RunQueue",
    "RunRow",
    "Standing",
    "findings_of",
    "is_it_worth_it",
    "leaderboards_of",
    "make_board",
    "make_plan",
    "normalised_score",
    "own_method",
    "publish",
    "read_results",
    "read_rows",
    "work_through",
    "write_report",
    "write_table",
]
