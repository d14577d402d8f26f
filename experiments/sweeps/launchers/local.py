"""Jobs as processes of this machine: one after the other, or several at a time."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from experiments.sweeps.launchers.job import OUTPUT, Job, exit_status, start
from experiments.sweeps.launchers.loop import check_n_jobs, processes_at_a_time, run_jobs


@dataclass(frozen=True)
class LocalLauncher:
    """Runs jobs on this machine; one at a time prints to the terminal, several each into a file of their folder.

    Attributes:
        n_jobs: processes at a time; -1: as many as the cores that this process may use.

    Raises:
        TypeError, ValueError: `n_jobs` is neither -1 nor a whole number of 1 or more.
    """

    n_jobs: int = -1

    def __post_init__(self) -> None:
        check_n_jobs(self.n_jobs)

    def launch(self, jobs: Sequence[Job], ended: Callable[[Job, int | None], None]) -> None:
        """Run each job as a process of its own; return when all have ended."""
        at_a_time = processes_at_a_time(self.n_jobs)

        def begin(next_ones: Sequence[Job]) -> Iterator[_LocalProcess]:
            return (_LocalProcess(job, shown=at_a_time == 1) for job in next_ones)

        run_jobs(jobs, ended, begin, at_a_time=at_a_time)


class _LocalProcess:
    """A process of this machine."""

    def __init__(self, job: Job, shown: bool) -> None:
        self.process: subprocess.Popen[bytes] = start(job.arguments, None if shown else job.folder / OUTPUT)

    def poll(self) -> bool:
        return self.process.poll() is not None

    def status(self) -> int:
        return exit_status(self.process.returncode)

    def terminate(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        self.process.kill()
