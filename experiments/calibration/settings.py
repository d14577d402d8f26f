"""Settings of a comparison of twins after the traffic has changed, and what the command takes in addition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from experiments.config.bounds import MAX_SEED, bounded
from twin.twin import MIN_DECISIONS


@dataclass
class Settings:
    """A comparison of twins after the traffic has changed.

    Args:
        seeds: of the cells, one each.
        decisions: random decisions before the change, that the twin is fitted to.
        fresh: numbers of random decisions after it, that it is calibrated on.
        held_out_runs: after the change, episodes of the scenario.
        copies: of the cell with resampled noise: the noise floor.
        threads: that share the cells.
        torch_threads: threads that PyTorch computes in.
        progress: show progress bars.
    """

    seeds: list[int] = bounded(factory=lambda: list(range(5)), at_least=0, at_most=MAX_SEED, distinct=True, filled=True)
    decisions: int = bounded(2_000, at_least=MIN_DECISIONS)
    fresh: list[int] = bounded(
        factory=lambda: [100, 200, 400, 1_000, 2_000, 4_000], at_least=MIN_DECISIONS, distinct=True, filled=True
    )
    held_out_runs: int = bounded(5, at_least=1)
    copies: int = bounded(64, at_least=2)
    threads: int = bounded(2, at_least=1)
    torch_threads: int = bounded(1, at_least=1)
    progress: bool = True


@dataclass
class CalibrationConfig(Settings):
    """`conf/calibration.yaml`.

    Args:
        change: what becomes of the scenario, as `Scenario.replace` takes it.
        imports: modules of the user's own, which may register transitions of twins.
    """

    scenario: dict[str, Any] = field(default_factory=dict)
    change: dict[str, Any] = field(default_factory=dict)
    twin: dict[str, Any] = field(default_factory=dict)
    imports: list[str] = field(default_factory=list)
