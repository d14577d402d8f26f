"""Files of a run that are right YAML and JSON, but have values of the wrong kind: one line that names file and key."""

from __future__ import annotations

import copy
import json
import shutil

import numpy as np
import pytest
import yaml

from agents import DQN
from experiments.commands.resuming import with_resumed_run
from experiments.config.hydra import composed, composed_folder, register, resolved, without_hydra
from experiments.config.quoting import quoted
from experiments.evaluate.policies import environments_of, label_policies, load_run_agent, run_config
from experiments.report.entries import find_entries
from experiments.runs import read_run
from experiments.runs.stored import KINDS_OF_CONFIG
from experiments.sweeps.check import _check_same
from experiments.tools.fuzz.mutate import changed
from experiments.train.settings import TrainConfig
from slicing_gym import get_scenario
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.learners import learner

SCENARIO = get_scenario("paper-1mhz")
CASES = 90


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    path = tmp_path_factory.mktemp("agent") / "agent.zip"
    learner(DQN).save(path)
    return path


@pytest.fixture(scope="module")
def config():
    register("train", TrainConfig)
    return resolved(without_hydra(composed("train", ["scenario=paper-1mhz"])))


@pytest.fixture
def folder(agent, tmp_path):
    (tmp_path / ".hydra").mkdir()
    shutil.copyfile(agent, tmp_path / "agent.zip")
    (tmp_path / "episodes.csv").write_text("decisions,utility\n200,5.25\n")
    return tmp_path


def readers(folder):
    """What is done with a run's folder, and is asked to say what is wrong with its files."""
    file = str(folder / "agent.zip")
    return {
        "evaluate": lambda: (run_config(file), environments_of(file, SCENARIO), label_policies([file])),
        "run": lambda: _look_at(read_run(folder)),
        "resume": lambda: with_resumed_run([f"resume={folder}"]),
    }


def _look_at(run):
    return run.group, run.method, run.seed, run.episodes_to_goal, run.scenario, run.wrappers, run.keeps_observations


def refused_in_a_line(read):
    """What reading is refused with, "" where it is not; anything but an error with a message of one line fails."""
    try:
        read()
    except (ValueError, OSError, TypeError) as error:
        lines = str(error).splitlines()
        assert len(lines) == 1 or "has another configuration" in lines[0]
        return lines[0]
    return ""


@pytest.mark.parametrize(
    ("content", "key"),
    [
        *((f"agent: {value}", "agent") for value in ("3", "[a]", "abc", "true")),
        *((f"agent: {{_target_: {value}}}", r"agent\._target_") for value in ("5", "[a]", "{a: 1}", "false")),
        *((f"env: {value}", "env") for value in ("abc", "[1]", "3")),
        *((f"env: {{wrappers: {value}}}", r"env\.wrappers") for value in ("5", "abc", "{a: 1}")),
        *((f"env: {{observer: {value}}}", r"env\.observer") for value in ("5", "abc")),
    ],
)
@pytest.mark.parametrize("name", [".hydra/config.yaml", "summary.json"])
def test_a_value_of_another_kind_is_refused_by_file_and_key(content, key, name, folder):
    found = yaml.safe_load(content)
    (folder / name).write_text(content if name.endswith("yaml") else json.dumps({"config": found}))
    dotted = key if name.endswith("yaml") else rf"config\.{key}"
    with pytest.raises(ValueError, match=rf"^policy: '.*{name}' could not be read: {dotted}: .* given, allowed is a?"):
        load_run_agent(str(folder / "agent.zip"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("env: {wrappers: [5]}", r"env\.wrappers: 5 given, allowed are mappings"),
        ("env: {wrappers: [{_target_: os.system}]}", "not asked for"),
        ("env: {observer: {_target_: [1]}}", r"env\.observer\._target_: "),
        ("env: {wrappers: [{_target_: gymnasium.wrappers.TimeLimit, 3: 4}]}", "unknown name '3'"),
    ],
)
def test_environments_that_cannot_be_made_are_refused_by_file(content, why, folder):
    (folder / ".hydra" / "config.yaml").write_text(content)
    with pytest.raises(ValueError, match=rf"^policy: '.*agent\.zip' holds an agent whose environments .*\(.*{why}"):
        environments_of(str(folder / "agent.zip"), SCENARIO)


@pytest.mark.parametrize("name", ["age", "os.system", "agents.Nothing", "${agent}", ""])
def test_a_class_that_there_is_not_is_refused_by_file(name, folder):
    (folder / ".hydra" / "config.yaml").write_text(json.dumps({"agent": {"_target_": name}}))
    with pytest.raises(ValueError, match=r"^policy: '.*agent\.zip' is of a run whose class cannot be found \(policy"):
        load_run_agent(str(folder / "agent.zip"))


@pytest.mark.parametrize("content", ["agent: null", "env: null", "{agent: {_target_: null}}", "env: {wrappers: []}"])
def test_what_is_null_is_as_if_it_were_not_there(content, folder):
    (folder / ".hydra" / "config.yaml").write_text(content)
    assert isinstance(load_run_agent(str(folder / "agent.zip")), DQN)
    assert environments_of(str(folder / "agent.zip"), SCENARIO).keep_observations


@pytest.mark.parametrize("content", [{"teacher": "a"}, {"hidden": 3}, {}])
def test_a_summary_that_lacks_what_a_name_is_made_of(content, folder):
    (folder / "summary.json").write_text(json.dumps(content))
    file = str(folder / "agent.zip")
    assert label_policies([file]) == {file: folder.name}


@pytest.mark.parametrize("content", ['{"teacher": 1}', '{"seed": "x"}', '{"seed": Infinity}', '{"agent": [1]}'])
def test_figures_of_another_kind_are_refused_by_file_and_key(content, folder):
    (folder / "summary.json").write_text(content)
    key = next(iter(json.loads(content)))
    for read in (lambda: label_policies([str(folder / "agent.zip")]), lambda: read_run(folder)):
        with pytest.raises(ValueError, match=rf"summary\.json' could not be read: {key}: .* given, allowed is a "):
            read()


def test_a_summary_of_a_run_is_no_students_whatever_it_holds(folder):
    (folder / "summary.json").write_text(json.dumps({"teacher": "a", "hidden": 3, "config": {"agent": 3}}))
    with pytest.raises(ValueError, match=r"summary\.json' could not be read: config\.agent: 3 given, allowed is keys"):
        load_run_agent(str(folder / "agent.zip"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("seed: ${seed}", "seed: Recursive interpolation"),
        ("seed: ${nope}", "seed: Interpolation key 'nope' not found"),
        ("a: ${oc.env:NOPE}", "a: KeyError raised while resolving"),
        ("a: {b: ${c}", "is not YAML"),
        ("a: {b: '${c'}", r"a\.b: no viable alternative"),
        ("a: 2020-01-01", "a is a date, allowed are"),
        ("a: !!set {b}", "a is a set, allowed are"),
        ("null: 3", "Incompatible key type 'NoneType'"),
        (f"a: {10**400}", "a is a whole number of 1329 bits"),
    ],
)
def test_what_omegaconf_does_not_take_is_refused_by_file_and_key(content, why, folder):
    (folder / ".hydra" / "config.yaml").write_text(content)
    (folder / ".hydra" / "overrides.yaml").write_text("- seed=0")
    for key, read in (
        ("resume", lambda: with_resumed_run([f"resume={folder}"])),
        ("folder", lambda: _check_same(folder, None)),
    ):
        with pytest.raises(ValueError, match=rf"^{key}: '.*config\.yaml' .*{why}") as raised:
            read()
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", ["seed: 0", "{seed: 0, scenario: 3}", "{seed: 0, scenario: null}"])
def test_a_choice_that_a_run_was_begun_with_is_in_its_configuration(content, folder):
    (folder / ".hydra" / "config.yaml").write_text(content)
    (folder / ".hydra" / "overrides.yaml").write_text("- scenario=mine")
    with pytest.raises(ValueError, match=r"^resume: '.*config\.yaml' could not be read: scenario: .* given, "):
        with_resumed_run([f"resume={folder}"])


@pytest.mark.parametrize("name", ["odd, name", "it's", 'a "b", c', "a=b, [c] {d}", "x\\\\, y"])
def test_a_run_whose_folder_has_an_odd_name_is_resumed(name, config, tmp_path):
    folder = tmp_path / name
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / ".hydra" / "overrides.yaml").write_text("- scenario=paper-1mhz")
    for mark in ("'", '"'):
        arguments = with_resumed_run([f"resume={quoted(str(folder), mark=mark)}"])
        assert composed_folder(composed("train", arguments)) == folder


def test_any_change_of_a_whole_run_is_read_or_refused_in_a_line(folder, config):
    figures = {"scenario": "paper-1mhz", "head": "dense", "agent": "ddqn", "twin": "none", "seed": 0, "utility": 3.5}
    whole = {
        ".hydra/config.yaml": config,
        ".hydra/overrides.yaml": ["scenario=paper-1mhz", "seed=0"],
        "summary.json": {**figures, "episodes_to_goal": None, "config": config},
    }
    refused = set()
    for case in range(CASES):
        random = np.random.default_rng([1, case])
        name = list(whole)[case % len(whole)]
        for each, data in whole.items():
            one = data
            if each == name:
                one = _near_the_top(data, random) if random.random() < 0.5 else changed(data, random)
            (folder / each).write_text(json.dumps(one, default=str))  # which is YAML, too
        if name == ".hydra/config.yaml":
            (folder / "summary.json").unlink()
        for kind, read in readers(folder).items():
            if kind != "resume" or case % 50 == 0:  # it composes, which takes a second
                refused |= {kind} if refused_in_a_line(read) else set()
        assert all(entry.state for entry in find_entries([folder], {}))
    assert refused == {"evaluate", "run", "resume"}


def _near_the_top(data, random):
    """Builtin types, where what stands at one of the keys that are looked up is of any kind."""
    made = copy.deepcopy(data)
    keys = [key.split(".") for key in KINDS_OF_CONFIG]
    *path, last = keys[int(random.integers(len(keys)))]
    node = made.get("config", made) if isinstance(made, dict) else {}
    for part in path:
        node = node.setdefault(part, {}) if isinstance(node.get(part, {}), dict) else {}
        node = node if isinstance(node, dict) else {}
    node[last] = [3, "abc", [1], {"a": 1}, None, True, 1.5][int(random.integers(7))]
    return made
