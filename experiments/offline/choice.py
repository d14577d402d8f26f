"""Which of two agents is kept: the better one in the twin, but of a log none that leaves what the log held."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.config.quoting import as_typed

CANDIDATES = ("after_algorithm_2", "agent_2")
"""What is evaluated in the twin, and left as zips: Agent 1 after Algorithm 2, and Agent 2 as it came from the twin."""

CLEARLY = 0.05
"""Share of the states by which one of them has to leave the units held more often: a few states are no difference."""


@dataclass(frozen=True)
class Choice:
    """Of the two `CANDIDATES`, which one is kept.

    Args:
        in_twin: what each earned in the twin [U a decision].
        outside: share of the history's states in which each gives a slice fewer or more units than it ever held; None:
            not asked, as of a history that was recorded in the simulator.
    """

    in_twin: tuple[float, float]
    outside: tuple[float, float] | None = None

    @property
    def by_units(self) -> bool:
        """Whether the units decide: in the twin the one that leaves them is better where it has nothing to go by."""
        return self.outside is not None and abs(self.outside[0] - self.outside[1]) > CLEARLY

    @property
    def kept(self) -> int:
        """Its place in `CANDIDATES`; of two alike Agent 2."""
        if self.outside is not None and self.by_units:
            return int(self.outside[1] < self.outside[0])
        return int(self.in_twin[1] >= self.in_twin[0])

    def to_dict(self) -> dict[str, Any]:
        """The choice as builtin types, by name."""
        outside = None if self.outside is None else dict(zip(CANDIDATES, self.outside, strict=True))
        in_twin = dict(zip(CANDIDATES, self.in_twin, strict=True))
        return {"kept": CANDIDATES[self.kept], "in_twin": in_twin, "outside": outside, "by_units": self.by_units}


def choice_lines(found: Mapping[str, Any], folder: Path | None) -> list[str]:
    """What `Choice.to_dict` holds, as lines of a report.

    Args:
        found: the choice.
        folder: with the files of both; None: they are gone.
    """
    kept, in_twin, outside = found["kept"], found["in_twin"], found["outside"]
    other = next(name for name in CANDIDATES if name != kept)
    why = f"by the twin alone it earns {in_twin[kept]:.3f}, {_in_words(other)} {in_twin[other]:.3f}"
    if found["by_units"]:
        why = (
            f"outside the units that the history gave a slice in {outside[kept]:.0%} of the states, {_in_words(other)} "
            f"in {outside[other]:.0%} ({why})"
        )
    lines = [f"kept as agent.zip: {_in_words(kept)}; {why}"]
    if folder is not None:
        path = os.path.relpath(folder / f"{other}.zip")
        lines.append(f"  the other: python -m experiments.export {as_typed('policy', path)}")
    return lines


def _in_words(name: str) -> str:
    return name.replace("_", " ")
