"""Jobs as processes of this machine: one after the other, or several at a time."""

from __future__ import annotations

import os
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experiments.sweeps.launchers.job import OUTPUT, Job, exit_status, start
from slicing_gym.errors import check_integer

_POLL_S = 0.05


@dataclass(frozen=True)
class LocalLauncher:
    """Runs jobs on this machine.

    Attributes:
        n_jobs: processes at a time; -1: as many as the cores that this process may use.

    One at a time prints to the terminal; several at a time each into a file of their folder.

    Raises:
        TypeError, ValueError: `n_jobs` is no whole number, or is neither -1 nor 1 or more.
    """

    n_jobs: int = -1

    def __post_init__(self) -> None:
        if self.n_jobs != -1:
            check_integer("hydra.launcher.n_jobs", self.n_jobs, at_least=1)

    def launch(self, jobs: Sequence[Job], ended: Callable[[Job, int | None], None]) -> None:
        """Run each job as a process of its own; return when all have ended."""
        at_a_time = len(os.sched_getaffinity(0)) if self.n_jobs == -1 else self.n_jobs
        waiting = deque(jobs)
        running: list[tuple[Job, subprocess.Popen[bytes]]] = []
        try:
            while waiting or running:
                while waiting and len(running) < at_a_time:
                    job = waiting.popleft()
                    running.append((job, _started(job, shown=at_a_time == 1)))
                for job, process in [pair for pair in running if pair[1].poll() is not None]:
                    running.remove((job, process))
                    ended(job, exit_status(process.returncode))
                time.sleep(_POLL_S)
        except BaseException:
            _stop(running, ended)
            raise


def _started(job: Job, shown: bool) -> subprocess.Popen[bytes]:
    if shown:
        return start(job.arguments)
    job.folder.mkdir(parents=True, exist_ok=True)
    with (job.folder / OUTPUT).open("ab") as output:
        return start(job.arguments, output)


def _stop(running: Sequence[tuple[Job, subprocess.Popen[bytes]]], ended: Callable[[Job, int | None], None]) -> None:
    """End jobs by SIGTERM, on which they write a checkpoint; a second interrupt kills them."""
    try:
        for _, process in running:
            process.terminate()
        for job, process in running:
            ended(job, exit_status(process.wait()))
    except BaseException:
        for _, process in running:
            process.kill()
        raise
