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
    with pytest.raises(SystemExit, match="decisoins"):
        help_text("train", ["decisoins=7"])
