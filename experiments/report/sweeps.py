"""The sweeps that a report is of: what was typed, and which runs they were to make."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.runs.process import SWEEP
from experiments.sweeps.plan import Sweep, read_sweep


def find_sweeps(folders: Sequence[Path]) -> tuple[dict[Path, Sweep], list[str]]:
    """The sweeps in folders or below them, by their folder, and a sentence on each file that is damaged."""
    sweeps, faults = {}, []
    for place in dict.fromkeys(path.parent for folder in folders for path in sorted(folder.rglob(SWEEP))):
        try:
            sweeps[place] = read_sweep(place)
        except ValueError as error:
            faults.append(f"{error}; runs of it that left no folder are not known")
    return sweeps, faults
