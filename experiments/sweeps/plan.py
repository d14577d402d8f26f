"""What `sweep.json` says: which runs a sweep has, and what was swept."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from experiments.runs.process import SWEEP
from slicing_gym.files import atomic_write
from slicing_gym.reading import read_json


@dataclass(frozen=True)
class SweepJob:
    """A run of a sweep.

    Args:
        number: of the run, from 0.
        overrides: its arguments.
        folder: its name, in the folder of the sweep.
    """

    number: int
    overrides: tuple[str, ...]
    folder: str


@dataclass(frozen=True)
class Sweep:
    """Runs of one command.

    Args:
        command: train, offline, ...
        arguments: as they were typed last.
        swept: keys that had several values.
        jobs: the runs.
    """

    command: str
    arguments: tuple[str, ...]
    swept: tuple[str, ...]
    jobs: tuple[SweepJob, ...]

    def with_earlier(self, earlier: Sweep) -> Sweep:
        """This sweep and after its own the runs that an earlier one in the same folder has in addition."""
        own = {job.folder for job in self.jobs}
        others = [job for job in earlier.jobs if job.folder not in own]
        jobs = [replace(job, number=number) for number, job in enumerate([*self.jobs, *others])]
        return replace(self, swept=_each_once(self.swept + earlier.swept), jobs=tuple(jobs))


def read_sweep(folder: str | os.PathLike[str]) -> Sweep:
    """The sweep in a folder.

    Raises:
        FileNotFoundError: there is none, or an earlier version's, which left no such file.
        ValueError: its file is damaged, or of another version.
    """
    path = Path(folder) / SWEEP
    if not path.is_file():
        raise FileNotFoundError(f"folder: {str(folder)!r} has no {SWEEP}; it is no sweep, or one of an earlier version")
    try:
        found = read_json("folder", path)
        jobs = [SweepJob(each["number"], tuple(each["overrides"]), each["folder"]) for each in found["jobs"]]
        return Sweep(found["command"], tuple(found["arguments"]), tuple(found["swept"]), tuple(jobs))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"folder: {str(path)!r} is damaged, or of another version ({error})") from None


def write_sweep(folder: str | os.PathLike[str], sweep: Sweep) -> None:
    """Write a sweep into its folder, atomically."""
    with atomic_write(Path(folder) / SWEEP) as file:
        file.write(json.dumps(asdict(sweep), indent=2).encode())


def _each_once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
