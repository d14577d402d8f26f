"""Scenarios and mappings in files of the user's own, wherever they lie."""

from __future__ import annotations

import typing
from importlib import import_module

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from experiments.config import files
from experiments.config.files import groups_of, with_files
from experiments.config.hydra import CONFIG_FOLDER, check_overrides, register
from experiments.config.parts import make_mapping, make_scenario
from experiments.evaluate.settings import EvaluateConfig
from experiments.search.space import read_space
from experiments.train.__main__ import with_resumed_run
from experiments.train.settings import TrainConfig
from slicing_gym import get_scenario

MINE = get_scenario("paper-1mhz").replace(name="mine", slices={"urllc": {"num_users": 20}})


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_places", {})  # as in a process of its own
    register("evaluate", EvaluateConfig)
    (tmp_path / "my_traffic.yaml").write_text(yaml.safe_dump(MINE.to_dict(), sort_keys=False))
    return tmp_path / "my_traffic.yaml"


def scenario_of(*arguments):
    check_overrides("evaluate", arguments)
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        return make_scenario(OmegaConf.to_container(compose("evaluate", list(arguments))["scenario"]))


def test_a_path_is_a_choice(file):
    (found,) = with_files("evaluate", [f"scenario={file}"])
    assert found == "scenario=my_traffic"
    assert scenario_of(found) == MINE
    assert scenario_of(found, "scenario.slices.urllc.num_users=3").slices[2].num_users == 3


def test_slices_of_a_file_that_lists_them_are_changed_by_name(file):
    MINE.save(file)
    (found,) = with_files("evaluate", [f"scenario={file}"])
    assert scenario_of(found, "scenario.slices.urllc.num_users=3") == MINE.replace(slices={"urllc": {"num_users": 3}})


@pytest.mark.parametrize(
    "command", ["train", "evaluate", "describe", "fidelity", "calibration", "offline", "export", "traffic"]
)
def test_every_command_with_a_scenario_takes_files(command, file):
    register(command, typing.get_type_hints(import_module(f"experiments.{command}.__main__").prepare)["config"])
    (found,) = with_files(command, [f"scenario={file}"])
    check_overrides(command, [found])
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        assert make_scenario(OmegaConf.to_container(compose(command, [found]))["scenario"]) == MINE


def test_several_are_swept_over_and_names_of_the_package_stay_its_own(file):
    other = file.with_name("paper.yaml")
    other.write_text(file.read_text())
    arguments = with_files("evaluate", [f"scenario=drift,{file},'{other}'", "policy=hard"])
    assert arguments == ["scenario=drift,my_traffic,paper_file", "policy=hard"]
    assert scenario_of("scenario=paper_file") == MINE
    assert scenario_of("scenario=paper") == get_scenario("paper")


def test_files_of_one_name_in_two_folders_are_two_choices(file, tmp_path):
    other = tmp_path / "other" / file.name
    other.parent.mkdir()
    other.write_text(yaml.safe_dump({**MINE.to_dict(), "name": "other"}, sort_keys=False))
    (argument,) = with_files("evaluate", [f"scenario={file},{other}"])
    names = argument.partition("=")[2].split(",")
    assert [scenario_of(f"scenario={name}").name for name in names] == ["mine", "other"]
    assert with_files("evaluate", [f"scenario={other}", f"scenario={file}"]) == [
        f"scenario={name}" for name in reversed(names)
    ]


def test_only_the_groups_of_a_command_are_files():
    assert groups_of("fidelity") == ["scenario", "mapping", "twin"]
    assert with_files("evaluate", ["mapping=nowhere.yaml"]) == ["mapping=nowhere.yaml"]
    assert with_files("fidelity", ["mapping=nowhere.yaml"]) == ["mapping_file=nowhere.yaml"]


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, FileNotFoundError, "scenario: the file .* does not exist"),
        ("a: [", ValueError, "scenario: .* is not YAML"),
        ("a: &a [b]\nc: *a", ValueError, r"scenario: .* is not YAML .*an alias \(\*a\)"),
        ("- a", TypeError, "scenario: .* holds no keys and values"),
    ],
)
def test_what_is_no_such_file_is_refused(content, error, message, tmp_path):
    file = tmp_path / "mine.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(error, match=message):
        with_files("evaluate", [f"scenario={file}"])


@pytest.mark.usefixtures("file")
def test_a_name_that_is_none_is_answered_with_how_files_are_given():
    with pytest.raises(SystemExit, match=r"unknown name 'my_trafic'.*; one of your own: scenario=<path>.yaml"):
        check_overrides("evaluate", ["scenario=my_trafic"])


def test_a_run_on_a_file_goes_on_without_it(file, tmp_path):
    """What the run was begun with is in its folder."""
    register("train", TrainConfig)
    own = ["agent=dqn", "decisions=20", *with_files("train", [f"scenario={file}"])]
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(own))
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        OmegaConf.save(compose("train", own), tmp_path / ".hydra" / "config.yaml")
    file.unlink()
    ConfigStore.instance().repo["scenario"].pop("my_traffic.yaml")  # as another process begins
    arguments = with_resumed_run([f"resume={tmp_path}"])
    assert "scenario=my_traffic" in arguments
    assert scenario_of("scenario=my_traffic") == MINE


BOMB = "a: &a [x]\n" + "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]\n" for n in range(12))


@pytest.mark.parametrize("key", ["scenario", "agent", "space", "mapping"])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (BOMB, r"an alias \(\*a\)"),
        ("x: !!python/object/apply:os.system ['touch harm']", "could not determine a constructor"),
        ("x: " + "[" * 100, "more than 64 levels"),
        ("x: 2020-01-01", "x is a date"),
        ("x: [1, !!binary aGVsbG8=]", r"x\.1 is a bytes"),
    ],
    ids=["bomb", "tag", "deep", "date", "bytes"],
)
def test_files_of_the_users_own_are_read_bounded(key, content, why, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(content)
    readers = {
        "scenario": lambda: with_files("train", [f"scenario={path}"]),
        "agent": lambda: with_files("train", [f"agent={path}"]),
        "space": lambda: read_space(str(path)),
        "mapping": lambda: make_mapping({}, str(path)),
    }
    with pytest.raises(ValueError, match=rf"^{key}: '.*own\.yaml' is not YAML .*{why}") as raised:
        readers[key]()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("group", ["scenario", "agent"])
@pytest.mark.parametrize(
    ("content", "why"),
    [("x: ${b", r"x: no viable alternative"), ("a: {b: ['${']}", r"a\.b\[0\]: "), ("null: 3", "key type 'NoneType'")],
)
def test_what_omegaconf_does_not_take_is_refused_by_file_and_key(group, content, why, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"^{group}: '.*own\.yaml' could not be read: .*{why}") as raised:
        with_files("train", [f"{group}={path}"])
    assert "\n" not in str(raised.value)
