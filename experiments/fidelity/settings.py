"""Settings of an evaluation of twins, and what the command takes in addition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agents.baselines import BASELINES
from experiments.config.bounds import MAX_CELLS, MAX_DECISIONS, MAX_RUNS, MAX_SEED, MAX_THREADS, bounded
from twin.models.settings import MIN_DECISIONS

LONG_S = 10.0
"""Work of a part of an evaluation [s] that shows its progress whatever is asked for; there are many parts."""

WINDOW = 16
"""Intervals of a held-out run that a twin sees before it runs freely."""

POLICIES = [name for name in BASELINES if name != "one_step_oracle"]
"""Baselines that need no simulator, so that they play in a twin, too."""


@dataclass
class CellSettings:
    """Twins of simulated cells, evaluated on further runs of them.

    Args:
        seeds: of the cells, one each, with a history and a twin of its own.
        decisions: random decisions of each cell's history, in episodes of the scenario.
        held_out_runs: that the twins are evaluated on.
        copies: of the cell with resampled noise: the noise floor.
        threads: that share the cells.
        torch_threads: threads that PyTorch computes in.
        progress: show progress bars; else only those of work of minutes.
    """

    seeds: list[int] = bounded(factory=lambda: list(range(5)), at_least=0, at_most=MAX_SEED, distinct=True, filled=True)
    decisions: int = bounded(2_000, at_least=MIN_DECISIONS, at_most=MAX_DECISIONS)
    held_out_runs: int = bounded(5, at_least=1, at_most=MAX_RUNS)
    copies: int = bounded(64, at_least=2, at_most=MAX_CELLS)
    threads: int = bounded(2, at_least=1, at_most=MAX_THREADS)
    torch_threads: int = bounded(1, at_least=1, at_most=MAX_THREADS)
    progress: bool = True

    @property
    def delay(self) -> float:
        """Seconds after which work shows its progress."""
        return 0.0 if self.progress else LONG_S


@dataclass
class Settings(CellSettings):
    """An evaluation of twins; see also `CellSettings`.

    Of a history given, the last `held_out_runs` are held out; if it has no more runs than that, the last part of each.
    With a history, the seeds, decisions, copies, run_length, allocations and policies are not used; `left_out` is used
    with a history alone.

    Args:
        run_length: decisions of a held-out run.
        horizon: intervals that the twin runs freely, fewer where runs are shorter.
        allocations: that the history never holds, ranked by their utility.
        policies: baselines whose utility in the twin is compared with that in the cell.
        left_out: allocations of a history that are left out in turn, the most often held first; each costs a fit. None:
            all where there are at most 12 different ones, else none.
        tree: evaluate a gradient-boosted tree on the same inputs, too, if scikit-learn is installed.
    """

    run_length: int = bounded(220, at_least=WINDOW + 2, at_most=MAX_DECISIONS)
    horizon: int = bounded(200, at_least=1, at_most=MAX_DECISIONS)
    allocations: int = bounded(200, at_least=3, at_most=MAX_DECISIONS)
    policies: list[str] = bounded(factory=lambda: ["random", "hard", "proportional", "best_fixed"], distinct=True)
    left_out: int | None = bounded(None, at_least=0, at_most=MAX_DECISIONS)
    tree: bool = True


@dataclass
class FidelityConfig(Settings):
    """`conf/fidelity.yaml`.

    Args:
        log: a file, a glob, a folder, or a list of these: a log of one's own, whose columns `mapping` names; None: the
            simulator's histories are used.
        mapping_file: the mapping in a file of the user's own, which `mapping=<path>.yaml` stands for.
        imports: modules of the user's own, which may register transitions of twins.
        device: that the twins' networks are fitted on: "cpu", "cuda" or "cuda:<number>".
    """

    scenario: dict[str, Any] = field(default_factory=dict)
    mapping: dict[str, Any] = field(default_factory=dict)
    twin: dict[str, Any] = field(default_factory=dict)
    log: Any = None
    mapping_file: str | None = None
    imports: list[str] = field(default_factory=list)
    device: str = "cpu"
