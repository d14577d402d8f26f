"""Policies from elsewhere: the scenario that each was trained in, and a line where it is evaluated in another."""

from __future__ import annotations

import json

import gymnasium as gym
import pytest

from agents import DDQN, StudentPolicy
from experiments.evaluate import Settings, evaluate, from_elsewhere, trained_in
from slicing_gym import get_scenario
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import SCENARIO, planner_run
from tests.helpers.twins import history_of

OWN = SCENARIO.replace(name="five", slices={"urllc": {"num_users": 5}})


@pytest.fixture
def run(tmp_path):
    """The folder of a run whose agent has learned nothing."""
    env = gym.make("SliceRAN-v0", scenario=OWN)
    folder = tmp_path / "run"
    folder.mkdir()
    DDQN("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, seed=0, device="cpu").save(folder / "agent.zip")
    write_summary(folder, OWN.to_dict())
    return folder


def write_summary(folder, scenario):
    (folder / "summary.json").write_text(json.dumps({"agent": "ddqn", "seed": 0, "config": {"scenario": scenario}}))


def test_agents_say_it_by_their_runs_and_files_without_a_run_do_not(run, tmp_path):
    assert trained_in(str(run)) == trained_in(str(run / "agent.zip")) == OWN
    (run / "agent.zip").rename(tmp_path / "loose.zip")
    assert [trained_in(name) for name in (str(tmp_path / "loose.zip"), "hard", "1-18-1")] == [None, None, None]
    assert from_elsewhere([str(tmp_path / "loose.zip"), "hard", "1-18-1"], SCENARIO) == []


def test_planners_and_students_say_it_by_their_files(tmp_path):
    planner_run(tmp_path / "planner")
    StudentPolicy(OWN, hidden=2, seed=0).save(tmp_path / "student.safetensors")
    assert trained_in(str(tmp_path / "planner")) == SCENARIO
    assert trained_in(str(tmp_path / "student.safetensors")) == OWN


def test_an_agent_that_learned_offline_is_of_its_history_whatever_its_configuration_names(run):
    history = history_of("paper-1mhz", decisions=20)
    assert history.scenario != OWN
    history.save(run / "history.npz")
    (run / "summary.json").rename(run / "offline.json")
    assert trained_in(str(run)) == history.scenario


def test_the_report_of_an_evaluation_has_a_line_for_each_of_another_scenario(run, tmp_path):
    StudentPolicy(SCENARIO, hidden=2, seed=0).save(tmp_path / "student.safetensors")
    names = ["hard", str(run), str(tmp_path / "student.safetensors")]
    settings = Settings(seeds=[0], decisions=2, threads=1, progress=False)
    lines = evaluate(names, "paper-1mhz", settings).report().splitlines()
    assert [line for line in lines if "trained in" in line] == [
        f"policy {run}: trained in scenario five, evaluated in paper-1mhz"
    ]
    assert "trained in" not in evaluate(names[:2], OWN, settings).report()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"name": "other", "reward": {"kind": "clip"}, "decisions_per_episode": 7}, None),
        (
            {"slices": {"urllc": {"num_users": 6}}},
            "trained in another scenario called five: slices.urllc.num_users 5, here 6",
        ),
    ],
)
def test_it_is_the_cell_that_counts(run, change, line):
    found = from_elsewhere([str(run)], OWN.replace(**change))
    assert found == ([] if line is None else [f"policy {run}: {line}"])


def test_an_agent_of_a_scenario_that_is_not_known_here_is_evaluated_all_the_same(run):
    write_summary(run, {**OWN.to_dict(), "of_another_version": 1})
    with pytest.raises(ValueError, match=r"policy: '.*agent\.zip' is of a run whose scenario cannot be read"):
        trained_in(str(run))
    found = evaluate([str(run)], "paper-1mhz", Settings(seeds=[0], decisions=2, threads=1, progress=False))
    assert "trained in a scenario that is not known here" in found.report()


def test_presets_differ():
    """So that a run of one is told in each of the others."""
    presets = [get_scenario(name) for name in ("paper", "diurnal", "drift")]
    assert len({json.dumps(each.replace(name="same").to_dict()) for each in presets}) == 3
