"""Sweeps of small runs: refused, raising, killed with or without their parent; and what is done when typed again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from experiments.config.hydra import Command, register
from experiments.runs import lock
from experiments.runs.lock import RunIsLocked, RunLock, read_writer
from experiments.runs.status import Status, read_status, state_of, write_status
from experiments.sweeps.plan import read_sweep
from experiments.sweeps.run import sweep
from experiments.tools.digests import digests
from experiments.train.__main__ import prepare
from experiments.train.check import check_unseen
from experiments.train.settings import TrainConfig
from tests.helpers.commands import configured

TRAIN = Command("train", TrainConfig, prepare, check_seed=lambda config: check_unseen(config.evaluation, config.seed))
TINY = (
    *("scenario=paper-1mhz", "twin=none", "agent.learning_starts=50", "agent.batch_size=8", "progress=false"),
    *("evaluation.policies=[]", "evaluation.seeds=[100]", "evaluation.decisions=5", "checkpoint_s=0.2"),
)
BREAKS = '''
import os
import gymnasium as gym


class Breaks(gym.Wrapper):
    """Fails at the hundredth decision of an episode, until it is mended."""

    def reset(self, **arguments):
        self.steps = 0
        return super().reset(**arguments)

    def step(self, action):
        self.steps += 1
        if self.steps == 100 and not os.path.exists("mended"):
            raise RuntimeError("the cell is on fire")
        return super().step(action)
'''


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """Where commands are typed, with a module of the user's own."""
    (tmp_path / "breaking.py").write_text(BREAKS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])]))
    register("train", TrainConfig)


def test_refused_and_failed_runs_stop_nobody_and_are_tried_again_if_asked(capsys):
    wrappers = "env.wrappers=choice([],[{_target_: breaking.Breaks}])"
    typed = [*("-m", *TINY, "decisions=200", "seed=0,100", wrappers, "imports=[breaking]"), "hydra.sweep.dir=runs"]
    assert sweep(TRAIN, typed) == 1
    printed = capsys.readouterr().out
    assert "2 of 4 combinations are refused" in printed
    assert printed.endswith("1 done, 2 refused, 1 failed: runs\n")
    assert "RuntimeError: the cell is on fire" in printed
    assert "retry=failed" in printed
    whole = read_sweep("runs")
    assert whole.swept == ("seed", "env.wrappers")
    states = {job.overrides[-3:-1]: state_of(Path("runs", job.folder)) for job in whole.jobs}
    assert list(states.values()) == ["done", "failed", "refused", "refused"]
    good, failed, refused, _ = (read_status(Path("runs", job.folder)) for job in whole.jobs)
    assert refused.error.startswith("evaluation.seeds: 100 is the cell that the agent learns on")
    assert "the cell is on fire" in failed.traceback
    assert "the cell is on fire" in Path("runs", whole.jobs[1].folder, "train.log").read_text()

    assert sweep(TRAIN, typed) == 1
    assert "has 2 of these runs already" in capsys.readouterr().err
    Path("mended").touch()
    assert sweep(TRAIN, [*typed, "resume=auto"]) == 1
    assert capsys.readouterr().out.endswith("1 done, 2 refused, 1 failed: runs\n")
    assert sweep(TRAIN, [*typed, "resume=auto", "retry=failed"]) == 1
    printed = capsys.readouterr().out
    assert printed.endswith("2 done, 2 refused: runs\n")
    assert "1 of 4 runs to do, 1 done: runs" in printed
    assert read_status(Path("runs", whole.jobs[0].folder)) == good  # it was not run again


LAUNCHES = '''
import time
from pathlib import Path


class Launches:
    """Ends jobs by an exit status, or as else is said; it begins none."""

    def __init__(self, ends):
        self.ends = ends

    def launch(self, jobs, ended):
        for job, end in zip(jobs, self.ends):
            if end == "raises":
                raise TypeError("there is no such partition")
            for _ in range(500 * (end == "taken over")):
                Path("runs", "run.lock").write_bytes(Path("other.lock").read_bytes())
                time.sleep(0.01)
            if end == "unreadable":
                (job.folder / "status.json").write_text("{")
            ended(job, end if isinstance(end, int) else 0)
'''


def typed_with(ends, seeds):
    """A sweep by a launcher of the user's own."""
    Path("launches.py").write_text(LAUNCHES)
    Path("mine/hydra/launcher").mkdir(parents=True, exist_ok=True)
    Path("mine/hydra/launcher/mine.yaml").write_text(f"_target_: launches.Launches\nends: {ends}\n")
    return ["-m", "--config-dir=mine", "hydra/launcher=mine", *TINY, f"seed={seeds}", "hydra.sweep.dir=runs"]


def state_in_runs(name):
    return read_status(Path("runs", name)).state


def test_a_job_that_a_signal_ends_before_its_run_began_is_resumed_and_one_that_breaks_is_not(capsys):
    Path("runs/seed-3").mkdir(parents=True)
    Path("runs/seed-3/output.log").touch()
    assert sweep(TRAIN, typed_with("[143, 130, 3, 3]", "0,1,2,3")) == 1
    printed = capsys.readouterr().out
    assert [state_in_runs(f"seed-{seed}") for seed in range(4)] == ["queued", "queued", "failed", "failed"]
    assert state_of(Path("runs", "seed-0")) == "dead"
    assert "[1/4] seed-0: queued, exit status 143\n" in printed
    assert "exit status 3 before the run began\n" in printed  # with no word of a file that is not there
    assert "exit status 3 before the run began; see runs/seed-3/output.log\n" in printed
    assert "go on with: python -m experiments.train" in printed
    assert sweep(TRAIN, [*typed_with("[137, 143]", "0,1,2,3"), "resume=auto"]) == 1
    assert "2 of 4 runs to do, 2 failed: runs" in capsys.readouterr().out


def test_a_status_that_cannot_be_read_ends_no_sweep(capsys):
    assert sweep(TRAIN, typed_with("[unreadable, 143]", "0,1")) == 1
    printed = capsys.readouterr().out
    assert "[1/2] seed-0: failed: folder: 'runs/seed-0/status.json' is no status of a run" in printed
    assert "[2/2] seed-1: queued" in printed
    assert printed.endswith("1 failed, 1 queued: runs\n")
    assert sweep(TRAIN, [*typed_with("[143]", "0,1"), "resume=auto"]) == 1
    assert "1 of 2 runs to do: runs" in capsys.readouterr().out
    assert Path("runs/seed-0/status.json").read_text() == "{"  # for its user to look at


def test_an_error_of_the_launcher_itself_is_shown_and_the_end_is_said(capsys):
    assert sweep(TRAIN, typed_with("[3, raises]", "0,1")) == 1
    printed = capsys.readouterr()
    assert "Traceback (most recent call last)" in printed.err
    assert "TypeError: there is no such partition" in printed.err
    assert "go on with: python -m experiments.train" in printed.out
    assert printed.out.endswith("1 failed, 1 queued: runs\n")


def test_a_sweep_whose_folder_another_has_taken_over_says_so_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(lock, "HEARTBEAT_S", 0.01)
    other = lock.Writer("another-host", 1, None, None, time.time(), time.time())
    Path("other.lock").write_text(json.dumps(asdict(other)))
    assert sweep(TRAIN, typed_with("[taken over]", "0,1")) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("error: folder: 'runs': process 1 on host another-host has been writing here since")
    assert printed.err.count("\n") == 1
    assert "go on with" not in printed.out
    assert read_writer("runs") == other


def test_what_another_sweep_has_done_during_the_checks_is_not_done_again(capsys):
    done = Status("done", "train", seconds=5.0)

    def prepare_beside_another(config, folder):
        write_status(folder, done)
        return prepare(config, folder)

    topic = replace(TRAIN, prepare=prepare_beside_another)
    assert sweep(topic, typed_with("[]", "choice(0)")) == 1
    assert "has 1 of these runs already" in capsys.readouterr().err
    Path("runs", "seed-0", "status.json").unlink()
    assert sweep(topic, [*typed_with("[]", "choice(0)"), "resume=auto"]) == 0
    assert capsys.readouterr().out.endswith("1 done: runs\n")
    assert read_status(Path("runs", "seed-0")) == done


def test_what_was_stopped_stays_so_where_a_mistyped_command_is_refused(capsys):
    for seed, state in enumerate(("done", "stopped", "refused")):
        write_status(Path("runs", f"seed-{seed}"), Status(state, "train", error="before"))
    assert sweep(TRAIN, [*typed_with("[]", "0,1,2"), "resume=auto", "evaluation.seeds=[1,2]"]) == 1
    assert "2 of 3 combinations are refused" in capsys.readouterr().out
    assert [state_in_runs(f"seed-{seed}") for seed in range(3)] == ["done", "stopped", "refused"]
    assert read_status(Path("runs", "seed-1")).error == "before"
    assert read_status(Path("runs", "seed-2")).error.startswith("evaluation.seeds: 2 is the cell")


def test_combinations_that_are_given_twice_run_once(capsys):
    assert sweep(TRAIN, [*typed_with("[3, 3]", "1,1,2"), "agent.learning_rate=1e-3,0.001"]) == 1
    printed = capsys.readouterr().out
    assert "given more than once, and run once: seed-1_learning_rate-0.001, seed-2_learning_rate-0.001\n" in printed
    assert "2 of 2 runs to do: runs" in printed
    assert [job.folder for job in read_sweep("runs").jobs] == [
        "seed-1_learning_rate-0.001",
        "seed-2_learning_rate-0.001",
    ]


def wait_until(condition):
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("nothing happened for two minutes")


def test_orphans_of_a_killed_sweep_go_on_and_typed_again_all_ends_as_if_nothing_had_been(tmp_path, capsys):
    typed = ["-m", *TINY, "decisions=1400", "seed=0,1", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=runs"]
    with Path("output").open("w") as output:
        parent = subprocess.Popen([sys.executable, "-m", "experiments.train", *typed], stdout=output, stderr=output)
    folders = [Path("runs", "seed-0"), Path("runs", "seed-1")]
    wait_until(lambda: all((folder / "checkpoint.npz").exists() for folder in folders))
    with pytest.raises(RunIsLocked, match=f"process {parent.pid} on host"):
        RunLock("runs").__enter__()
    parent.kill()
    parent.wait()

    assert [state_of(folder) for folder in folders] == ["running", "running"]
    orphans = [read_writer(folder).process for folder in folders]
    for process in orphans:  # so that they do not end meanwhile
        os.kill(process, signal.SIGSTOP)
    assert sweep(TRAIN, [*typed, "resume=auto"]) == 1
    assert capsys.readouterr().out.endswith("2 running: runs\n")
    assert [read_writer(folder).process for folder in folders] == orphans

    os.kill(orphans[0], signal.SIGTERM)
    os.kill(orphans[0], signal.SIGCONT)
    os.kill(orphans[1], signal.SIGKILL)
    wait_until(lambda: "running" not in [state_of(folder) for folder in folders])
    assert [state_of(folder) for folder in folders] == ["stopped", "dead"]
    assert all((folder / "checkpoint.npz").exists() for folder in folders)
    assert sweep(TRAIN, [*typed, "resume=auto"]) == 0
    assert capsys.readouterr().out.endswith("2 done: runs\n")
    alone = tmp_path / "alone"
    prepare(configured("train", TrainConfig, *TINY, "decisions=1400", "seed=0"), alone)()
    assert digests(folders[0]) == digests(alone)


def test_a_sweep_of_which_nothing_is_allowed_leaves_nothing(capsys):
    assert sweep(TRAIN, ["-m", "agent.gama=0.5,0.6", "hydra.sweep.dir=runs"]) == 1
    assert capsys.readouterr().err.startswith("error: agent.gama: unknown name 'gama'; did you mean 'gamma'?")
    assert sweep(TRAIN, ["-m", "seed=range(0)", "hydra.sweep.dir=runs"]) == 1
    assert capsys.readouterr().err == "error: seed: 'range(0)' given, which has no values, so that there are no runs\n"
    assert sweep(TRAIN, ["-m", "agent=planner", "twin=lstm,transformer", "hydra.sweep.dir=runs"]) == 1
    assert "all 2 combinations are refused" in capsys.readouterr().err
    assert not Path("runs").exists()
