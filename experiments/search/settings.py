"""Settings of a search, and what the command takes in addition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from experiments.config.bounds import MAX_CELLS, MAX_DECISIONS, MAX_RUNS, MAX_SEED, MAX_THREADS, bounded
from experiments.config.schemas import AgentSettings, EvaluationSettings
from slicing_gym.scenario import REWARD_KINDS
from twin.models.settings import MIN_DECISIONS

COLLECTORS_OF_HISTORIES = ("random", "planner")
"""What may choose the decisions that the twins are fitted to."""


@dataclass
class Settings:
    """A search.

    Args:
        n_trials: of the study, those of an earlier part of it among them.
        decisions: of a training run, in the twin and on the simulator alike.
        reward: what is learned from; None: the scenario's own.
        collect: real decisions that the twins are fitted to: all that the trials cost.
        collect_by: what chooses them.
        runs: training runs a trial, each in a cell of its own; every trial has the same cells.
        evaluations: of a training run, at equal distances; after each the trial may be pruned.
        cells, cell_decisions: of the other twin, in which agents are evaluated, and decisions in each.
        prune: end trials that are below the median of the others.
        finalists: best trials that are trained again in other cells; the best of them and of the defaults wins.
        final_runs: training runs of each of them.
        confirm: seeds of the cells on which winner and defaults are trained on the simulator; none: it is left out.
        workers: processes at a time.
        torch_threads: that PyTorch computes in, a process.
        evaluation: of the agents that were trained on the simulator, on cells that they have not seen.
    """

    n_trials: int = bounded(50, at_least=1, at_most=MAX_RUNS)
    decisions: int = bounded(1_000, at_least=1, at_most=MAX_DECISIONS)
    reward: str | None = bounded("utility", choices=REWARD_KINDS)
    collect: int = bounded(400, at_least=MIN_DECISIONS, at_most=MAX_DECISIONS)
    collect_by: str = bounded("random", choices=COLLECTORS_OF_HISTORIES)
    runs: int = bounded(2, at_least=1, at_most=MAX_RUNS)
    evaluations: int = bounded(5, at_least=1, at_most=MAX_RUNS)
    cells: int = bounded(32, at_least=1, at_most=MAX_CELLS)
    cell_decisions: int = bounded(50, at_least=1, at_most=MAX_DECISIONS)
    prune: bool = True
    finalists: int = bounded(4, at_least=1, at_most=MAX_RUNS)
    final_runs: int = bounded(3, at_least=1, at_most=MAX_RUNS)
    confirm: list[int] = bounded(factory=lambda: [10, 11, 12, 13, 14], at_least=0, at_most=MAX_SEED, distinct=True)
    workers: int = bounded(1, at_least=1, at_most=MAX_THREADS)
    torch_threads: int = bounded(1, at_least=1, at_most=MAX_THREADS)
    evaluation: EvaluationSettings = field(default_factory=lambda: EvaluationSettings(policies=[]))


MAY_CHANGE = ("n_trials", "workers", "torch_threads", "finalists", "confirm", "final_runs")
"""Settings that a study may go on with in other values: what its trials found does not depend on them."""


@dataclass
class SearchConfig(Settings):
    """`conf/search.yaml`.

    Args:
        space: file of what may change, or the name of one in `conf/search`.
        name: of what is found; None: that of the agent and `_found`.
        imports: modules of the user's own, which may hold the agent's class.
        device: that networks learn on: "cpu", "cuda" or "cuda:<number>".
        resume: None; "auto": go on with the study in the folder.
    """

    scenario: dict[str, Any] = field(default_factory=dict)
    agent: AgentSettings = field(default_factory=AgentSettings)
    twin: dict[str, Any] = field(default_factory=dict)
    space: str = "ddqn"
    name: str | None = None
    seed: int = bounded(0, at_least=0, at_most=MAX_SEED)
    imports: list[str] = field(default_factory=list)
    device: str = "cpu"
    resume: str | None = bounded(None, choices=("auto",))
