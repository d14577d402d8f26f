"""Settings of an evaluation, and what the command takes in addition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from experiments.config.bounds import MAX_DECISIONS, MAX_SEED, MAX_THREADS, bounded
from experiments.config.schemas import CommandSettings


@dataclass
class Settings:
    """An evaluation.

    Args:
        seeds: of the cells, one each; all policies meet the same cells and the same random numbers.
        decisions: in each cell; None: an episode of the scenario.
        threads: that share the cells.
        progress: show a progress bar.
    """

    seeds: list[int] = bounded(
        factory=lambda: list(range(20)), at_least=0, at_most=MAX_SEED, distinct=True, filled=True
    )
    decisions: int | None = bounded(None, at_least=1, at_most=MAX_DECISIONS)
    threads: int = bounded(2, at_least=1, at_most=MAX_THREADS)
    progress: bool = True


@dataclass
class EvaluateConfig(Settings, CommandSettings):
    """`conf/evaluate.yaml`."""

    scenario: dict[str, Any] = field(default_factory=dict)
    policy: list[str] = field(
        default_factory=lambda: ["random", "hard", "proportional", "best_fixed", "one_step_oracle"]
    )
