"""Students as a library teaches them: what is left, what is not done twice, and what is refused."""

from __future__ import annotations

import csv
import json
import os
import shutil
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents import DDQN, NoEnv, StudentPolicy
from agents.student import distill as fit_student
from experiments.config.schemas import EvaluationSettings
from experiments.distill import Settings, distill
from experiments.distill.run import Distillation
from experiments.distill.teaching import states_of, teach_student
from experiments.evaluate.rollout import make_cells, states_met
from experiments.runs.folder import find_runs, read_run
from slicing_gym import get_scenario
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.learners import learner
from twin.data.transitions import transitions_of

EVALUATION = EvaluationSettings(policies=[], seeds=[100, 101], decisions=5)
SHORT = Settings(hidden=[4], updates=60, progress=False, evaluation=EVALUATION)


def evaluated(**changes):
    """Those settings with another evaluation."""
    return replace(SHORT, evaluation=replace(EVALUATION, **changes))


def read_rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def taught(teachers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("taught")
    distill(teachers, SHORT, folder)
    return folder


def played(run, policy, seed, decisions):
    """A cell by hand: states that are decided on, utility of each decision."""
    env = gym.make("SliceRAN-v0", scenario=run.scenario)
    seen, _ = env.reset(seed=seed)
    states, utility = [], []
    for _ in range(decisions):
        states.append(seen)
        seen, _, _, _, info = env.step(int(policy.predict(seen, deterministic=True)[0]))
        utility.append(info["utility"])
    return np.array(states), utility


def stamps(folder):
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("student.*")}


def students_of(folder):
    return sorted(folder.rglob("student.safetensors"))


def test_it_leaves_what_it_promises(taught):
    assert (taught / "students.png").read_bytes().startswith(b"\x89PNG")
    assert len(students_of(taught)) == 2  # a teacher leaves its figures alone
    assert len(list(taught.rglob("student.json"))) == 4
    rows = read_rows(taught / "students.csv")
    assert [(row["teacher"], row["hidden"]) for row in rows] == [
        ("ddqn", "0"),
        ("ddqn", "4"),
        ("ddqn-dt", "0"),
        ("ddqn-dt", "4"),
    ]


def test_figures_are_those_of_the_students_it_leaves(teachers, taught):
    rows = {(row["teacher"], row["hidden"]): row for row in read_rows(taught / "students.csv")}
    for name, method in (("without", "ddqn"), ("with", "ddqn-dt")):
        run = read_run(teachers / name)
        agent = run.agent()
        (file,) = [
            path
            for path in students_of(taught)
            if json.loads((path.parent / "student.json").read_text())["teacher"] == method
        ]
        for hidden, policy in (("0", agent), ("4", StudentPolicy.load(file))):
            row = rows[method, hidden]
            episodes = [played(run, policy, seed, 5) for seed in (100, 101)]
            utility = np.array([utility for _, utility in episodes])
            assert float(row["utility"]) == pytest.approx(utility.mean(), abs=1e-4)
            assert float(row["reward_at_c_max"]) == pytest.approx(np.mean(utility >= 7.5), abs=1e-4)
            met = np.concatenate([played(run, agent, seed, 5)[0] for seed in (100, 101)])
            wanted, chosen = (each.predict(met, deterministic=True)[0] for each in (agent, policy))
            assert float(row["agreement"]) == pytest.approx(np.mean(wanted == chosen), abs=1e-4)
            assert int(row["allocations"]) == len(set(chosen))
            parameters = (3 * 16 + 16 + 16 * 171 + 171) if hidden == "0" else (3 * 4 + 4 + 4 * 4 + 4 + 4 * 171 + 171)
            assert int(row["parameters"]) == parameters


def test_a_student_is_what_the_library_teaches(teachers, taught):
    run = read_run(teachers / "without")
    student = StudentPolicy(run.scenario, 4, seed=0)
    fit_student(student, run.agent().q_net, transitions_of(run.history())[0], np.random.default_rng(0), updates=60)
    student.save(taught.parent / "expected.safetensors")
    assert (taught.parent / "expected.safetensors").read_bytes() in [path.read_bytes() for path in students_of(taught)]


@pytest.mark.parametrize(
    ("named", "taught_by", "head"),
    [(None, "factored", "factored"), (None, "dense", "dense"), ("geometry", "factored", "geometry")],
)
def test_where_no_head_is_named_a_student_is_factored_if_its_teacher_is(named, taught_by, head):
    teacher, settings = learner(DDQN, taught_by, NoEnv("paper-1mhz")), replace(SHORT, head=named, updates=2)
    seen = np.random.default_rng(0).random((50, 3), dtype=np.float32)
    assert teach_student("", teacher, seen, get_scenario("paper-1mhz"), 4, settings).head_name == head


def test_a_teacher_may_be_the_file_of_an_agent_or_a_run(teachers, tmp_path):
    settings = replace(SHORT, hidden=[2])
    given = {
        "file": teachers / "without" / "agent.zip",
        "folder": str(teachers / "without"),
        "run": read_run(teachers / "without"),
        "runs": find_runs(teachers / "without"),
    }
    found = {name: distill(teacher, settings, tmp_path / name).results for name, teacher in given.items()}
    assert found["file"] == found["folder"] == found["run"] == found["runs"]
    for name in given:
        assert (tmp_path / name / "hidden-2" / "student.safetensors").is_file()
        card = (tmp_path / name / "hidden-2" / "student.card.md").read_text()
        assert "student of" in card


def test_without_a_folder_nothing_is_written(teachers, taught, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = distill(teachers, replace(SHORT, agents=["ddqn"]))
    assert not list(tmp_path.iterdir())
    assert [each.hidden for each in result.results] == [0, 4]
    (student,) = result.students
    student.save(tmp_path / "student.safetensors")
    assert (tmp_path / "student.safetensors").read_bytes() in [path.read_bytes() for path in students_of(taught)]


def test_what_the_folder_has_is_not_taught_again(teachers, taught, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(taught, folder)
    before = stamps(folder)
    first = distill(teachers, SHORT, folder, resume=True)
    assert stamps(folder) == before
    both = distill(teachers, replace(SHORT, hidden=[4, 16]), folder, resume=True)
    assert {path: stamps(folder)[path] for path in before} == before
    assert len(students_of(folder)) == len(both.students) == 4
    assert [result for result in both.results if result.hidden != 16] == first.results
    with pytest.raises(ValueError, match=r"another configuration:\n  updates: 60 there, 50 given"):
        Distillation(teachers, replace(SHORT, updates=50), folder, resume=True)
    again = distill(teachers, replace(SHORT, agents=["ddqn"]), folder)  # without resume, it is
    assert again.results == first.results[2:]
    changed = {path for path in before if stamps(folder)[path] > before[path]}
    assert changed == {path for path in before if "without" in os.path.relpath(path, folder)}
    names = [file.relative_to(taught) for file in students_of(taught)]
    assert [(folder / name).read_bytes() for name in names] == [(taught / name).read_bytes() for name in names]


def test_a_student_whose_figures_are_missing_is_taught_again(teachers, taught, tmp_path):
    """Killed between the student and its figures: the figures are written last."""
    folder = tmp_path / "copy"
    shutil.copytree(taught, folder)
    one = students_of(folder)[0].parent
    (one / "student.json").unlink()
    (one / "student.safetensors").write_bytes(b"half of it")
    distill(teachers, SHORT, folder, resume=True)
    for name in ("student.json", "student.safetensors"):
        assert (one / name).read_bytes() == (taught / one.relative_to(folder) / name).read_bytes()


def test_states_are_those_of_the_history_of_the_twin_or_of_both(teachers):
    run = read_run(teachers / "with")
    agent = run.agent()
    seen = {
        kind: states_of(run, agent, replace(SHORT, states=kind, twin_states=100))
        for kind in ("history", "twin", "both")
    }
    np.testing.assert_array_equal(seen["history"], transitions_of(run.history())[0])
    assert len(seen["history"]) == 200
    assert seen["twin"].shape == (100, 3)
    np.testing.assert_array_equal(seen["both"], np.concatenate([seen["history"], seen["twin"]]))
    assert len(np.unique(seen["twin"], axis=0)) > 50


def test_states_that_are_met_are_those_a_policy_brings_about(teachers):
    run = read_run(teachers / "without")
    agent = run.agent()
    met = states_met(agent, make_cells(run.scenario, 2), [7, 8], 6)
    by_hand = [played(run, agent, seed, 3)[0] for seed in (7, 8)]
    np.testing.assert_array_equal(met, np.stack(by_hand, axis=1).reshape(6, 3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (replace(SHORT, hidden=[]), "hidden: none given, allowed are one or more"),
        (replace(SHORT, hidden=[4, 4]), "hidden: .* allowed are different ones"),
        (replace(SHORT, hidden=[4, 0]), "hidden: 0 given, allowed is 1 to "),
        (replace(SHORT, head="densse"), "head: unknown name 'densse'; did you mean 'dense'"),
        (replace(SHORT, target="sft"), "target: unknown name 'sft'; did you mean 'soft'"),
        (replace(SHORT, states="histry"), "states: unknown name 'histry'; did you mean 'history'"),
        (replace(SHORT, states="twin"), r"states: 'twin' given, but '.*without' has no twin\.safetensors"),
        (replace(SHORT, states="both"), r"states: 'both' given, but '.*without' has no twin\.safetensors"),
        (replace(SHORT, agents=["dqn"]), "agents: unknown name 'dqn'; did you mean 'ddqn'"),
        (evaluated(seeds=[100, 0]), r"evaluation.seeds: 0 is the cell of '.*with"),
        (evaluated(seeds=[]), "evaluation.seeds: none given"),
        (evaluated(seeds=[5, 5]), "evaluation.seeds: .* allowed are different ones"),
        (evaluated(decisions=0), "evaluation.decisions: 0 given"),
        (evaluated(policies=["hrd"]), "evaluation.policies: unknown name 'hrd'; did you mean 'hard'"),
        (replace(SHORT, updates=0), "updates: 0 given"),
        (replace(SHORT, batch_size=0), "batch_size: 0 given"),
        (replace(SHORT, twin_states=0), "twin_states: 0 given"),
        (replace(SHORT, temperature=0), "temperature: 0 given"),
        (replace(SHORT, learning_rate=-1.0), "learning_rate: -1.0 given"),
        (replace(SHORT, seed=-1), "seed: -1 given"),
        (replace(SHORT, torch_threads=0), "torch_threads: 0 given"),
    ],
)
def test_bad_values_are_refused_before_anything_is_taught(teachers, settings, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        distill(teachers, settings, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"teacher: no finished run \(summary\.json\) below"):
        distill(tmp_path / "none", SHORT, tmp_path / "out")
    with pytest.raises(ValueError, match="teacher: none given"):
        distill([], SHORT)


def test_only_the_agents_that_are_named_teach(teachers, tmp_path):
    result = distill(teachers, replace(SHORT, agents=["ddqn-dt"], hidden=[2], torch_threads=2), tmp_path)
    assert torch.get_num_threads() == 1  # as before
    assert {each.teacher for each in result.results} == {"ddqn-dt"}
    assert len(students_of(tmp_path)) == 1


@pytest.mark.parametrize("resume", [False, True])
def test_teachers_of_the_same_folder_name_do_not_share_a_folder(teachers, tmp_path, resume):
    """Of two sweeps, or the run `without_twin` inside of each run with `without_twin=true`."""
    shutil.copytree(teachers / "without", tmp_path / "a" / "run")
    shutil.copytree(teachers / "with", tmp_path / "b" / "run")
    result = distill(tmp_path, replace(SHORT, hidden=[2]), tmp_path / "out", resume=resume)
    assert [each.teacher for each in result.results] == ["ddqn", "ddqn", "ddqn-dt", "ddqn-dt"]
    assert len(students_of(tmp_path / "out")) == 2


def test_students_of_another_teacher_are_not_taken_for_its_own(teachers, tmp_path):
    for name, seed in (("one", 0), ("other", 3)):
        shutil.copytree(teachers / "without", tmp_path / name / "run")
        agent = read_run(teachers / "without").agent()
        agent.exploration_rate = 0.01 * seed  # another file
        agent.save(tmp_path / name / "run" / "agent.zip")
    settings = replace(SHORT, hidden=[2])
    distill(tmp_path / "one", settings, tmp_path / "out")
    assert Distillation(tmp_path / "one", settings, tmp_path / "out", resume=True)
    with pytest.raises(ValueError, match=r"another configuration:\n  agent: "):
        Distillation(tmp_path / "other", settings, tmp_path / "out", resume=True)


def test_a_teacher_without_its_agent_is_noticed_before_the_first_teaches(teachers, tmp_path):
    shutil.copytree(teachers, tmp_path / "runs")
    (tmp_path / "runs" / "without" / "agent.zip").unlink()
    with pytest.raises(ValueError, match=r"without' has no agent\.zip"):
        distill(tmp_path / "runs", SHORT, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_twin_that_cannot_be_read_is_noticed_before_the_first_teaches(teachers, tmp_path):
    shutil.copytree(teachers / "with", tmp_path / "run")
    (tmp_path / "run" / "twin.safetensors").write_bytes(b"half of it")
    with pytest.raises(ValueError, match=r"twin\.safetensors"):
        distill(tmp_path / "run", replace(SHORT, states="twin"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("settings", [{}, EVALUATION])
def test_settings_of_something_else_are_refused(teachers, settings):
    with pytest.raises(TypeError, match=r"^settings: .* given, allowed is Settings"):
        distill(teachers, settings)


def test_a_policy_of_another_scenario_is_refused_before_the_first_teaches(teachers, tmp_path):
    StudentPolicy("paper", 2, seed=0).save(tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="chooses among 4851 actions, scenario 'paper-1mhz' has 171"):
        distill(teachers, evaluated(policies=[f"{tmp_path}/other.safetensors"]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_teacher_has_to_fit_what_is_asked_of_it(teachers):
    run = read_run(teachers / "without")
    states = np.ones((4, 3), np.float32)
    with pytest.raises(ValueError, match="target: 'soft' given, allowed for actions is 'argmax'"):
        fit_student(
            StudentPolicy(run.scenario, 2), np.zeros(4, np.int64), states, np.random.default_rng(0), target="soft"
        )
    with pytest.raises(ValueError, match=r"teacher: its values have shape \(4, 7\), allowed is \(n, 171\)"):
        fit_student(
            StudentPolicy(run.scenario, 2), lambda seen: seen.new_zeros(len(seen), 7), states, np.random.default_rng(0)
        )
