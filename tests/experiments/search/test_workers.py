"""Several processes of a search: jobs of any launcher, ended when the search is gone, one search a folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace

import pytest

from experiments.runs.lock import RunIsLocked, RunLock, is_locked
from experiments.search.study import JOURNAL, Study, read_study
from experiments.search.worker import work
from experiments.search.workers import _name, run_workers, working_for
from tests.experiments.search.test_search import SETTINGS, begin, trials_of
from tests.helpers.full_disk import files_of_at_most
from tests.helpers.learners import _one_thread as _one_thread

ORPHANING = """
import sys
from pathlib import Path
from experiments.runs.lock import RunLock
from experiments.search.worker import work
from experiments.search.workers import run_workers
with RunLock(sys.argv[1]):
    run_workers(Path(sys.argv[1]), (), ["trials"], 1, None)
"""
FEW = replace(SETTINGS, n_trials=2, finalists=1, confirm=[])


@dataclass
class Recording:
    """A launcher of one's own: it notes what it is given, and runs it in this process."""

    given: list[str] = field(default_factory=list)

    def launch(self, jobs, ended):
        for job in jobs:
            self.given.append(job.arguments[-2])
            ended(job, work(job.arguments[2:]))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A study of two trials, by a launcher of one's own."""
    folder, launcher = tmp_path_factory.mktemp("study"), Recording()
    begin(folder, FEW, launcher=launcher).run()
    return folder, launcher


@pytest.fixture
def orphan(done, tmp_path):
    """A search that goes on with that study for thousands of trials, by one worker in the middle of one."""
    folder = tmp_path / "study"
    shutil.copytree(done[0], folder)
    configuration = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps(configuration | {"n_trials": 5_000}))
    parent = subprocess.Popen([sys.executable, "-c", ORPHANING, str(folder)], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 120
        while len(read_study(folder)[1]) < 3 and time.monotonic() < until:
            time.sleep(0.1)
        yield folder, parent
    finally:
        parent.kill()
        parent.wait()


def test_a_launcher_runs_everything_and_changes_nothing(done, tmp_path):
    folder, launcher = done
    assert launcher.given == ["trials", "final defaults", "final 1"]
    begin(tmp_path, FEW).run()
    assert trials_of(folder) == trials_of(tmp_path)


def test_workers_of_a_search_that_was_killed_end_before_it_goes_on(orphan, monkeypatch):
    """Its trial counts as one that was stopped, and nothing is written next to the search that goes on."""
    folder, parent = orphan
    with pytest.raises(RunIsLocked, match=f"process {parent.pid} on host .* has been writing here"):
        begin(folder, FEW, resume=True).run()
    assert is_locked(folder / "workers" / "0")
    parent.kill()
    parent.wait()
    assert is_locked(folder / "workers" / "0"), "it ended with its parent, so that this test shows nothing"
    at_work, begin_study = [], Study.begin

    def seen(study, defaults):
        at_work.append(is_locked(folder / "workers" / "0"))
        begin_study(study, defaults)

    monkeypatch.setattr(Study, "begin", seen)
    more = len(read_study(folder)[1]) + 1
    begin(folder, replace(FEW, n_trials=more), resume=True).run()
    assert at_work == [False]
    size = (folder / JOURNAL).stat().st_size
    time.sleep(1.0)
    assert (folder / JOURNAL).stat().st_size == size
    states = [each.state.name for each in read_study(folder)[1]]
    assert len(states) >= more
    assert not {"RUNNING", "FAIL"} & set(states)


def test_a_worker_without_room_says_so_in_a_line_and_so_does_its_search(done, tmp_path, capsys):
    folder, journal = tmp_path / "study", tmp_path / "study" / JOURNAL
    shutil.copytree(done[0], folder)
    configuration = json.loads((folder / "study.json").read_text())
    (folder / "study.json").write_text(json.dumps(configuration | {"n_trials": 3}))
    with (
        RunLock(folder),
        files_of_at_most(journal.stat().st_size),
        pytest.raises(OSError, match=r"^workers: trials: exit status 1, see .*output\.log; resume=auto goes on$"),
    ):
        run_workers(folder, (), ["trials"], 1, Recording())
    assert capsys.readouterr().err == f"error: [Errno 27] File too large: '{journal}'\n"


def test_a_worker_whose_search_is_gone_does_not_begin(done):
    folder, _ = done
    assert _name(folder) == ""
    with (
        pytest.raises(RuntimeError, match="the process that began this one is gone"),
        working_for("a/1/2", folder, "0"),
    ):
        raise AssertionError("it began")


def test_a_trial_that_a_signal_stops_is_taken_on_by_the_next(tmp_path):
    study, space = Study(tmp_path, begin(tmp_path / "any").space, 0, False, 0), []

    def objective(values, _):
        space.append(values)
        if len(space) == 2:
            raise KeyboardInterrupt
        return values["agent.learning_rate"]

    with pytest.raises(KeyboardInterrupt):
        study.run(3, objective)
    study.run(3, objective)  # no `begin`: another worker is still at work
    assert [each.state.name for each in study.trials] == ["COMPLETE"] * 3
    assert space[2] == space[1]
