"""`--help` names the choices that a user has, and no part of the machinery."""

from __future__ import annotations

import pytest

from experiments.commands.help import help_text
from experiments.config.files import groups_of
from experiments.config.hydra import register
from experiments.inspect.settings import InspectConfig
from experiments.train.settings import TrainConfig


@pytest.fixture(autouse=True)
def _registered():
    register("train", TrainConfig)
    register("inspect", InspectConfig)


@pytest.mark.parametrize("name", ["train", "inspect"])
def test_no_internals_are_shown(name):
    page = help_text(name, [])
    assert f"python -m experiments.{name}" in page
    assert all(f"\n{group}= one of these" in page for group in groups_of(name))
    for word in ("_settings", "twin_training", "_schema", "_self_"):
        assert word not in page


def test_the_configuration_is_that_of_what_was_typed():
    page = help_text("train", ["decisions=7", "agent=planner"])
    assert "\ndecisions: 7\n" in page
    assert "\nagent:\n  name: planner\n" in page
    with pytest.raises(ValueError, match="decisoins"):
        help_text("train", ["decisoins=7"])


@pytest.mark.parametrize("options", [["--help"], ["-m", "--help"]])
def test_of_a_sweep_the_first_run_is_shown(options):
    assert "\nseed: 1\n" in help_text("train", ["seed=1,2", *options])
    with pytest.raises(ValueError, match=r"^seed: x given, allowed is a whole number$"):
        help_text("train", ["seed=1,x", *options])


def test_choices_of_ones_own_are_shown(tmp_path):
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "mine.yaml").write_text("name: mine\n_target_: agents.DQN\n")
    assert "\nagent:\n  name: mine\n" in help_text("train", ["agent=mine", "--config-dir", str(tmp_path)])
