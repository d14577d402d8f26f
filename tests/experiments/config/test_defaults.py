"""The defaults of the settings' dataclasses are those of the YAML files."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import pytest

from experiments.config.schemas import TARGET_MISSING, AgentSettings
from tests.helpers.runs import SCHEMAS, composed, raw

OF_GROUPS = {"scenario", "agent", "twin"}
"""Keys of which a file of their own is chosen."""

OF_ROLES = {"agent", "agent_1", "agent_2"}
"""Changes of the agent, which a maker does not need."""


def flat(settings, prefix=""):
    """Every value by its dotted key, those of nested dataclasses too."""
    found = {}
    for each in fields(settings):
        value, key = getattr(settings, each.name), f"{prefix}{each.name}"
        found |= flat(value, f"{key}.") if is_dataclass(value) else {key: value}
    return found


@pytest.mark.parametrize("name", SCHEMAS)
def test_commands_and_dataclasses_have_the_same_defaults(name):
    composed_ones, own = flat(composed(name)), flat(SCHEMAS[name]())
    ignored = {key for key in own if key.partition(".")[0] in OF_GROUPS}
    ignored |= {key for key in own if key.startswith("algorithm.") and key.split(".")[1] in OF_ROLES}
    assert composed_ones.keys() == own.keys()
    assert {key: value for key, value in own.items() if key not in ignored} == {
        key: value for key, value in composed_ones.items() if key not in ignored
    }
    assert len(own) - len(ignored) > 5


def test_agents_have_the_defaults_of_what_they_share():
    found = composed("train", "agent=ddqn").agent
    assert replace(found, name=TARGET_MISSING, _target_=TARGET_MISSING) == AgentSettings()
    assert (found.name, found._target_) == ("ddqn", "agents.DDQN")


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_setting_stands_in_the_yaml(name):
    """So that it has a comment there, and can be typed without a plus."""
    with open(f"conf/{name}.yaml") as file:
        text = file.read()
    groups = {"scenario", "agent", "twin", "algorithm"}
    for each in fields(SCHEMAS[name]):
        if each.name not in groups:
            assert f"\n{each.name}:" in text, each.name
    assert set(raw(name)) == {each.name for each in fields(SCHEMAS[name])}
