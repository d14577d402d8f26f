"""`LogMapping`: what the columns of a log mean, from builtin types (YAML)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from slicing_gym import Scenario
from slicing_gym.builtin_types import build, named
from slicing_gym.errors import check_instance, check_number, unknown_name
from twin.data.columns import ARRIVALS, SSR, TRANSFORMS, Column, Control
from twin.data.layout import Layout
from twin.data.logs.rules import AggregateRule, AllocationRule, EfficiencyRule, SsrRule, TimeRule

FILE = "file"
"""In `run`: the file that a row comes from."""

ALIGNMENTS = ("decided", "in_force")
ALLOWED = ("all", "held")
REST = "rest"


@dataclass(frozen=True)
class LogMapping:
    """What the columns of a log mean. A row is one slice in one interval, and what was decided at its end.

    Args:
        interval: column with the number of the interval in its run; None where `time` says when it was.
        time: how time stamps become intervals.
        slice: column with the slice; None for a log that is `wide`, or of one slice.
        slices: what stands in it for each slice of the scenario, in order; empty: the names of the scenario's slices.
        arrivals: column with the packets (or bytes) of the interval.
        arrivals_transform: scale on which they are modelled (`Column.transform`).
        allocation: column with the units that were decided for the next interval, or how it holds them; None where
            nobody decided anything.
        allocation_is: "decided" at the end of the row's interval, or "in_force" while it was measured.
        allowed: which allocations an environment on a twin offers: "all", or those that the log "held".
        scenario: the network, as `Scenario.to_dict` writes it; may be left out where nobody decided anything.
        files: glob in the folder that is given as the log.
        query: SQL that shapes the log, which it calls `log`, before anything else.
        run: columns that name the run, by number or text, "file" being the file; None if the log is a single run.
        wide: for rows that hold all slices: by the name that the other keys use, the log's name with `{slice}` in it.
        aggregate: how rows of users become rows of slices.
        absent: what columns hold where a slice has no row, by the log's name.
        performance: further columns, by the log's name; the settings of `Column` (each may be given another `name`).
        controls: columns with what was decided in addition to the allocation, by the log's name: the values that each
            may take.
        ssr, spectral_efficiency: how to compute what the reward is made of, where the log has it not; None if it is not
            wanted (the twin then makes no environment), or is itself a column of `performance`.
        missing: what stands for a value that was not measured: texts or numbers.
        missing_is: "gap": the interval is left out.
        short_rows: "missing": what a row that is too short lacks was not measured; None: refused.
        drop_identical: leave out a row that is the same as another one of its interval and slice.
        unused: columns that are left out on purpose; "rest": all that are not named.

    Raises:
        ValueError, TypeError: a value is not allowed; the message names its key.
    """

    arrivals: str
    interval: str | None = None
    time: TimeRule | None = None
    slice: str | None = None
    slices: tuple[Any, ...] = ()
    allocation: AllocationRule | str | None = None
    scenario: Scenario | None = None
    allocation_is: str = "decided"
    allowed: str = "all"
    files: str | None = None
    query: str | None = None
    run: str | tuple[str, ...] | None = None
    wide: Mapping[str, str] = field(default_factory=dict)
    aggregate: AggregateRule | None = None
    absent: Mapping[str, float] = field(default_factory=dict)
    arrivals_transform: str = "sqrt"
    performance: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    controls: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    ssr: SsrRule | None = None
    spectral_efficiency: EfficiencyRule | None = None
    missing: tuple[Any, ...] = ()
    missing_is: str = "gap"
    short_rows: str | None = None
    drop_identical: bool = False
    unused: tuple[str, ...] | str = ()
