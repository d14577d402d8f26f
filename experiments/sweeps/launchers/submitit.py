"""Jobs through submitit: on a Slurm cluster, or by its local executor, which does the same on this machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.sweeps.launchers.job import OUTPUT, Job, blocked, exit_status, start
from experiments.sweeps.launchers.loop import check_n_jobs, processes_at_a_time, run_jobs
from slicing_gym.errors import check_integer

_CANCELLED = "cancelled"
"""File in submitit's folder: the sweep itself ends its jobs, nobody has to start them again."""

_COMMANDS = ("sbatch", "srun", "squeue", "sacct", "scontrol", "scancel")

_INTERRUPTED = 128 + signal.SIGTERM


@dataclass(frozen=True)
class SubmititLauncher:
    """Runs jobs through submitit, whose files are in the folder `.submitit` next to those of the runs.

    A job that gets SIGTERM (preemption) or reaches its time limit ends its run by SIGTERM, on which that writes a
    checkpoint, and is started again; with `resume=auto` its run then goes on.

    Attributes:
        cluster: `local` or `slurm`.
        parameters: of submitit's executor for it; those that are None are left out.
        n_jobs: processes at a time on this machine; -1: as many as the cores that this process may use. Slurm gets
            all of them at once, as an array.
        max_num_timeout: how often a job that reaches its time limit is started again.

    Raises:
        ModuleNotFoundError: submitit is not installed.
        TypeError, ValueError: `n_jobs` is neither -1 nor a whole number of 1 or more, a parameter is unknown, or this
            is no machine of a Slurm cluster.
    """

    cluster: str
    parameters: Mapping[str, Any]
    n_jobs: int = -1
    max_num_timeout: int = 100

    def __post_init__(self) -> None:
        check_n_jobs(self.n_jobs)
        check_integer("hydra.launcher.max_num_timeout", self.max_num_timeout, at_least=0)
        with tempfile.TemporaryDirectory() as folder:
            self._executor(Path(folder))

    def _executor(self, folder: Path) -> Any:
        try:
            from submitit import LocalExecutor, SlurmExecutor
        except ImportError as error:
            raise ModuleNotFoundError(
                f'hydra/launcher: submitit is not installed ({error}): pip install "slicing-gym[slurm]"'
            ) from None
        if self.cluster == "slurm":
            missing = [command for command in _COMMANDS if shutil.which(command) is None]
            if missing:
                raise ValueError(f"hydra/launcher: submitit_slurm needs {', '.join(missing)} of a Slurm cluster here")
        kind = {"local": LocalExecutor, "slurm": SlurmExecutor}[self.cluster]
        executor = kind(folder, max_num_timeout=self.max_num_timeout)
        executor.update_parameters(**{key: value for key, value in self.parameters.items() if value is not None})
        return executor

    def launch(self, jobs: Sequence[Job], ended: Callable[[Job, int | None], None]) -> None:
        """Run each job as a process of its own; return when all have ended."""
        if not jobs:
            return
        parent = jobs[0].folder.parent / ".submitit"
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="", dir=parent))
        executor = self._executor(folder)

        def begin(next_ones: Sequence[Job]) -> list[_SubmittedJob]:
            runs = [_Run(job.arguments, job.folder.resolve(), Path.cwd()) for job in next_ones]
            # Ctrl-C and the end of a terminal reach the processes of the local executor as well; the sweep ends them.
            with blocked(signal.SIGINT, signal.SIGHUP):
                return [_SubmittedJob(submitted, folder) for submitted in executor.submit_array(runs)]

        slurm = self.cluster == "slurm"
        at_a_time = len(jobs) if slurm else processes_at_a_time(self.n_jobs)
        run_jobs(jobs, ended, begin, at_a_time=at_a_time, poll_s=1.0 if slurm else 0.1)


def local(n_jobs: int, timeout_min: float, signal_delay_s: int, max_num_timeout: int) -> SubmititLauncher:
    """Submitit's local executor."""
    return SubmititLauncher(
        "local", {"timeout_min": timeout_min, "signal_delay_s": signal_delay_s}, n_jobs, max_num_timeout
    )


def slurm(max_num_timeout: int, **parameters: Any) -> SubmititLauncher:
    """A Slurm cluster; the parameters are those of `sbatch`, as submitit's SlurmExecutor names them."""
    return SubmititLauncher("slurm", parameters, max_num_timeout=max_num_timeout)


class _SubmittedJob:
    """A job that submitit knows."""

    def __init__(self, job: Any, folder: Path) -> None:
        self.job, self.folder = job, folder

    def poll(self) -> bool:
        return bool(self.job.done())

    def status(self) -> int | None:
        from submitit.core.utils import FailedJobError, UncompletedJobError

        try:
            return int(self.job.result())
        except (FailedJobError, UncompletedJobError):
            return None

    def terminate(self) -> None:
        (self.folder / _CANCELLED).touch()
        if _is_of_slurm(self.job):
            self.job.cancel(check=False)
        elif not self.poll():
            os.kill(int(self.job.job_id), signal.SIGTERM)

    def kill(self) -> None:
        self.job.cancel(check=False)


def _is_of_slurm(job: Any) -> bool:
    from submitit.slurm.slurm import SlurmJob

    return isinstance(job, SlurmJob)


class _Run:
    """What submitit runs, in a process of its own: it starts the process of a run, and waits for it."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, working_folder: Path) -> None:
        self.arguments, self.folder, self.working_folder = arguments, folder, working_folder
        self.process_id: int | None = None

    def __call__(self) -> int:
        """The exit status of the run."""
        from submitit.core.job_environment import JobEnvironment

        signal.signal(signal.SIGTERM, self._preempted)
        # Slurm sends signals to all processes of a job; that of the time limit means this one.
        with blocked(getattr(signal, f"SIG{JobEnvironment.USR_SIG}")):
            process = start(self.arguments, self.folder / OUTPUT, self.working_folder)
            self.process_id = process.pid
        return exit_status(process.wait())

    def checkpoint(self) -> Any:
        """End the run, on which it writes a checkpoint; submitit starts what is returned."""
        from submitit.helpers import DelayedSubmission

        self._end()
        return DelayedSubmission(_Run(self.arguments, self.folder, self.working_folder))

    def _end(self) -> None:
        """Send SIGTERM to the run and wait for its end, without taking its exit status from `__call__`."""
        if self.process_id is None:
            return
        try:
            os.kill(self.process_id, signal.SIGTERM)
            os.waitid(os.P_PID, self.process_id, os.WEXITED | os.WNOWAIT)
        except (ProcessLookupError, ChildProcessError):
            pass  # it has ended, and `__call__` knows

    def _preempted(self, *_: object) -> None:
        """SIGTERM: end the run; start it again, unless that is done by others or not wanted."""
        from submitit.core.job_environment import JobEnvironment

        self._end()
        if (Path(os.environ["SUBMITIT_FOLDER"]) / _CANCELLED).exists():
            return
        number = os.environ.get("SLURM_JOB_ID")
        if number is not None and _state(number) != "RUNNING":  # cancelled, or Slurm itself queues it again
            raise SystemExit(_INTERRUPTED)
        signal.raise_signal(getattr(signal, f"SIG{JobEnvironment.USR_SIG}"))


def _state(number: str) -> str:
    """What Slurm says about a job."""
    command = ["squeue", "--noheader", "--jobs", number, "--format", "%T"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
