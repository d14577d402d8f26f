"""Folders of runs as versions before left them are read; they are resumed by the version that began them alone."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from experiments.distill import Distillation
from experiments.runs import checkpoint, find_runs, read_run
from experiments.runs.folder import run_folder
from experiments.train import Training, read_result, train
from experiments.train.convergence import draw_convergence
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import SCENARIO, make_ddqn, short_settings

SETTINGS = short_settings(250)


def as_before(folder):
    """Change the folder of a run into what versions before left of it: other names of files, keys and columns."""
    table = pd.read_csv(folder / "episodes.csv").rename(columns={"episode": "round"})
    table.to_csv(folder / "rounds.csv", index=False)
    (folder / "episodes.csv").unlink()
    summary = json.loads((folder / "summary.json").read_text())
    summary["rounds_to_goal"] = summary.pop("episodes_to_goal")
    summary["config"]["plain"] = False
    (folder / "summary.json").write_text(json.dumps(summary))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of today, and the same as before: with another seed, for both are in one folder."""
    folder = tmp_path_factory.mktemp("runs")
    for seed, name in enumerate(("today", "before")):
        train(make_ddqn, SCENARIO, settings=SETTINGS, folder=folder / name, seed=seed)
    as_before(folder / "before")
    return folder


def test_it_is_read(run):
    found = read_run(run / "before")
    assert list(found.episodes["episode"]) == [1.0, 2.0]
    assert list(found.episodes["decisions"]) == [200.0, 50.0]
    assert found.episodes.keys() == read_run(run / "today").episodes.keys()
    assert found.episodes_to_goal == float("inf")
    assert (found.method, found.seed, found.scenario) == ("ddqn", 1, SCENARIO)
    assert len(found.history()) == 250
    assert read_result(run / "before").agent.num_timesteps == 250
    assert [each.seed for each in find_runs(run)] == [1, 0]


def test_it_teaches_and_is_drawn_like_one_of_today(run, tmp_path):
    assert {teacher.seed for teacher in Distillation(run).teachers} == {0, 1}
    text = draw_convergence(run, tmp_path / "picture.png")
    assert "interquartile mean over seeds" in text
    rows = pd.read_csv(tmp_path / "picture_paper-1mhz_dense.csv")
    assert list(rows["episode"]) == [1, 2, 1, 2]


def test_it_is_not_resumed(run):
    arguments = {"scenario": SCENARIO, "settings": SETTINGS, "seed": 1, "folder": run / "before", "resume": True}
    with pytest.raises(ValueError, match=r"was begun by an earlier version; end it with that one, or begin it again"):
        Training(make_ddqn, **arguments)


def test_a_checkpoint_of_before_is_not_resumed(tmp_path):
    checkpoint.write(tmp_path / checkpoint.FILE, {"config": {"plain": False}, "format": 3}, {})
    with pytest.raises(ValueError, match="has format 3, allowed is 4; begin the run again"):
        Training(make_ddqn, SCENARIO, settings=SETTINGS, folder=tmp_path, resume=True)


@pytest.mark.parametrize("name", ["plain", "without_twin"])
def test_the_agent_without_a_twin_belongs_to_the_run_above_it(name, tmp_path):
    assert run_folder(tmp_path / "run" / name / "agent.zip") == tmp_path / "run"
    assert run_folder(tmp_path / "run" / "agent.zip") == tmp_path / "run"
