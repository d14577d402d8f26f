"""Each launcher runs processes of which some fail, and none ends another; interrupted, it ends them by SIGTERM."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from experiments.tools import fake_slurm
from tests.helpers.jobs import THREADS, begin, ends, result, wait_for

LAUNCHERS = (
    "joblib n_jobs=1",
    "joblib n_jobs=2",
    "submitit_local n_jobs=2",
    "submitit_slurm",
    pytest.param("ray", marks=pytest.mark.slow),  # it needs ten seconds and more to begin
)


def environment_of(launcher: str, folder: Path) -> dict[str, str]:
    """What a launcher needs in the environment: a cluster, for Slurm."""
    if launcher == "ray":
        pytest.importorskip("ray", reason='Ray is not installed: pip install "slicing-gym[ray]"')
    return fake_slurm.install(folder / "slurm") if launcher == "submitit_slurm" else {}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_job_that_fails_or_is_killed_ends_no_other(launcher, tmp_path):
    environment = environment_of(launcher, tmp_path)
    found = ends(begin(tmp_path / "sweep", launcher, "ok", "three", "killed", "ok", **environment))
    assert found == {0: "0", 1: "3", 2: "137", 3: "0"}
    for number in (0, 3):
        folder = tmp_path / "sweep" / str(number)
        assert result(folder) == THREADS
        assert (folder / "begun").read_text() == "once more "
        if launcher != "joblib n_jobs=1":
            assert (folder / "output.log").read_text() == "printed\n"


@pytest.mark.parametrize("launcher", LAUNCHERS[1:])
def test_interrupted_it_ends_its_jobs_by_sigterm(launcher, tmp_path):
    environment = environment_of(launcher, tmp_path)
    process = begin(tmp_path / "sweep", launcher, "long", "long", "ok", **environment)
    for number in (0, 1):
        wait_for(tmp_path / "sweep" / str(number) / "process")
    process.send_signal(signal.SIGINT)
    found = ends(process)
    assert process.returncode != 0
    for number in (0, 1):
        assert found[number] == ("None" if launcher == "ray" else "143")
        assert (tmp_path / "sweep" / str(number) / "checkpoint").exists()
        with pytest.raises(ProcessLookupError):
            os.kill(int(wait_for(tmp_path / "sweep" / str(number) / "process")), 0)


def test_a_preempted_job_of_the_local_executor_goes_on_from_its_checkpoint(tmp_path):
    process = begin(tmp_path / "sweep", "submitit_local", "long")
    wait_for(tmp_path / "sweep" / "0" / "process")
    (job,) = {path.name.split("_")[0] for path in (tmp_path / "sweep" / ".submitit").glob("*/*_submitted.pkl")}
    os.kill(int(job), signal.SIGTERM)
    assert ends(process) == {0: "0"}
    assert (tmp_path / "sweep" / "0" / "begun").read_text() == "once more once more "


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR2], ids=["preempted", "at its time limit"])
def test_slurm_queues_a_job_again_that_is_preempted_or_at_its_time_limit(number, tmp_path, monkeypatch):
    environment = fake_slurm.install(tmp_path / "slurm")
    monkeypatch.setenv("FAKE_SLURM", environment["FAKE_SLURM"])
    process = begin(tmp_path / "sweep", "submitit_slurm partition=gpu time=90", "long", "ok", **environment)
    wait_for(tmp_path / "sweep" / "0" / "process")
    fake_slurm.send("2000_0", number)
    assert ends(process) == {0: "0", 1: "0"}
    (batch_file,) = (tmp_path / "sweep" / ".submitit").glob("*/*_submission.sh")
    keys = ("partition=gpu", "time=90", "array=0-1%2", "signal=USR2@120", "requeue", "cpus-per-task=1", "mem=4GB")
    assert {f"#SBATCH --{key}" for key in keys} < set(batch_file.read_text().splitlines())
    assert "--account" not in batch_file.read_text()
    assert (tmp_path / "sweep" / "0" / "begun").read_text() == "once more once more "


def test_slurm_does_not_queue_a_job_again_that_its_user_cancels(tmp_path, monkeypatch):
    environment = fake_slurm.install(tmp_path / "slurm")
    monkeypatch.setenv("FAKE_SLURM", environment["FAKE_SLURM"])
    process = begin(tmp_path / "sweep", "submitit_slurm", "long", **environment)
    wait_for(tmp_path / "sweep" / "0" / "process")
    fake_slurm.scancel("2000")
    assert ends(process) == {0: "None"}
    assert (tmp_path / "sweep" / "0" / "begun").read_text() == "once more "
