"""Short processes for launchers to run, and the sweep in a process of its own that does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from experiments.sweeps.launchers import Job

SCRIPT = """
import json, os, signal, sys, time
from pathlib import Path

what, folder = sys.argv[1], Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
(folder / "begun").open("a").write("once more ")

def stop(*_):
    (folder / "checkpoint").write_text("half of it")
    sys.exit(143)

if what == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if what == "three":
    sys.exit(3)
if what == "long" and not (folder / "checkpoint").exists():
    signal.signal(signal.SIGTERM, stop)
    (folder / "process").write_text(str(os.getpid()))
    time.sleep(60.0)
print("printed", flush=True)
threads = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")}
(folder / "result.json").write_text(json.dumps(threads))
"""

LAUNCH = """
import sys
from pathlib import Path

from omegaconf import OmegaConf

from experiments.config.files import CONFIG_FOLDER
from experiments.runs.stopping import stopped_by_signals
from experiments.sweeps.launchers import make_launcher
from tests.helpers.jobs import jobs_of

folder, launcher, *kinds = sys.argv[1:]
name, *settings = launcher.split()
file = Path(CONFIG_FOLDER, "hydra", "launcher", f"{name}.yaml")
config = OmegaConf.merge(OmegaConf.load(file), OmegaConf.from_dotlist(settings))

def ended(job, exit_status):
    print(job.number, exit_status, flush=True)

if name.startswith("submitit"):
    from submitit import Job
    Job._results_timeout_s = 1.0  # of a job that was ended it would look for a result for 15 seconds
with stopped_by_signals():
    make_launcher(config).launch(jobs_of(Path(folder), kinds), ended)
"""

ROOT = Path(__file__).resolve().parents[2]
THREADS = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def jobs_of(folder: Path, kinds: list[str]) -> list[Job]:
    """A job for each kind: ok, three (its exit status), killed (by SIGKILL) or long (until it is told to stop)."""
    folder.mkdir(exist_ok=True)
    script = folder / "script.py"
    script.write_text(SCRIPT)
    folders = [folder / str(number) for number in range(len(kinds))]
    return [
        Job(number, (str(script), kind, str(own)), own)
        for number, (kind, own) in enumerate(zip(kinds, folders, strict=True))
    ]


def begin(folder: Path, launcher: str, *kinds: str, **environment: str) -> subprocess.Popen[str]:
    """Launch jobs of these kinds in a process of its own, which prints number and exit status of each.

    The launcher is a file of conf/hydra/launcher, and settings after it.
    """
    inherited = {key: value for key, value in os.environ.items() if key not in THREADS}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", LAUNCH, str(folder), launcher, *kinds],
        cwd=ROOT,
        env={**inherited, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ends(process: subprocess.Popen[str]) -> dict[int, str]:
    """The exit status of each job, by its number, once all have ended."""
    output, errors = process.communicate(timeout=300.0)
    lines = [line.split() for line in output.splitlines() if line and line[0].isdigit()]
    found = {int(number): status for number, status in lines}
    assert found, errors
    return found


def wait_for(path: Path) -> str:
    """What is in a file, as soon as there is one with something in it."""
    while not path.exists() or not path.read_text():
        time.sleep(0.05)
    return path.read_text()


def result(folder: Path) -> dict[str, str]:
    """What a job has written."""
    found: dict[str, str] = json.loads((folder / "result.json").read_text())
    return found
