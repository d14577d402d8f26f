"""Spaces: what is drawn stays within them, and what is wrong is named before any trial."""

from __future__ import annotations

import optuna
import pytest
import yaml

from experiments.config.schemas import AgentSettings
from experiments.environments import Environments
from experiments.search.space import defaults_in, make_space, read_space, suggest, with_values
from tests.helpers.runs import SCENARIO

AGENT = AgentSettings(name="ddqn", _target_="agents.DDQN", head="dense", net_arch=[16])
DECISIONS = 80
GIVEN = {
    "agent.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "agent.learning_starts": {"low": 20, "high": 60, "int": True},
    "agent.net_arch": {"choices": [[16], [8, 8]]},
    "agent.kwargs.max_grad_norm": {"choices": [10, None, 0.5]},
}


@pytest.fixture(scope="module")
def env():
    return Environments(SCENARIO).real()


def test_what_is_drawn_stays_within_and_reaches_the_agent(env):
    space = make_space(GIVEN, AGENT, env, DECISIONS)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [suggest(space, study.ask()) for _ in range(200)]
    for values in drawn:
        assert 1e-4 <= values["agent.learning_rate"] <= 1e-2
        assert values["agent.learning_starts"] in range(20, 61)
    assert sum(values["agent.learning_rate"] < 1e-3 for values in drawn) == pytest.approx(100, abs=25)  # logarithmic
    for key, entry in GIVEN.items():
        if "choices" in entry:
            assert all(choice in [values[key] for values in drawn] for choice in entry["choices"])
    found = with_values(AGENT, drawn[0])
    assert (found.learning_rate, found.net_arch) == (drawn[0]["agent.learning_rate"], drawn[0]["agent.net_arch"])
    assert found.kwargs == {"max_grad_norm": drawn[0]["agent.kwargs.max_grad_norm"]}
    assert (AGENT.kwargs, AGENT.learning_rate, found.batch_size) == ({}, 1e-3, AGENT.batch_size)


def test_the_defaults_are_in_it_or_not(env):
    space = make_space({key: GIVEN[key] for key in ("agent.learning_rate", "agent.net_arch")}, AGENT, env, DECISIONS)
    assert defaults_in(space, AGENT) == {"agent.learning_rate": 1e-3, "agent.net_arch": "[16]"}
    assert defaults_in(space, with_values(AGENT, {"agent.learning_rate": 1.0})) is None
    assert defaults_in(space, with_values(AGENT, {"agent.net_arch": [32]})) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"agent.learnin_rate": {"low": 0.1, "high": 1.0}},
            "unknown name 'agent.learnin_rate'; did you mean 'agent.learning_rate'",
        ),
        (
            {"learning_rate": {"low": 0.1, "high": 1.0}},
            "unknown name 'learning_rate'; did you mean 'agent.learning_rate'",
        ),
        ({"decisions": {"choices": [1, 2]}}, "space: unknown name 'decisions'"),
        ({"agent.name": {"choices": ["a", "b"]}}, "space: unknown name 'agent.name'"),
        ({"agent.gamma": {"low": 0.9, "high": 0.1}}, r"space.agent.gamma.high: 0.1 given, allowed is above 0.9"),
        ({"agent.gamma": {"low": 0.9}}, "space.agent.gamma.high: not given"),
        ({"agent.gamma": {"low": 0, "hihg": 1}}, "space.agent.gamma: unknown name 'hihg'; did you mean 'high'"),
        ({"agent.gamma": {"low": 0.0, "high": 1.5}}, r"space.agent.gamma: 1.5 is not allowed there \(agent.gamma: 1.5"),
        (
            {"agent.gamma": {"low": 0.0, "high": 0.5, "log": True}},
            "space.agent.gamma.low: 0.0 given, allowed is above 0",
        ),
        ({"agent.gamma": {"low": 0.1, "high": 0.5, "log": 1}}, "space.agent.gamma.log: 1 given, allowed is bool"),
        (
            {"agent.batch_size": {"low": 8.5, "high": 16, "int": True}},
            "space.agent.batch_size.low: 8.5 given, .* whole",
        ),
        ({"agent.batch_size": {"low": 8, "high": 16}}, "space.agent.batch_size: 8.0 is not allowed there"),
        ({"agent.batch_size": {"choices": []}}, "agent.batch_size.choices: .* given, allowed is a list of different"),
        (
            {"agent.batch_size": {"choices": [8, 8]}},
            "agent.batch_size.choices: .* given, allowed is a list of different",
        ),
        ({"agent.batch_size": 8}, "space.agent.batch_size: 8 given, allowed is"),
        ({"agent.kwargs.max_grad": {"choices": [1]}}, "max_grad.*did you mean 'max_grad_norm'"),
        (
            {"agent.train_freq": {"choices": [4, 3]}},
            r"space.agent.train_freq: 3 is not allowed there \(decisions: 80 given, allowed are multiples of .* = 3",
        ),
        ({"agent.train_freq": {"low": 1, "high": 8, "int": True}}, r"space.agent.train_freq: 3 is not allowed there"),
        ({"agent.net_arch.0": {"choices": [1]}}, "space: unknown name 'agent.net_arch.0'"),
    ],
)
def test_what_is_wrong_is_named(env, given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_space(given, AGENT, env, DECISIONS)


def test_files_and_names_are_read(tmp_path, env):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(GIVEN))
    assert read_space(str(path)) == GIVEN
    assert make_space(read_space("ddqn"), AGENT, env, DECISIONS)
    with pytest.raises(ValueError, match="space: unknown name 'dqnn'; did you mean 'ddqn'"):
        read_space("dqnn")
    with pytest.raises(FileNotFoundError, match=r"space: the file '.*yours.yaml' does not exist"):
        read_space(str(tmp_path / "yours.yaml"))
    path.write_text("- a")
    with pytest.raises(TypeError, match="holds no keys and values"):
        read_space(str(path))
