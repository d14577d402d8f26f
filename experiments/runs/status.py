"""`status.json` in a run's folder: whether it waits, runs or has ended, and how."""

from __future__ import annotations

import json
import os
import platform
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from experiments.runs.lock import is_locked
from slicing_gym.errors import check_instance, check_integer, check_number
from slicing_gym.files import atomic_write
from slicing_gym.reading import read_json
from slicing_gym.version import __version__

STATUS_FILE = "status.json"
STATES = ("queued", "running", "done", "refused", "failed", "stopped")
"""refused: by the checks, before any work; failed: by an error; stopped: by a signal, so that it can go on."""
DEAD = "dead"
"""The state of a run that says it is running, or waits for its turn, while nobody is there to run it."""
MISSING = "missing"
"""The state of a folder without a run."""
_PACKAGES = ("numpy", "numba", "gymnasium", "torch", "stable-baselines3", "sb3-contrib", "hydra-core")


@dataclass(frozen=True)
class Status:
    """Where a run stands.

    Args:
        state: one of `STATES`.
        command: that runs it: train, offline, ...
        overrides: its arguments.
        error: what refused it, or what it failed with, in one message; "" if nothing did.
        traceback: of that error; "" of what was refused.
        seconds: from its start, or its last one, to its end; None before.
        started: when it last began, ISO 8601 with time zone; None before.
        ended: when it ended; None before.
        host: where it runs, or ran.
        process: its process there; None before.
        versions: of Python, of this package ("slicing-gym") and of those whose version can change a result.
    """

    state: str
    command: str = ""
    overrides: tuple[str, ...] = ()
    error: str = ""
    traceback: str = ""
    seconds: float | None = None
    started: str | None = None
    ended: str | None = None
    host: str = field(default_factory=socket.gethostname)
    process: int | None = None
    versions: Mapping[str, str] = field(default_factory=lambda: versions())

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"state: {self.state!r} given, allowed are {', '.join(STATES)}")
        for name in ("command", "error", "traceback", "host", "started", "ended"):
            value = getattr(self, name)
            if value is not None or name not in ("started", "ended"):
                object.__setattr__(self, name, _readable(name, value))
        object.__setattr__(self, "overrides", tuple(_readable("overrides", each) for each in self.overrides))
        for each in (*self.versions, *self.versions.values()):
            check_instance("versions", each, (str,))
        if self.seconds is not None:
            check_number("seconds", self.seconds, at_least=0.0)
        if self.process is not None:
            check_integer("process", self.process, at_least=0)


def _readable(key: str, value: object) -> str:
    """A text that can be written and printed: what is no character, as in some names of files, is escaped."""
    check_instance(key, value, (str,))
    return str(value).encode(errors="backslashreplace").decode()


def write_status(folder: str | os.PathLike[str], status: Status) -> None:
    """Write the status of a run into its folder, atomically.

    Args:
        folder: of the run.
        status: what it holds from now on.
    """
    with atomic_write(Path(folder) / STATUS_FILE) as file:
        file.write(json.dumps(asdict(status), indent=2).encode())


def read_status(folder: str | os.PathLike[str]) -> Status | None:
    """The status of the run in a folder; None: it has none, as those of versions before.

    Args:
        folder: of the run.

    Raises:
        ValueError: the file is damaged, or of another version.
    """
    path = Path(folder) / STATUS_FILE
    try:
        found = read_json("folder", path)
        check_instance("overrides", found["overrides"], (list,))
        check_instance("versions", found.get("versions", {}), (Mapping,))
        return Status(**{**found, "overrides": tuple(found["overrides"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"folder: {str(path)!r} is no status of a run, or of another version ({error}); remove it, and the run "
            "counts as one of a version before"
        ) from None


def state_of(folder: str | os.PathLike[str]) -> str:
    """The state of the run in a folder: one of `STATES`, `DEAD` or `MISSING`.

    A run of a version before has no status: it is done if it has its summary, and else dead if it has a checkpoint.

    Args:
        folder: of the run.

    Raises:
        ValueError: see `read_status`.
    """
    place, status = Path(folder), read_status(folder)
    if status is None:
        return _state_of_earlier(place)
    if status.state == "running":
        return status.state if is_locked(place) else DEAD
    if status.state == "queued":  # until it begins, the sweep that will begin it has the lock
        return status.state if is_locked(place) or is_locked(place.parent) else DEAD
    return status.state


def _state_of_earlier(folder: Path) -> str:
    """The state of a run of a version before, by its files."""
    if is_locked(folder):
        return "running"
    if (folder / "checkpoint.npz").is_file():
        return DEAD
    return "done" if any((folder / name).is_file() for name in ("summary.json", "offline.json")) else MISSING


def now() -> str:
    """This moment, as a status has it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of Python, of this package and of those whose version can change a result."""
    found = {"python": platform.python_version(), "slicing-gym": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # an extra
            continue
    return found
