"""Planners in their files: found by their folder, taken from students by what is in them, called as their run was."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from agents import Planner, StudentPolicy
from agents.planner.file import read_planner, write_planner
from experiments.config.planner import load_planner
from experiments.evaluate import evaluate, load_policy, make_cells
from experiments.evaluate.policies import label_policies, policy_file
from experiments.evaluate.settings import Settings
from experiments.runs import find_runs, read_run
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import SCENARIO, planner_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return planner_run(tmp_path_factory.mktemp("planner"))


def test_a_run_is_named_by_its_folder_or_its_file(run):
    file = str(run.folder / "planner.safetensors")
    assert policy_file(str(run.folder)) == policy_file(file) == file
    assert label_policies([str(run.folder)]) == {str(run.folder): "planner"}
    loaded = load_policy(str(run.folder), SCENARIO, make_cells(SCENARIO, 2), 1)
    assert isinstance(loaded, Planner)
    seen = np.random.default_rng(0).uniform(0.3, 2.0, (50, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        loaded.predict(seen, deterministic=True)[0], run.agent.predict(seen, deterministic=True)[0]
    )
    assert [each.folder for each in find_runs(file)] == [run.folder]
    assert read_run(run.folder).agent().digest()


def test_it_is_compared_on_the_same_cells_as_when_it_was_trained(run):
    settings = Settings(seeds=[100, 101], decisions=20, progress=False)
    found = evaluate([str(run.folder), "random"], SCENARIO, settings)
    assert [each.policy for each in found.evaluations] == ["planner", "random"]
    np.testing.assert_array_equal(found.evaluations[0].utility, run.evaluation[0].utility)


def test_a_student_and_a_planner_are_told_apart_whatever_their_files_are_called(run, tmp_path):
    shutil.copy(run.folder / "planner.safetensors", tmp_path / "mine.safetensors")
    StudentPolicy(SCENARIO, 4, seed=0).save(tmp_path / "planner.safetensors")
    cells = make_cells(SCENARIO, 2)
    assert isinstance(load_policy(str(tmp_path / "mine.safetensors"), SCENARIO, cells, 1), Planner)
    assert isinstance(load_policy(str(tmp_path / "planner.safetensors"), SCENARIO, cells, 1), StudentPolicy)


def test_it_is_not_evaluated_among_other_allocations(run):
    with pytest.raises(ValueError, match="chooses among 171 actions, scenario 'paper' has 4851"):
        evaluate([str(run.folder)], "paper", Settings(seeds=[100], decisions=2, progress=False))


def test_a_damaged_file_is_refused_by_name(run, tmp_path):
    content = bytearray((run.folder / "planner.safetensors").read_bytes())
    content[-3] ^= 255
    (tmp_path / "planner.safetensors").write_bytes(content)
    with pytest.raises(
        ValueError, match=r"policy: '.*planner\.safetensors' does not hold a planner \(planner: the file"
    ):
        load_policy(str(tmp_path), SCENARIO, make_cells(SCENARIO, 1), 1)


@pytest.mark.parametrize("key", ["scenario", "settings", "num_decisions"])
def test_a_whole_file_without_one_of_its_keys_is_refused_by_name(run, tmp_path, key):
    with (run.folder / "planner.safetensors").open("rb") as file:
        header, model = read_planner(file)
    with (tmp_path / "planner.safetensors").open("wb") as file:
        write_planner(file, {name: value for name, value in header.items() if name != key}, model)
    with pytest.raises(ValueError, match=rf"policy: '.*planner\.safetensors' does not hold a planner \('{key}'\)"):
        load_planner(tmp_path / "planner.safetensors")
