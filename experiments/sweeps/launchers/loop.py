"""The loop of every launcher: begin jobs as there is room for them, say which have ended, end them all if asked."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from experiments.runs.stopping import signals_put_off
from experiments.sweeps.launchers.job import Job
from slicing_gym.errors import check_integer


class Handle(Protocol):
    """A job that was begun, wherever."""

    def poll(self) -> bool:
        """Whether it has ended."""

    def status(self) -> int | None:
        """Its exit status, once it has ended; None if nobody knows."""

    def terminate(self) -> None:
        """Send SIGTERM to its process; one that waits for its turn never begins."""

    def kill(self) -> None:
        """End it at once."""


def run_jobs(
    jobs: Sequence[Job],
    ended: Callable[[Job, int | None], None],
    begin: Callable[[Sequence[Job]], Iterable[Handle]],
    *,
    at_a_time: int,
    poll_s: float = 0.05,
) -> None:
    """Run jobs, as `Launcher.launch` says.

    Args:
        jobs: what to run.
        ended: called as each ends, with its exit status.
        begin: begins jobs, and gives their handles, each as soon as there is one; signals wait meanwhile.
        at_a_time: jobs that have begun and not ended, at most.
        poll_s: seconds between looks at them.
    """
    waiting, running = deque(jobs), list[tuple[Job, Handle]]()
    try:
        while waiting or running:
            next_ones = [waiting.popleft() for _ in range(min(len(waiting), at_a_time - len(running)))]
            if next_ones:
                with signals_put_off():  # what was begun and not noted would be nobody's to end
                    running.extend(zip(next_ones, begin(next_ones), strict=True))
            _say_which_ended(running, ended)
            time.sleep(poll_s)
    except BaseException:
        _end(running, ended, poll_s)
        raise


def _say_which_ended(running: list[tuple[Job, Handle]], ended: Callable[[Job, int | None], None]) -> None:
    for job, handle in list(running):
        if handle.poll():
            running.remove((job, handle))
            ended(job, handle.status())


def _end(running: list[tuple[Job, Handle]], ended: Callable[[Job, int | None], None], poll_s: float) -> None:
    """End jobs by SIGTERM and wait for them; what interrupts that kills them."""
    try:
        for _, handle in running:
            handle.terminate()
        while running:
            _say_which_ended(running, ended)
            time.sleep(poll_s)
    except BaseException:
        for _, handle in running:
            handle.kill()
        raise


def check_n_jobs(n_jobs: int) -> None:
    """Raise a TypeError or ValueError unless it is -1 or 1 or more."""
    if n_jobs != -1:
        check_integer("hydra.launcher.n_jobs", n_jobs, at_least=1)


def processes_at_a_time(n_jobs: int) -> int:
    """`n_jobs`, of which -1 means as many as the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if n_jobs == -1 else n_jobs
