"""Cards next to agents: what they say to type can be typed."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from experiments.reporting.cards import write_agent_card, write_twin_card
from slicing_gym import get_scenario
from tests.helpers.twins import cold_twin, history_of

PAPER = get_scenario("paper")
SUMMARY = {"agent": "ddqn", "head": "dense", "twin": None, "seed": 0}


@pytest.mark.parametrize(
    ("scenario", "typed"),
    [
        (PAPER, "scenario=paper"),
        (PAPER.replace(reward={"kind": "utility"}), "scenario=paper"),
        (PAPER.replace(name="mine | x"), "scenario=<your scenario>.yaml"),
        (PAPER.replace(slices={"urllc": {"num_users": 3}}), "scenario=<your scenario>.yaml"),
    ],
)
def test_a_preset_is_typed_by_name_and_another_scenario_by_its_file(scenario, typed, tmp_path):
    path = tmp_path / "my agent.zip"
    path.touch()
    text = write_agent_card(path, scenario, SUMMARY, "none", "").read_text()
    (command,) = re.findall(r"^\| Use \| `(.*?)`(?: \||; one that learned from a log .*step 4 \|)$", text, re.MULTILINE)
    assert command == f"python -m experiments.evaluate 'policy=\"my agent.zip\"' {typed}"
    assert ("in its twin" in text) == ("<your" in typed)
    assert f"scenario {scenario.name}: ".replace("|", r"\|") in text


@pytest.mark.parametrize("only_in", [None, "twin.safetensors", "<folder of experiments.fidelity>"])
def test_an_agent_that_acts_in_twins_alone_is_used_there(only_in, tmp_path):
    path = tmp_path / "agent.zip"
    path.touch()
    text = write_agent_card(path, PAPER, SUMMARY, "none", "", only_in=only_in).read_text()
    (use,) = re.findall(r"^\| Use \| (.*) \|$", text, re.MULTILINE)
    assert ("experiments.evaluate" in use) == (only_in is None)
    command = f"`python -m experiments.what_if twin={only_in} interval=0 policies=logged,agent.zip`"
    assert (command in use) == ("is not exported" in use) == (only_in is not None)


@pytest.mark.parametrize(
    ("modules", "imports", "says"),
    [
        ([], "", ""),
        (["my_package", "mine.wrappers"], " imports=[my_package,mine.wrappers]", ", where Python finds these modules"),
        (["__main__"], "", "; classes of a script or notebook are put into a module first"),
    ],
)
def test_modules_of_the_users_own_are_typed_as_imports(modules, imports, says, tmp_path):
    path = tmp_path / "agent.zip"
    path.touch()
    text = write_agent_card(path, PAPER, SUMMARY, "none", "", modules).read_text()
    assert f"| Use | `python -m experiments.evaluate policy=agent.zip scenario=paper{imports}`{says} |\n" in text


@pytest.mark.parametrize(("simulated", "log", "mit"), [(True, False, True), (False, True, False), (None, True, True)])
def test_the_licence_speaks_of_a_log_where_the_data_may_be_one(simulated, log, mit, tmp_path):
    path = tmp_path / "agent.zip"
    path.touch()
    text = write_agent_card(path, PAPER, SUMMARY, "none", "", simulated=simulated).read_text()
    (licence,) = re.findall(r"^\| Licence \| (.*) \|$", text, re.MULTILINE)
    assert ("log" in licence, "MIT" in licence) == (log, mit)


def test_a_twins_card_says_which_prior_is_in_force_where_another_was_asked_for(tmp_path):
    twin, path = cold_twin(history_of("paper-1mhz").take(slice(0, 30))), tmp_path / "twin.safetensors"
    twin.save(path)
    assert "prior_scale" not in write_twin_card(path, twin, "decisions", "").read_text()
    twin.performance = replace(twin.performance, prior_scale=3.0)
    assert "autoregressive, networks with prior_scale=10 |" in write_twin_card(path, twin, "decisions", "").read_text()
