"""Settings of the benchmark's command."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from experiments.benchmark_suite.protocol import PROTOCOL
from experiments.config.bounds import MAX_DECISIONS, MAX_SECONDS, MAX_SEED, MAX_THREADS, bounded
from experiments.config.schemas import CommandSettings

TASKS = ("run", "page", "publish")
"""What the command may do."""


@dataclass
class OwnMethodSettings:
    """A method of the user's own.

    Args:
        name: in the CSV and in tables; None: there is none.
        _target_: an algorithm of Stable-Baselines3, off-policy or on-policy, by its dotted name; or
        policy: what does not learn any more: a file, an allocation, a class with `predict`.
        overrides: of `experiments.train`, for an off-policy algorithm.
        kwargs: arguments of an on-policy algorithm.
    """

    name: str | None = None
    _target_: str | None = None
    policy: str | None = None
    overrides: list[str] = bounded(factory=list, no_names=True)
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass
class BenchmarkSuiteConfig(CommandSettings):
    """`conf/benchmark_suite.yaml`; seeds of evaluation, budgets and the score are the protocol's.

    Args:
        task: "run": do what is missing; "page": write table, page and picture of what is there into the folder;
            "publish": write those of the project, in the checkout that the command is typed in.
        scenarios, methods, seeds: the part to do; none: all.
        budget: real decisions of a run.
        jobs: processes at a time; more than there are runs or processors are not started.
        minutes: after which no run begins; None: no limit.
        folder: of results and of what is under way.
        table: CSV with rows that are known, and not run again; None: the project's, where there is a checkout.
        own: a method of the user's own.
        progress: print one line per run.
    """

    task: str = bounded("run", choices=TASKS)
    scenarios: list[str] = bounded(factory=list, distinct=True)
    methods: list[str] = bounded(factory=list, distinct=True)
    seeds: list[int] = bounded(factory=list, at_least=0, at_most=MAX_SEED, distinct=True)
    budget: int = bounded(PROTOCOL.first_budget, at_least=1, at_most=MAX_DECISIONS)
    jobs: int = bounded(1, at_least=1, at_most=MAX_THREADS)
    minutes: float | None = bounded(None, at_least=0.0, at_most=MAX_SECONDS / 60.0)
    folder: str = "runs/benchmark"
    table: str | None = None
    own: OwnMethodSettings = field(default_factory=OwnMethodSettings)
    progress: bool = True
