"""The sweeps that a report is of: what was typed, and which runs they were to make."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slicing_gym.errors import check_instance

SWEEP_FILE = "sweep.json"


@dataclass(frozen=True)
class FoundJob:
    """A run that a sweep was to make: its folder, and its overrides."""

    folder: Path
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class FoundSweep:
    """A sweep, as its file has it.

    Args:
        folder: of the sweep.
        command: train, offline, ...
        arguments: as they were typed.
        jobs: its runs.
    """

    folder: Path
    command: str
    arguments: tuple[str, ...]
    jobs: tuple[FoundJob, ...]


def find_sweeps(folders: Sequence[Path]) -> tuple[list[FoundSweep], list[str]]:
    """The sweeps in folders or below them, and a sentence on each file that is damaged or of another version."""
    sweeps, faults = {}, []
    for path in (path for folder in folders for path in sorted(folder.rglob(SWEEP_FILE))):
        try:
            sweeps[path.resolve()] = _read(path)
        except (OSError, ValueError, TypeError, KeyError) as error:
            faults.append(f"{path} is damaged, or of another version ({error}): runs without a folder are not known")
    return list(sweeps.values()), faults


def _read(path: Path) -> FoundSweep:
    found = json.loads(path.read_text())
    jobs = tuple(FoundJob(path.parent / job["folder"], tuple(map(str, job["overrides"]))) for job in found["jobs"])
    check_instance("command", found["command"], (str,))
    return FoundSweep(path.parent, found["command"], tuple(map(str, found["arguments"])), jobs)
