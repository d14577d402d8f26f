"""What is made of a log's traffic, and what the command takes in addition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from experiments.config.bounds import MAX_RUNS, MAX_SECONDS, MAX_THREADS, bounded
from slicing_gym.scenario import REWARD_KINDS


@dataclass
class Settings:
    """How the traffic of a log becomes a scenario.

    Args:
        name: of the scenario, and of its file.
        scale: the load, times this: a number, or numbers by slice.
        users: of a slice, by name; None: so many that an active user sends a packet an interval, at most 100.
        sla: `rate_sla_bps`, `latency_sla_s` and `ssr_weight` by slice; None: those of slices of the same name.
        reward: kind of the scenario's: "utility", "shaped", "clip"; None: that of the scenario it is made from.
        resample: put paths of the twin of the arrivals in place of the log.
        held_out_runs: of the twin's evaluation; of a log with no more runs, the last part of each.
        torch_threads: threads that PyTorch computes in.
        progress: show progress bars.
    """

    name: str = "my_traffic"
    scale: Any = 1.0
    users: Any = None  # of mappings that may be None OmegaConf can override nothing
    sla: Any = None
    reward: str | None = bounded("utility", choices=REWARD_KINDS)
    resample: bool = False
    held_out_runs: int = bounded(1, at_least=1, at_most=MAX_RUNS)
    torch_threads: int = bounded(1, at_least=1, at_most=MAX_THREADS)
    progress: bool = True


@dataclass
class TrafficConfig(Settings):
    """`conf/traffic.yaml`.

    Args:
        log: a file, a glob, a folder, or a list of these.
        mapping, mapping_file: what the log's columns mean: a choice of Hydra's, or a file.
        period_s: length of an interval of the log [s]; None: what the mapping says.
        volume_byte: column with the bytes of an interval; None: a column of `performance` with the unit byte, if any.
        scenario: whose radio, numbers of the reward and SLAs are taken.
        twin: settings of the twin of the arrivals; none: no twin.
        imports: modules of the user's own.
    """

    log: Any = None
    mapping_file: str | None = None
    period_s: float | None = bounded(None, above=0.0, at_most=MAX_SECONDS)
    volume_byte: str | None = None
    scenario: dict[str, Any] = field(default_factory=dict)
    mapping: dict[str, Any] = field(default_factory=dict)
    twin: dict[str, Any] = field(default_factory=dict)
    imports: list[str] = field(default_factory=list)
