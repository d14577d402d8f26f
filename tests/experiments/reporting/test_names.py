"""Methods in words."""

from __future__ import annotations

import pytest

from experiments.reporting.names import display_name, display_names
from experiments.reporting.style import (
    _AGENT_COLOURS,
    _POLICY_COLOURS,
    _SPARE_COLOURS,
    agent_colour,
    agent_colours,
    policy_colours,
)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("best_fixed", "best fixed"),
        ("ddqn", "DDQN"),
        ("ddqn-dt", "DDQN with a twin"),
        ("gan_ddqn-dt-transformer-planner", "GAN-DDQN with a transformer twin"),
        ("ddqn-dt seed 3", "DDQN with a twin seed 3"),
        ("ddqn (factored)", "DDQN (factored)"),
        ("mine", "mine"),
        ("mine-dt", "mine with a twin"),
        ("my-dt-agent", "my-dt-agent"),
        ("1-94-5", "1-94-5"),
    ],
)
def test_a_method_is_said_in_words(method, words):
    assert display_name(method) == words


def test_no_two_methods_of_a_picture_are_called_the_same():
    both = display_names(["ddqn", "ddqn-dt", "ddqn-dt-planner"])
    assert both == {
        "ddqn": "DDQN",
        "ddqn-dt": "DDQN with a twin, random start",
        "ddqn-dt-planner": "DDQN with a twin",
    }
    assert display_names(["ddqn", "DDQN"]) == {"ddqn": "ddqn", "DDQN": "DDQN"}


def test_no_method_has_the_colour_of_a_baseline():
    baselines = {name: shade for name, shade in _POLICY_COLOURS.items() if name != "planner"}
    agents = {name: shade for name, shade in _AGENT_COLOURS.items() if name not in _POLICY_COLOURS}
    others = policy_colours(["a", "b", "c", "d"])
    shades = [*agents.values(), *_SPARE_COLOURS, *(others[name] for name in "abcd")]
    assert not set(shades) & set(baselines.values())
    assert len(set(agents.values())) == len(agents)


def test_agents_of_a_picture_with_names_of_their_own_look_different():
    own = ["ddqn-0.1", "ddqn-0.2", "ddqn-0.3", "my-dqn", "yours"]
    assert len({agent_colour(name) for name in own}) < len(own)  # each by itself does not see the others
    colours = agent_colours(["dqn", "dqn-dt", *own, "random"])
    assert len({colours[name] for name in ("dqn", *own, "random")}) == len(own) + 2
    assert colours["dqn"] == colours["dqn-dt"] == agent_colour("dqn")
