"""Sweeps of small runs: refused, raising, killed with or without their parent; and what is done when typed again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.config.hydra import Command, register
from experiments.runs.lock import RunIsLocked, RunLock, read_writer
from experiments.runs.status import read_status, state_of
from experiments.sweeps.plan import read_sweep
from experiments.sweeps.run import sweep
from experiments.tools.interruption import digests
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
    assert sweep(TRAIN, [*typed, "resume=auto"]) == 1
    assert capsys.readouterr().out.endswith("2 running: runs\n")
    assert [read_writer(folder).process for folder in folders] == orphans

    os.kill(orphans[0], signal.SIGTERM)
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
