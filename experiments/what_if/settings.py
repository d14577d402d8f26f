"""Settings of a what-if, and what the command takes in addition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from experiments.config.bounds import MAX_CELLS, MAX_DECISIONS, MAX_RUNS, MAX_SEED, MAX_THREADS, bounded
from experiments.config.schemas import CommandSettings
from slicing_gym.errors import shown

OF_THE_LOG, OF_THE_TWIN = ARRIVALS = ("logged", "twin")
"""Where arrivals are from."""


@dataclass
class Settings:
    """A what-if.

    Args:
        ahead: intervals that each allocation is held, or each agent decides; the figures are means over them.
        samples: draws of the twin; all allocations meet the same random numbers.
        seed: of the draws.
        threads: that share the samples.
        arrivals: "logged": those that were measured, whatever is allocated; "twin": the twin's, which may follow the
            allocation. An interval is predicted from what was before it, so with one `ahead` no other figure differs.
    """

    ahead: int = bounded(1, at_least=1, at_most=MAX_RUNS)
    samples: int = bounded(400, at_least=20, at_most=MAX_CELLS)
    seed: int = bounded(0, at_least=0, at_most=MAX_SEED)
    threads: int = bounded(2, at_least=1, at_most=MAX_THREADS)
    arrivals: str = bounded(OF_THE_LOG, choices=ARRIVALS)


@dataclass
class WhatIfConfig(Settings, CommandSettings):
    """`conf/what_if.yaml`.

    Args:
        fitted: a twin's file, or the folder of the run that left it.
        history: the file of a history, or the folder of a run; None: that next to the twin, unless there is a log.
        log: a file, a glob, a folder, or a list of these.
        mapping, mapping_file: what the log's columns mean: a choice of Hydra's, or a file.
        at: a time stamp as the log has it; the interval is taken that is half a period away at most.
        interval: number of the decision in the history, from 0, in place of a time.
        decisions: "all", or the first and the last as "128-158", in place of a moment: means over these, one step
            ahead each.
        policies: "logged", "hard", "proportional", allocations in units like 60-30-10, files of agents, folders of
            runs.
        progress: taken as other commands take it; there is no bar.
    """

    fitted: str | None = None
    history: str | None = None
    log: Any = None
    mapping_file: str | None = None
    mapping: dict[str, Any] = field(default_factory=dict)
    at: Any = None
    interval: int | None = bounded(None, at_least=0, at_most=MAX_DECISIONS)
    decisions: str | None = None
    policies: list[str] = field(default_factory=lambda: ["logged"])
    progress: bool = True


def check_alone(config: WhatIfConfig) -> None:
    """Refuse what is asked of a moment together with `decisions`.

    Raises:
        ValueError: the message names the key.
    """
    usual = WhatIfConfig()
    for key in ("at", "interval", "ahead", "arrivals", "samples", "seed"):
        given, allowed = getattr(config, key), getattr(usual, key)
        if given != allowed:
            why = "nothing is drawn" if key in ("samples", "seed") else "each decision is one step ahead of the log"
            raise ValueError(
                f"{key}: {shown(given)} given together with decisions, allowed is "
                f"{'null' if allowed is None else shown(allowed)}: {why}"
            )
