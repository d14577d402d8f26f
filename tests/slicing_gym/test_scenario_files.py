"""Scenarios as YAML files: the order of slices is that of actions and observations, and is never lost silently."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given

from slicing_gym import SCENARIOS, Scenario, get_scenario
from tests.helpers.strategies import scenarios


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_preset_survives_its_file(name, tmp_path):
    scenario = get_scenario(name)
    scenario.save(tmp_path / "mine.yaml")
    assert Scenario.load(tmp_path / "mine.yaml") == scenario
    slices = yaml.safe_load((tmp_path / "mine.yaml").read_text())["slices"]
    assert [part["name"] for part in slices] == list(scenario.slice_names)


@given(scenarios())
def test_any_scenario_survives_a_dump_of_its_list(tmp_path_factory, scenario):
    path = tmp_path_factory.mktemp("any") / "any.yaml"
    scenario.save(path)
    resorted = yaml.safe_dump(yaml.safe_load(path.read_text()))  # sorts keys, but no list
    assert Scenario.from_dict(yaml.safe_load(resorted)) == scenario


def test_a_mapping_that_was_sorted_is_refused_and_not_permuted():
    plain = get_scenario("paper").to_dict()
    assert Scenario.from_dict(yaml.safe_load(yaml.safe_dump(plain, sort_keys=False))) == get_scenario("paper")
    with pytest.raises(
        ValueError, match=r"scenario.slices: urllc, video, volte: all keys are sorted.*allowed is a list"
    ):
        Scenario.from_dict(yaml.safe_load(yaml.safe_dump(plain)))


def test_a_list_without_a_name_or_with_one_twice_is_refused():
    plain = get_scenario("paper").to_dict()
    parts = [{"name": name, **part} for name, part in plain["slices"].items()]
    with pytest.raises(ValueError, match="the name 'volte' is there twice"):
        Scenario.from_dict({**plain, "slices": [parts[0], *parts]})
    with pytest.raises(TypeError, match=r"entry 1, .* has no name"):
        Scenario.from_dict({**plain, "slices": [parts[0], plain["slices"]["video"]]})


def test_what_is_wrong_in_a_file_is_named_with_the_file(tmp_path):
    path = tmp_path / "mine.yaml"
    with pytest.raises(FileNotFoundError, match=re.escape(str(path))):
        Scenario.load(path)
    get_scenario("paper").save(path)
    path.write_text(path.read_text().replace("num_users: 8", "num_users: -8"))
    with pytest.raises(ValueError, match=r"mine.yaml.*slices.urllc.num_users: -8 given"):
        Scenario.load(path)
