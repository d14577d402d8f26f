"""Slurm's commands in place of a cluster's: they run the jobs of batch files on this machine, two at a time.

As much of `sbatch`, `srun`, `squeue`, `sacct`, `scontrol` and `scancel` as submitit uses: job arrays, states, signals
to the tasks of a job, and requeueing. There are no limits of time or memory, and no partitions.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_COMMANDS = ("sbatch", "srun", "squeue", "sacct", "scontrol", "scancel")
_AT_A_TIME = 2
_FIRST = 1000


def install(folder: Path) -> dict[str, str]:
    """Put the commands into a folder; the environment in which they are found first."""
    state, programs = folder / "state", folder / "bin"
    state.mkdir(parents=True)
    programs.mkdir()
    for name in _COMMANDS:
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" {name} "$@"\n')
        program.chmod(0o755)
    return {"FAKE_SLURM": str(state), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


def _file(job: str, what: str) -> Path:
    """A file about a job: its `state`, the `process` of its task, or that it is to be queued again (`requeue`)."""
    return Path(os.environ["FAKE_SLURM"], f"{job}.{what}")


def _say(job: str, state: str) -> None:
    _file(job, "state").write_text(state)


def job_state(job: str) -> str:
    """PENDING, RUNNING, COMPLETED, FAILED or CANCELLED."""
    return _file(job, "state").read_text()


def send(job: str, number: signal.Signals) -> None:
    """Send a signal to the task of a job, as preemption does."""
    os.kill(int(_file(job, "process").read_text()), number)


def sbatch(script: str) -> None:
    """Queue the jobs of a batch file, and run them behind this command's back."""
    taken = [int(path.stem.partition("_")[0]) for path in Path(os.environ["FAKE_SLURM"]).glob("*.state")]
    first = str(max(taken, default=_FIRST) + _FIRST)
    array = re.search(r"^#SBATCH --array=0-(\d+)", Path(script).read_text(), re.MULTILINE)
    jobs = [first] if array is None else [f"{first}_{task}" for task in range(int(array[1]) + 1)]
    for job in jobs:
        _say(job, "PENDING")
    command = [sys.executable, __file__, "queue", script, *jobs]
    nothing = subprocess.DEVNULL
    subprocess.Popen(command, start_new_session=True, stdin=nothing, stdout=nothing, stderr=nothing)
    print(f"Submitted batch job {first}")


def queue(script: str, *jobs: str) -> None:
    """Run jobs, a few at a time."""
    text = Path(script).read_text()  # submitit gives the file another name soon
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        list(pool.map(lambda job: _run(text, job), jobs))


def _run(script: str, job: str) -> None:
    """Run a job, again if it is to be queued again meanwhile."""
    array, _, task = job.partition("_")
    own = {"SLURM_JOB_ID": str(int(array) + int(task or 0)), "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}
    if task:
        own |= {"SLURM_ARRAY_JOB_ID": array, "SLURM_ARRAY_TASK_ID": task}
    while job_state(job) == "PENDING":
        _say(job, "RUNNING")
        code = subprocess.run(["bash", "-c", script], env={**os.environ, **own}, check=False).returncode
        if _file(job, "requeue").exists():
            _file(job, "requeue").unlink()
            _say(job, "PENDING")
        elif job_state(job) == "RUNNING":
            _say(job, "FAILED" if code else "COMPLETED")


def srun(*arguments: str) -> None:
    """Become the task of a job."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    number = os.environ["SLURM_JOB_ID"]
    names = {"%A": array or "", "%a": task or "", "%j": number, "%t": "0"}
    rest = list(arguments)
    while rest[0].startswith("--"):
        option = rest.pop(0)
        if option in ("--output", "--error"):
            path = re.sub("%[Aajt]", lambda found: names[found[0]], rest.pop(0))
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1 if option == "--output" else 2)
    _file(number if array is None else f"{array}_{task}", "process").write_text(str(os.getpid()))
    os.execvp(rest[0], rest)


def squeue(*arguments: str) -> None:
    """Print the state of one job, by its number."""
    number = int(arguments[arguments.index("--jobs") + 1])
    first = number - number % _FIRST
    for job in (str(number), f"{first}_{number - first}"):
        if _file(job, "state").exists():
            print(job_state(job))


def sacct(*arguments: str) -> None:
    """Print the states of all jobs of these numbers."""
    wanted = [arguments[place + 1] for place, each in enumerate(arguments) if each == "-j"]
    print("JobID|State|NodeList")
    for path in sorted(Path(os.environ["FAKE_SLURM"]).glob("*.state")):
        if path.stem.partition("_")[0] in wanted:
            print(f"{path.stem}|{path.read_text()}|here")


def scontrol(what: str, job: str) -> None:
    """Queue a job again, once its task has ended."""
    assert what == "requeue"
    _file(job, "requeue").touch()


def scancel(job: str) -> None:
    """End a job by SIGTERM."""
    running = job_state(job) == "RUNNING"
    _say(job, "CANCELLED")
    if running:
        send(job, signal.SIGTERM)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
