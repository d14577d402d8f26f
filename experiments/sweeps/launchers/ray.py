"""Jobs through Ray: on the cores of this machine, or on a cluster by its address."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.sweeps.launchers.job import OUTPUT, Job, exit_status, start
from experiments.sweeps.launchers.loop import run_jobs


@dataclass(frozen=True)
class RayLauncher:
    """Runs jobs as tasks of Ray, which waits for free cores itself.

    Attributes:
        address: `local` begins Ray on this machine; else that of a cluster, as `auto` or `10.0.0.1:6379`. Its machines
            need this package and a file system with the folders of the runs in common.
        num_cpus: cores of a job.
        num_gpus: GPUs of a job.
        max_retries: how often a job is started again whose machine was lost; with `resume=auto` it goes on.

    Raises:
        ModuleNotFoundError: Ray is not installed.
    """

    address: str = "local"
    num_cpus: float = 1
    num_gpus: float = 0
    max_retries: int = 3

    def __post_init__(self) -> None:
        _ray()

    def launch(self, jobs: Sequence[Job], ended: Callable[[Job, int | None], None]) -> None:
        """Run each job as a process of its own; return when all have ended."""
        ray = _ray()
        ray.init(address=self.address, include_dashboard=False, log_to_driver=False, logging_level="warning")
        run = ray.remote(num_cpus=self.num_cpus, num_gpus=self.num_gpus, max_retries=self.max_retries)(_run)

        def begin(next_ones: Sequence[Job]) -> Iterator[_Task]:
            here = Path.cwd()
            return (_Task(run.remote(job.arguments, job.folder.resolve(), here)) for job in next_ones)

        try:
            run_jobs(jobs, ended, begin, at_a_time=max(len(jobs), 1), poll_s=0.2)
        finally:
            ray.shutdown()


class _Task:
    """A job that Ray knows."""

    def __init__(self, reference: Any) -> None:
        self.reference = reference

    def poll(self) -> bool:
        return bool(_ray().wait([self.reference], timeout=0)[0])

    def status(self) -> int | None:
        try:
            return int(_ray().get(self.reference))
        except _ray().exceptions.RayError:
            return None

    def terminate(self) -> None:
        _ray().cancel(self.reference)

    def kill(self) -> None:
        _ray().cancel(self.reference, force=True)


def _run(arguments: tuple[str, ...], folder: Path, working_folder: Path) -> int:
    """Start the process of a run and wait for it; its exit status."""
    process = start(arguments, folder / OUTPUT, working_folder)
    try:
        while process.poll() is None:
            time.sleep(0.1)
    except BaseException:  # Ray cancels a task by KeyboardInterrupt
        process.terminate()
        process.wait()
        raise
    return exit_status(process.returncode)


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told
    try:
        import ray
    except ImportError as error:
        raise ModuleNotFoundError(
            f'hydra/launcher: Ray is not installed ({error}): pip install "slicing-gym[ray]"'
        ) from None
    return ray
