"""Checkpoints, and what of a configuration has to be the same for a run to go on."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.runs import checkpoint
from experiments.runs.compare import check_same_configuration, comparable
from experiments.runs.naming import describe_twin, method_name, twin_name
from tests.helpers.runs import composed, twin_settings
from twin import DigitalTwin


def test_a_checkpoint_gives_back_what_it_was_given(tmp_path):
    arrays = {"a.b": np.arange(6.0).reshape(2, 3), "empty": np.zeros((0, 2), np.int32)}
    checkpoint.write(tmp_path / checkpoint.FILE, {"number": 3, "nested": {"text": "ü"}}, arrays)
    header, found = checkpoint.read(tmp_path / checkpoint.FILE)
    assert header == {"number": 3, "nested": {"text": "ü"}}
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    for content in (b"", b"nothing", b"PK\x03\x04"):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(ValueError, match=r"resume: '.*file' is not a checkpoint, or is damaged"):
            checkpoint.read(tmp_path / "file")


def test_keys_that_may_be_others_are_not_compared(tmp_path):
    stored = {"seed": 0, "agent": {"gamma": 0.8}, "progress": True, "imports": ["a"], "checkpoint_s": 1.0}
    assert comparable(stored) == {"seed": 0, "agent": {"gamma": 0.8}}
    check_same_configuration(tmp_path, stored, {**stored, "progress": False, "imports": [], "trust": True})
    with pytest.raises(
        ValueError, match=r"another configuration:\n  seed: 0 there, 1 given\n  agent\.gamma: 0\.8 there"
    ):
        check_same_configuration(tmp_path, stored, {"seed": 1, "agent": {"gamma": 0.9}})


def test_a_run_may_go_on_on_another_device(tmp_path):
    before = {"seed": 0, "agent": {"gamma": 0.8, "device": "cpu"}}  # there was no key for all
    check_same_configuration(tmp_path, before, {"seed": 0, "device": "cuda", "agent": {"gamma": 0.8, "device": "cuda"}})


def test_a_run_of_an_earlier_version_is_not_resumed(tmp_path):
    """What it was begun with had other names."""
    message = r"resume: the run in '.*' was begun by an earlier version; end it with that one, or begin it again in"
    with pytest.raises(ValueError, match=message):
        check_same_configuration(tmp_path, {"seed": 0, "plain": False}, {"seed": 0, "without_twin": False})


def test_a_configuration_of_before_planners_is_one_with_random_decisions_before_the_twin(tmp_path):
    stored = {"seed": 0, "algorithm": {"collect": 200}}
    today = {"seed": 0, "algorithm": {"collect": 200, "collect_by": "random"}, "planner": {"horizon": 1}}
    today |= {"with_planner": False, "num_envs": 1}
    check_same_configuration(tmp_path, stored, today)
    with pytest.raises(ValueError, match=r"\n  algorithm\.collect_by: 'random' there, 'planner' given$"):
        check_same_configuration(tmp_path, stored, {**today, "algorithm": {"collect": 200, "collect_by": "planner"}})
    before = {**stored, "twin": {"performance": {"members": 5}}}
    networks = {"members": 5, "structure": "joint", "prior_scale": 0.0}
    check_same_configuration(tmp_path, before, {**today, "twin": {"performance": networks}})
    with pytest.raises(ValueError, match=r"\n  twin\.performance\.structure: 'joint' there, 'auto' given$"):
        check_same_configuration(
            tmp_path, before, {**today, "twin": {"performance": {**networks, "structure": "auto"}}}
        )


def test_methods_are_called_by_agent_and_twin():
    assert method_name("ddqn", None) == "ddqn"
    assert method_name("ddqn", DigitalTwin("lstm")) == "ddqn-dt"
    assert method_name("ddqn", DigitalTwin("transformer")) == "ddqn-dt-transformer"
    assert method_name("ddqn", DigitalTwin("lstm"), "random") == "ddqn-dt"
    assert method_name("ddqn", DigitalTwin("lstm"), "planner") == "ddqn-dt-planner"
    assert method_name("ddqn", DigitalTwin("transformer"), "planner") == "ddqn-dt-transformer-planner"
    assert [twin_name(None), twin_name(DigitalTwin("lstm"))] == ["none", "lstm"]


def test_a_twin_is_described_as_the_yaml_has_it():
    assert describe_twin(None) == composed("train", "twin=none").twin
    for name in ("lstm", "transformer"):
        assert describe_twin(DigitalTwin(name)) == composed("train", f"twin={name}").twin
    assert describe_twin(twin_settings())["transition"]["memory_size"] == 8
