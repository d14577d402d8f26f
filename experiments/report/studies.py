"""The sweeps that a report is of: what was typed, and which runs they were to make."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slicing_gym.errors import check_instance

SWEEP = "sweep.json"


@dataclass(frozen=True)
class StudyJob:
    """A run that a sweep was to make: its folder, and its overrides."""

    folder: Path
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Study:
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
    jobs: tuple[StudyJob, ...]


def find_studies(folders: Sequence[Path]) -> tuple[list[Study], list[str]]:
    """The sweeps in folders or below them, and a sentence on each file that is damaged or of another version."""
    studies, faults = {}, []
    for path in (path for folder in folders for path in sorted(folder.rglob(SWEEP))):
        try:
            studies[path.resolve()] = _read(path)
        except (OSError, ValueError, TypeError, KeyError) as error:
            faults.append(f"{path} is damaged, or of another version ({error}): runs without a folder are not known")
    return list(studies.values()), faults


def _read(path: Path) -> Study:
    found = json.loads(path.read_text())
    jobs = tuple(StudyJob(path.parent / job["folder"], tuple(map(str, job["overrides"]))) for job in found["jobs"])
    check_instance("command", found["command"], (str,))
    return Study(path.parent, found["command"], tuple(map(str, found["arguments"])), jobs)
