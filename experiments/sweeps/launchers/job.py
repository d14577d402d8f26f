"""A job of a sweep, what launches such, and how its process is begun."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

OUTPUT = "output.log"
"""In the folder of a job: what its process printed, wherever it ran; that of a resumed one is added."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Environment variables that limit a process's threads; two processes with two each are slower than one."""


@dataclass(frozen=True)
class Job:
    """One process of a sweep.

    Attributes:
        number: of the job, from 0.
        arguments: those after the interpreter, as `("-m", "experiments.train", "seed=1", ...)`.
        folder: of the run; what the process prints is put there.
    """

    number: int
    arguments: tuple[str, ...]
    folder: Path


@runtime_checkable
class Launcher(Protocol):
    """Runs jobs, wherever."""

    def launch(self, jobs: Sequence[Job], ended: Callable[[Job, int | None], None]) -> None:
        """Run each job as a process of its own; return when all have ended.

        A job that fails or is killed stops no other. If an exception ends the launcher, such as KeyboardInterrupt, it
        ends its jobs by SIGTERM, on which they write a checkpoint, and waits for them; a second one kills them.

        Args:
            jobs: what to run.
            ended: called from the caller's thread as each job ends, with its exit status; 128 + n if signal n killed
                it; None if nobody knows, as when its machine was lost.
        """


def start(arguments: Sequence[str], output: Path | None = None, folder: Path | None = None) -> subprocess.Popen[bytes]:
    """Begin the process of a job, in one thread unless the environment says otherwise.

    It is in a session of its own: what Ctrl-C in a terminal sends goes to the launcher alone, which ends its jobs.

    Args:
        arguments: those after the interpreter.
        output: file that what it prints is added to; None: it prints to the terminal.
        folder: where it works; None: here.
    """
    command = [sys.executable, *arguments]
    environment = {**dict.fromkeys(THREADS, "1"), "OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    begin = subprocess.Popen[bytes]
    if output is None:
        return begin(command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, start_new_session=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("ab") as file:
        return begin(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def exit_status(returncode: int) -> int:
    """The exit status as shells give it: 128 + n where signal n killed the process."""
    return returncode if returncode >= 0 else 128 - returncode


@contextmanager
def blocked(*signals: signal.Signals) -> Iterator[None]:
    """These signals wait until the block is left; a process that is begun in it never gets them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
