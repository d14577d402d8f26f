"""The command that teaches students: what it leaves, what it does not do twice, and what it refuses."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from agents import StudentPolicy, distill
from experiments.config.hydra import CONFIG_FOLDER, check_overrides, register_configs, with_lists
from experiments.distill.__main__ import LISTS
from experiments.distill.report import StudentResult, report
from experiments.distill.run import check_config, check_teachers, run, states_met, states_of, teach
from experiments.evaluate.rollout import make_cells
from experiments.runs.folder import read_run
from experiments.train.run import train
from tests.helpers.learners import _one_thread as _one_thread
from twin.data.transitions import transitions_of

register_configs()

SHORT = ["updates=60", "progress=false", "evaluation.seeds=[100,101]", "evaluation.decisions=5"]


def composed(name, *overrides):
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        return compose(name, list(overrides))


def configured(teacher, *overrides):
    return composed("distill", f"teacher='{teacher}'", *SHORT, *overrides)


def read_rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    """A run without a twin and one with, on the same cell."""
    folder = tmp_path_factory.mktemp("teachers")
    common = ["+experiment=debug", "evaluation.policies=[random]", "agent.net_arch=[16]", "decisions=200"]
    twin = ["twin=lstm", "twin.training.max_epochs=2", "twin.transition.members=1", "twin.performance.members=2"]
    train(composed("train", *common), folder / "plain")
    train(composed("train", *common, *twin), folder / "twin")
    return folder


@pytest.fixture(scope="module")
def taught(teachers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("taught")
    run(configured(teachers, "hidden=[4]"), folder)
    return folder


def played(run_, policy, seed, decisions):
    """A cell by hand: states that are decided on, utility of each decision."""
    env = gym.make("SliceRAN-v0", scenario=run_.scenario)
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
    for name, method in (("plain", "ddqn"), ("twin", "ddqn-dt")):
        own = read_run(teachers / name)
        agent = own.agent()
        (file,) = [
            path
            for path in students_of(taught)
            if json.loads((path.parent / "student.json").read_text())["teacher"] == method
        ]
        for hidden, policy in (("0", agent), ("4", StudentPolicy.load(file))):
            row = rows[method, hidden]
            rounds = [played(own, policy, seed, 5) for seed in (100, 101)]
            utility = np.array([utility for _, utility in rounds])
            assert float(row["utility"]) == pytest.approx(utility.mean(), abs=1e-4)
            assert float(row["reward_at_c_max"]) == pytest.approx(np.mean(utility >= 7.5), abs=1e-4)
            met = np.concatenate([played(own, agent, seed, 5)[0] for seed in (100, 101)])
            wanted, chosen = (each.predict(met, deterministic=True)[0] for each in (agent, policy))
            assert float(row["agreement"]) == pytest.approx(np.mean(wanted == chosen), abs=1e-4)
            assert int(row["allocations"]) == len(set(chosen))
            parameters = (3 * 16 + 16 + 16 * 171 + 171) if hidden == "0" else (3 * 4 + 4 + 4 * 4 + 4 + 4 * 171 + 171)
            assert int(row["parameters"]) == parameters


def test_a_student_is_what_the_library_teaches(teachers, taught):
    own = read_run(teachers / "plain")
    student = StudentPolicy(own.scenario, 4, seed=0)
    distill(student, own.agent().q_net, transitions_of(own.history())[0], np.random.default_rng(0), updates=60)
    student.save(taught.parent / "expected.safetensors")
    assert (taught.parent / "expected.safetensors").read_bytes() in [path.read_bytes() for path in students_of(taught)]


def test_a_teacher_may_be_the_file_of_an_agent(teachers, tmp_path):
    by_file = pupils_of(tmp_path / "file", teachers / "plain" / "agent.zip", "hidden=[2]")
    by_folder = pupils_of(tmp_path / "folder", teachers / "plain", "hidden=[2]")
    assert by_file == by_folder
    for name in ("file", "folder"):
        assert (tmp_path / name / "hidden-2" / "student.safetensors").is_file()


def pupils_of(folder, teachers_, *overrides):
    """What the command does before it compares."""
    config = configured(teachers_, *overrides)
    check_config(config)
    return [result for each in check_teachers(config) for result in teach(each, config, folder)]


def test_what_the_folder_has_is_not_taught_again(teachers, taught, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(taught, folder)
    before = stamps(folder)
    first = pupils_of(folder, teachers, "hidden=[4]", "resume=auto")
    assert stamps(folder) == before
    both = pupils_of(folder, teachers, "hidden=[4,16]", "resume=auto")
    assert {path: stamps(folder)[path] for path in before} == before
    assert len(students_of(folder)) == 4
    assert [result for result in both if result.hidden != 16] == first
    with pytest.raises(ValueError, match=r"another configuration:\n  updates: 60 there, 50 given"):
        pupils_of(folder, teachers, "hidden=[4]", "resume=auto", "updates=50")
    assert pupils_of(folder, teachers, "hidden=[4]", "agents=[ddqn]") == first[:2]  # without resume, it is
    again = {path for path in before if stamps(folder)[path] > before[path]}
    assert again == {path for path in before if "plain" in os.path.relpath(path, folder)}
    names = [file.relative_to(taught) for file in students_of(taught)]
    assert [(folder / name).read_bytes() for name in names] == [(taught / name).read_bytes() for name in names]


def test_a_student_whose_figures_are_missing_is_taught_again(teachers, taught, tmp_path):
    """Killed between the student and its figures: the figures are written last."""
    folder = tmp_path / "copy"
    shutil.copytree(taught, folder)
    place = students_of(folder)[0].parent
    (place / "student.json").unlink()
    (place / "student.safetensors").write_bytes(b"half of it")
    pupils_of(folder, teachers, "hidden=[4]", "resume=auto")
    for name in ("student.json", "student.safetensors"):
        assert (place / name).read_bytes() == (taught / place.relative_to(folder) / name).read_bytes()


def test_states_are_those_of_the_history_of_the_twin_or_of_both(teachers):
    own = read_run(teachers / "twin")
    agent = own.agent()
    seen = {
        kind: states_of(own, agent, configured(teachers, f"states={kind}", "twin_states=100"))
        for kind in ("history", "twin", "both")
    }
    np.testing.assert_array_equal(seen["history"], transitions_of(own.history())[0])
    assert len(seen["history"]) == 200
    assert seen["twin"].shape == (100, 3)
    np.testing.assert_array_equal(seen["both"], np.concatenate([seen["history"], seen["twin"]]))
    assert len(np.unique(seen["twin"], axis=0)) > 50


def test_states_that_are_met_are_those_a_policy_brings_about(teachers):
    own = read_run(teachers / "plain")
    agent = own.agent()
    met = states_met(agent, make_cells(own.scenario, 2), [7, 8], 6)
    by_hand = [played(own, agent, seed, 3)[0] for seed in (7, 8)]
    np.testing.assert_array_equal(met, np.stack(by_hand, axis=1).reshape(6, 3))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["hidden=[]"], "hidden: none given, allowed are one or more sizes"),
        (["hidden=[4,4]"], "hidden: .* allowed are different sizes"),
        (["teacher=null"], "teacher: not given"),
        (["hidden=[4,0]"], "hidden: 0 given, allowed is 1 or more"),
        (["head=densse"], "head: unknown name 'densse'; did you mean 'dense'"),
        (["target=sft"], "target: unknown name 'sft'; did you mean 'soft'"),
        (["states=histry"], "states: unknown name 'histry'; did you mean 'history'"),
        (["states=twin"], r"states: 'twin' given, but '.*plain' has no twin\.safetensors"),
        (["states=both"], r"states: 'both' given, but '.*plain' has no twin\.safetensors"),
        (["agents=[dqn]"], "agents: unknown name 'dqn'; did you mean 'ddqn'"),
        (["evaluation.seeds=[100,0]"], r"evaluation.seeds: 0 is the cell of '.*plain'"),
        (["evaluation.seeds=[]"], "evaluation.seeds: none given"),
        (["evaluation.seeds=[5,5]"], "evaluation.seeds: .* allowed are different ones"),
        (["evaluation.decisions=0"], "evaluation.decisions: 0 given"),
        (["evaluation.policies=[hrd]"], "policy: unknown name 'hrd'; did you mean 'hard'"),
        (["updates=0"], "updates: 0 given"),
        (["batch_size=0"], "batch_size: 0 given"),
        (["twin_states=0"], "twin_states: 0 given"),
        (["temperature=0"], "temperature: 0.0 given"),
        (["learning_rate=-1"], "learning_rate: -1.0 given"),
        (["seed=-1"], "seed: -1 given"),
        (["torch_threads=0"], "torch_threads: 0 given"),
        (["resume=yes"], "resume: 'yes' given, allowed are auto and null"),
    ],
)
def test_bad_values_are_refused_before_anything_is_taught(teachers, overrides, message, tmp_path):
    with pytest.raises(SystemExit, match=message):
        run(configured(teachers, *overrides), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(SystemExit, match=r"no finished run \(summary\.json\) below"):
        run(configured(tmp_path / "none"), tmp_path / "out")


def test_only_the_agents_that_are_named_teach(teachers, tmp_path):
    assert {result.teacher for result in pupils_of(tmp_path, teachers, "agents=[ddqn-dt]", "hidden=[2]")} == {"ddqn-dt"}
    assert len(students_of(tmp_path)) == 1


def test_students_may_be_compared_with_random_decisions(teachers):
    assert check_teachers(configured(teachers, "evaluation.policies=[random,hard]"))


@pytest.mark.parametrize("resume", ["null", "auto"])
def test_teachers_of_the_same_folder_name_do_not_share_a_place(teachers, tmp_path, resume):
    """Of two sweeps, or the run `plain` inside of each run with `plain=true`."""
    shutil.copytree(teachers / "plain", tmp_path / "a" / "run")
    shutil.copytree(teachers / "twin", tmp_path / "b" / "run")
    results = pupils_of(tmp_path / "out", tmp_path, "hidden=[2]", f"resume={resume}")
    assert [result.teacher for result in results] == ["ddqn", "ddqn", "ddqn-dt", "ddqn-dt"]
    assert len(students_of(tmp_path / "out")) == 2


def test_students_of_another_teacher_are_not_taken_for_its_own(teachers, tmp_path):
    for name, seed in (("one", 0), ("other", 3)):
        shutil.copytree(teachers / "plain", tmp_path / name / "run")
        agent = read_run(teachers / "plain").agent()
        agent.exploration_rate = 0.01 * seed  # another file
        agent.save(tmp_path / name / "run" / "agent.zip")
    pupils_of(tmp_path / "out", tmp_path / "one", "hidden=[2]")
    assert pupils_of(tmp_path / "out", tmp_path / "one", "hidden=[2]", "resume=auto")
    with pytest.raises(ValueError, match=r"another configuration:\n  agent: "):
        pupils_of(tmp_path / "out", tmp_path / "other", "hidden=[2]", "resume=auto")


# What is typed


def test_single_values_stand_for_lists():
    typed = ["hidden=4", "agents=dqn", "teacher=runs/a=b", "seed=3"]
    assert with_lists(typed, LISTS) == ["hidden=['4']", "agents=['dqn']", *typed[2:]]
    kept = ["hidden=[4,16]", "agents=null", "agents=[dqn,dqn-dt]"]
    assert with_lists(kept, LISTS) == kept
    for argument, wanted in (("hidden=4", [4]), ("hidden=4,16", [4, 16]), ("hidden=[4,16]", [4, 16])):
        assert with_lists(["-m", argument], LISTS)[1:] == with_lists([argument], LISTS)
        arguments = with_lists(["teacher=runs/x", argument], LISTS)
        check_overrides("distill", arguments)
        config = composed("distill", *arguments)
        check_config(config)
        assert list(config.hidden) == wanted
    with pytest.raises(SystemExit, match="unknown name 'hiden'; did you mean 'hidden'"):
        check_overrides("distill", with_lists(["hiden=4"], LISTS))


def test_the_command_runs_as_typed(teachers, tmp_path):
    command = [sys.executable, "-m", "experiments.distill", f"teacher={teachers}", "hidden=4", "agents=ddqn", *SHORT]
    options = ["evaluation.policies=[hard,1-18-1]", f"hydra.run.dir={tmp_path}"]
    ran = subprocess.run([*command, *options], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert {"ddqn", "hard", "1-18-1"} <= {line.split()[0] for line in ran.stdout.splitlines() if line}
    assert "2x4" in ran.stdout
    assert len(students_of(tmp_path)) == 1
    assert (tmp_path / ".hydra" / "config.yaml").exists()


# Tables


def test_tables_tell_what_students_keep_and_what_twins_are_worth():
    def result(teacher, seed, hidden, utility):
        return StudentResult("paper", "dense", teacher, seed, hidden, utility, 0.5, 0.9, 3, 100)

    results = [result("ddqn", 0, 0, 8.0), result("ddqn", 1, 0, 7.6)] + [
        result("ddqn-dt", seed, 0, 8.0) for seed in (0, 1)
    ]
    results += [result("ddqn", 0, 4, 7.2), result("ddqn", 1, 4, 7.22)]
    results += [result("ddqn-dt", 0, 4, 7.6), result("ddqn-dt", 1, 4, 8.0)]
    lines = report(results[::-1]).splitlines()
    rows = {tuple(line.split()[:2]): line for line in lines if line.startswith("ddqn") and "2x4" in line.split()[:2]}
    assert "7.210 [7.200, 7.220]" in rows["ddqn", "2x4"]
    assert "0.925 [0.900, 0.950]" in rows["ddqn", "2x4"]
    assert "0.975 [0.950, 1.000]" in rows["ddqn-dt", "2x4"]
    assert any(line.startswith("ddqn-dt minus ddqn, students 2x4: 0.590 ") for line in lines)
    assert any(line.startswith("ddqn-dt minus ddqn, teachers: 0.200 ") for line in lines)


def test_a_teacher_without_its_agent_is_noticed_before_the_first_teaches(teachers, tmp_path):
    shutil.copytree(teachers, tmp_path / "runs")
    (tmp_path / "runs" / "twin" / "agent.zip").unlink()
    with pytest.raises(SystemExit, match=r"twin' has no agent\.zip"):
        run(configured(tmp_path / "runs"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_policy_of_another_scenario_is_refused_before_the_first_teaches(teachers, tmp_path):
    StudentPolicy("paper", 2, seed=0).save(tmp_path / "other.safetensors")
    with pytest.raises(SystemExit, match="chooses among 4851 actions, scenario 'paper-1mhz' has 171"):
        run(configured(teachers, f"evaluation.policies=['{tmp_path}/other.safetensors']"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_teacher_has_to_fit_what_is_asked_of_it(teachers):
    own = read_run(teachers / "plain")
    states = np.ones((4, 3), np.float32)
    with pytest.raises(ValueError, match="target: 'soft' given, allowed for actions is 'argmax'"):
        distill(StudentPolicy(own.scenario, 2), np.zeros(4, np.int64), states, np.random.default_rng(0), target="soft")
    with pytest.raises(ValueError, match=r"teacher: its values have shape \(4, 7\), allowed is \(n, 171\)"):
        distill(
            StudentPolicy(own.scenario, 2), lambda seen: seen.new_zeros(len(seen), 7), states, np.random.default_rng(0)
        )
