"""Every number that a command takes has an upper bound; what no machine could do is refused before it begins."""

from __future__ import annotations

import types
import typing
from dataclasses import fields, is_dataclass, replace
from importlib import import_module

import pytest

from agents import NoEnv
from experiments.commands.resuming import with_resumed_run
from experiments.config.agents import check_agent, check_numbers
from experiments.config.bounds import check_bounds
from experiments.config.schemas import AgentSettings
from slicing_gym import get_scenario
from tests.experiments.test_commands import TOPICS, schema_of

CHECKED_ELSEWHERE = {each.name for each in fields(AgentSettings)} - {"net_arch", "twin_gradient_steps"}
"""By `check_numbers`: what a role may change."""


def numbers_of(schema, prefix=""):
    """The fields of numbers, or of lists of them, with their bounds; by dotted key."""
    hints, found = typing.get_type_hints(schema), {}
    for each in fields(schema):
        hint, key = hints[each.name], f"{prefix}{each.name}"
        if isinstance(hint, types.UnionType):
            hint = next(kind for kind in typing.get_args(hint) if kind is not types.NoneType)
        inner = typing.get_args(hint)[0] if typing.get_origin(hint) is list else hint
        if is_dataclass(inner):
            found |= numbers_of(inner, f"{key}.")
        elif inner in (int, float):
            found[key] = each.metadata.get("bounds", {})
    return found


@pytest.mark.parametrize("topic", TOPICS)
def test_every_number_is_bounded_above(topic):
    found = numbers_of(schema_of(topic))
    own = {key: each for key, each in found.items() if key.rpartition(".")[2] not in CHECKED_ELSEWHERE}
    assert own
    assert not [key for key, each in own.items() if each.get("at_most") is None]


@pytest.mark.parametrize(
    ("topic", "name", "value"),
    [
        ("train", "decisions", 2**63),
        ("train", "decisions", 10**400),
        ("train", "checkpoint_s", 1e300),
        ("landscape", "surface_points", 2**31),
        ("evaluate", "threads", 10**20),
        ("fidelity", "held_out_runs", 2**63 - 1),
        ("distill", "hidden", [2**31]),
    ],
)
def test_what_no_machine_could_do_is_refused(topic, name, value):
    module = import_module(f"experiments.{topic}.settings")
    settings = module.Settings()
    setattr(settings, name, value)
    with pytest.raises(ValueError, match=rf"^{name}: .* given, allowed is .*\d"):
        check_bounds(settings)


def test_so_are_more_layers_than_can_be_learned():
    agent = AgentSettings(name="ddqn", _target_="agents.DDQN", net_arch=[8] * 65)
    with pytest.raises(ValueError, match=r"^agent\.net_arch: 65 values given, allowed are at most 64$"):
        check_bounds(agent, "agent.")
    check_bounds(replace(agent, net_arch=[8] * 64), "agent.")
    for given, key in (([1] * 65, ""), ({"qf": [1] * 65}, r"\.qf")):
        own = replace(agent, net_arch=None, policy_kwargs={"net_arch": given})
        with pytest.raises(ValueError, match=rf"^agent\.policy_kwargs\.net_arch{key}: 65 values given, allowed are at"):
            check_agent(own, NoEnv(get_scenario("paper-1mhz")))


@pytest.mark.parametrize("name", ["buffer_size", "batch_size", "train_freq", "gradient_steps", "n_steps"])
def test_so_are_changes_of_an_agent_by_the_key_of_the_role(name):
    with pytest.raises(ValueError, match=f"^algorithm.agent_1.{name}: {2**63} given, allowed is "):
        check_numbers({name: 2**63}, "algorithm.agent_1")
    with pytest.raises(ValueError, match=r"^agent\.learning_rate: 1e[+]300 given, allowed is at most 10\.0"):
        check_numbers({"learning_rate": 1e300})


def test_overrides_are_no_names_and_may_be_long():
    made = import_module("experiments.benchmark_suite.settings").BenchmarkSuiteConfig()
    long = "agent.net_arch=[" + ",".join(["64"] * 100) + "]"
    check_bounds(replace(made, own=replace(made.own, overrides=[long])))
    with pytest.raises(TypeError, match=r"^own\.overrides: 5 given, allowed is a text$"):
        check_bounds(replace(made, own=replace(made.own, overrides=[5])))
    with pytest.raises(ValueError, match=r"^own\.policy: 'agent.*'\.\.\. has 316 bytes"):
        check_bounds(replace(made, own=replace(made.own, policy=long)))


def test_so_are_texts_that_no_path_can_have():
    settings = import_module("experiments.export.settings").Settings()
    check_bounds(replace(settings, name="/".join(["x" * 255] * 3)))
    with pytest.raises(ValueError, match=r"^name: 'x/x+'\.\.\. has 256 bytes, allowed are 255 between slashes$"):
        check_bounds(replace(settings, name="x/" + "x" * 256))
    with pytest.raises(ValueError, match=r"^resume: 'x+'\.\.\. has 300 bytes"):
        with_resumed_run([f"resume={'x' * 300}"])
