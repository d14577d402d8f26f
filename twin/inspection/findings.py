"""What an inspection finds: one sentence each, the rows it is about, and which comes first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ORDER = (
    "no_header",
    "no_time",
    "serial_dates",
    "mixed_slices",
    "total",
    "guessed_runs",
    "time_back",
    "summer_time",
    "sorted_hour",
    "cells",
    "negative",
    "running",
    "irregular",
    "no_slice",
    "no_arrivals",
    "constant_allocation",
    "passive",
    "follows",
    "bound",
    "no_reward",
    "few_allocations",
    "mask",
    "shares",
    "idle",
    "absent",
    "rows_per_ue",
    "header",
    "wide",
    "alignment",
    "carried",
    "pause",
    "dialect",
    "jitter",
    "runs",
    "demand",
    "sums",
    "allocations",
    "constant",
)
"""Keys of findings, the most important first."""

SHOWN = 12
"""Most rows that a message names."""


@dataclass(frozen=True)
class Finding:
    """Something that a person has to know about a log.

    Args:
        key: what it is about, one of `ORDER`.
        message: one sentence or two.
        rows: lines of the files that it is about, as a text editor counts them; none if it is about all.
    """

    key: str
    message: str
    rows: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        assert self.key in ORDER, self.key

    def __str__(self) -> str:
        return self.message


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """The most important first; those of a key as they came."""
    return sorted(findings, key=lambda finding: ORDER.index(finding.key))


def listed(entries: Sequence[object], most: int = SHOWN) -> str:
    """Entries of a list with commas, and how many are left out."""
    shown = ", ".join(map(str, entries[:most]))
    return f"{shown} and {len(entries) - most:,} more" if len(entries) > most else shown


def percent(share: float) -> str:
    """A share as a percentage, with a digit after the point where it is small."""
    return f"{share:.0%}" if share >= 0.1 or share == 0.0 else f"{share:.1%}" if share >= 0.001 else "below 0.1%"
