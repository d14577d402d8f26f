"""Settings of a description, and what the command takes in addition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from experiments.config.bounds import MAX_RUNS, MAX_SEED, MAX_THREADS, bounded


@dataclass
class Settings:
    """What is simulated for a description.

    Args:
        seeds: of the cells, one each; all numbers of units meet the same cells and the same random numbers.
        decisions: in each cell; None: an episode of the scenario, 10 000 at most.
        ssr: that a slice is to reach, as a mean over decisions and cells.
        carrier_hz: carrier frequency [Hz] that the path loss is compared with free space at; None: it is not. The
            simulator itself knows none.
        threads: that share the cells.
    """

    seeds: list[int] = bounded(
        factory=lambda: [0, 1, 2, 3], at_least=0, at_most=MAX_SEED, distinct=True, filled=True, longest=MAX_RUNS
    )
    decisions: int | None = bounded(None, at_least=1, at_most=MAX_RUNS)
    ssr: float = bounded(0.99, above=0.0, at_most=1.0)
    carrier_hz: float | None = bounded(None, at_least=1e6, at_most=1e12)
    threads: int = bounded(2, at_least=1, at_most=MAX_THREADS)


@dataclass
class DescribeConfig(Settings):
    """`conf/describe.yaml`.

    Args:
        scenario: that is described.
        imports: modules of the user's own.
    """

    scenario: dict[str, Any] = field(default_factory=dict)
    imports: list[str] = field(default_factory=list)
