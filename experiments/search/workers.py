"""Tasks of a search as processes of their own, which end when the process of the search is gone."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.runs.lock import STALE_S, RunIsLocked, RunLock, read_writer

if TYPE_CHECKING:
    from experiments.sweeps.launchers import Launcher

WORKERS = "workers"
"""Folder in that of the study: of each process, with what it printed and its lock."""
_LOOK_S = 1.0
"""Seconds between looks at whether the search is still there, or a worker."""
_MISSED = 3
"""Looks in a row without the search after which a worker ends: one alone may be a file that cannot be read."""

_log = logging.getLogger(__name__)


def run_workers(
    folder: Path, imports: Sequence[str], tasks: Sequence[str], workers: int, launcher: Launcher | None
) -> None:
    """Perform tasks of the search in a folder, which this process has locked, each in a process of its own.

    Args:
        folder: of the study.
        imports: modules that each imports.
        tasks: see `Search.perform`.
        workers: processes at a time on this machine.
        launcher: where else; it says itself how many at a time. None: on this machine.

    Raises:
        ChildProcessError: a process failed; the message names where it says why.
    """
    from experiments.sweeps.launchers import Job, LocalLauncher  # which bring in Hydra

    start = ("-m", "experiments.search.worker", str(folder), f"imports={','.join(imports)}", f"search={_name(folder)}")
    numbered = [(number, (*start, task, str(number))) for number, task in enumerate(tasks)]
    jobs = [Job(number, arguments, folder / WORKERS / str(number)) for number, arguments in numbered]
    failed: list[str] = []

    def ended(job: Job, status: int | None) -> None:
        if status != 0:
            failed.append(f"{tasks[job.number]}: exit status {status}, see {job.folder / 'output.log'}")

    if launcher is None or isinstance(launcher, LocalLauncher):
        launcher = LocalLauncher(n_jobs=min(workers, len(tasks)))
    launcher.launch(jobs, ended)
    if failed:
        raise ChildProcessError("workers: " + "; ".join(failed) + "; resume=auto goes on")


def _name(folder: Path) -> str:
    """What tells the process that has locked a folder from all others; "" if nobody has."""
    found = read_writer(folder)
    return "" if found is None or not found.is_alive else f"{found.host}/{found.process}/{found.since}"


@contextmanager
def working_for(search: str, folder: Path, number: str) -> Iterator[None]:
    """A worker's work: alone in its folder, and ended by SIGTERM once the process of its search is gone.

    Args:
        search: what `run_workers` calls that process.
        folder: of the study.
        number: of the worker.

    Raises:
        RuntimeError: it is gone already.
        RunIsLocked: the worker is there twice.
    """
    if _name(folder) != search:
        raise RuntimeError(f"search: the process that began this one is gone ({search})")
    over = threading.Event()

    def watch() -> None:
        missed = 0
        while missed < _MISSED and not over.wait(_LOOK_S):
            missed = 0 if _name(folder) == search else missed + 1
        if not over.is_set():
            _log.info("the process of the search is gone, so this one ends")
            os.kill(os.getpid(), signal.SIGTERM)

    with RunLock(folder / WORKERS / number):
        threading.Thread(target=watch, daemon=True).start()
        try:
            yield
        finally:
            over.set()


def wait_for_workers(folder: Path) -> None:
    """Wait until the workers of a search that is gone have ended: what they were at is begun again.

    Raises:
        RunIsLocked: one is still there after twice the time in which the lock of a lost machine counts.
    """
    begun, said = time.monotonic(), False
    while alive := _locked(folder):
        if time.monotonic() - begun > 2 * STALE_S:
            raise RunIsLocked(f"folder: {str(alive[0])!r}: {read_writer(alive[0])}")
        if not said:
            _log.info("waiting for %d workers of the search before to end", len(alive))
            said = True
        time.sleep(_LOOK_S / 2)


def _locked(folder: Path) -> list[Path]:
    return [path for path in sorted((folder / WORKERS).glob("*")) if _name(path)]
