"""`--help` names the choices that a command takes, says what each key means, and shows no part of the machinery."""

from __future__ import annotations

import argparse
import re
import typing
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from experiments.commands.help import REFUSED, help_text, offered
from experiments.commands.key_comments import arguments_of, comments_in
from experiments.config.files import CONFIG_FOLDER, choices_of, groups_of, with_files
from experiments.config.hydra import first_composed, register, settings_of
from experiments.train.settings import Settings
from slicing_gym import get_scenario
from slicing_gym.cli import commands

HYDRA = sorted(path.stem for path in Path(CONFIG_FOLDER).glob("*.yaml"))
"""Commands that Hydra composes; argparse reads the others' arguments."""


def main_of(name):
    return import_module(f"experiments.{name}.__main__")


@pytest.fixture(autouse=True, scope="module")
def _registered():
    for name in HYDRA:
        register(name, schema_of(name))


def schema_of(name):
    return typing.get_type_hints(main_of(name).prepare)["config"]


@pytest.mark.parametrize("name", HYDRA)
def test_a_page_is_whole_and_shows_no_internals(name):
    page = help_text(name, [])
    assert f"python -m experiments.{name}" in page
    for group in groups_of(name):
        assert (f"\n{group}= one of these" in page) == (len(offered(name, group)) > 1)
    for word in (
        "_settings",
        "twin_training",
        "_schema",
        "_self_",
        "_target_: agents",
        "_global_",
        "${",
        "mapping_file",
    ):
        assert word not in page
    lines = page.splitlines()
    assert [line for line in lines if line.endswith("...")] == []
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("name", sorted(set(commands()) - set(HYDRA)))
def test_every_option_of_the_others_is_explained_in_a_phrase(name, monkeypatch):
    parsers = []
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", lambda parser, *_: parsers.append(parser) or {}["end"])
    with pytest.raises(KeyError, match="end"):
        main_of(name).main([])
    for action in parsers[0]._actions:
        assert len(action.help.split()) > 2, action.dest
        assert action.help.split()[0] not in ("for", "in", "that", "which"), action.dest


def test_every_key_of_a_file_has_its_comment_beside_it():
    page = help_text("train", ["twin=lstm"])
    for key, said in {
        "decisions": "real decisions in all, wherever they are spent",
        "  collect": "real decisions before the first twin",  # of another file
        "    members": "networks; a cell of the twin uses one of them",  # of a file of a part of that
        "      num_users": "users in the cell",  # of a docstring
        "    max_spectral_efficiency": "most that a layer carries",
    }.items():
        assert re.search(rf"^{key}: \S+ +# {said}", page, re.MULTILINE), key
    assert "# null: 5000, with" not in page  # it goes on from the line before
    assert "so that it forgets nothing. null: 5000" in page


def keys_of(page):
    return re.findall(r"^(\w+):", page.partition("Every key, with its value:")[2], re.MULTILINE)


def test_a_commands_own_keys_stand_before_what_a_group_brings():
    assert keys_of(help_text("evaluate", [])) == [
        *("policy", "seeds", "decisions", "imports", "trust", "threads", "progress", "scenario")
    ]
    keys = keys_of(help_text("train", ["twin=lstm"]))
    assert set(keys[-4:]) == {"scenario", "agent", "algorithm", "twin"}
    assert keys[0] == "seed"


def test_keys_and_values_are_as_they_are_typed(tmp_path):
    for name, typed in {"what_if": "twin", "landscape": "agent"}.items():
        main = main_of(name)
        page = help_text(name, [], main.RENAMED)
        assert keys_of(page)[0] == typed
        assert re.search(rf"^{typed}: null +# .*typed as {typed}=", page, re.MULTILINE)
        assert not {"fitted", "runs"} & set(keys_of(page))
    page = help_text("train", ["twin=lstm", "algorithm.twin_decisions=512", "agent.twin_gradient_steps=3"])
    assert re.search(r"^ +buffer_size: 512\b", page, re.MULTILINE)
    assert re.search(r"^ +gradient_steps: 3\b", page, re.MULTILINE)
    (tmp_path / "mine.yaml").write_text("slice: s\n")
    page = help_text("inspect", with_files("inspect", [f"mapping={tmp_path}/mine.yaml"]))
    assert f"\nmapping: {tmp_path}/mine.yaml" in page


def test_what_a_preset_says_of_a_key_is_shown_with_it():
    page = help_text("train", ["+experiment=paper_figures", "twin=lstm"])
    assert re.search(r"^  performance: +# networks as they were fitted for those pages", page, re.MULTILINE)


def test_comments_of_a_file_are_found_by_key():
    text = """# what the file is about
defaults:
  - thing_schema   # types
  - agent: ddqn    # which one
  - override hydra/launcher: joblib  # where
policy:            # several
  - hard
  - best           # the best one
# One cell each;
# common random numbers.
seeds: [0, 1]
sizes: {a: 1}
deep:
  er: "# no comment"   # lines that
                       # go on
  plain: "a # b"
  "video HD": 'it''s # none'  # a name's quotes
  flow: ["a # b", 'c # d']  # both "quoted" # again
"""
    found = comments_in(text)
    assert {key: said for key, said in found.items() if key != ("defaults",)} == {
        ("agent",): "which one",
        ("policy",): "several; best: the best one",
        ("seeds",): "One cell each; common random numbers.",
        ("deep", "er"): "lines that go on",
        ("deep", "video HD"): "a name's quotes",
        ("deep", "flow"): 'both "quoted" # again',
    }


@pytest.mark.parametrize("name", ["video HD", "a.b", "urllc"])
def test_slices_of_any_name_have_comments_and_indents(name, tmp_path):
    own = get_scenario("paper").to_dict()
    own["slices"] = {name: next(iter(own["slices"].values()))}
    (tmp_path / "scenario").mkdir()
    text = yaml.safe_dump(own).replace(f"  {name}:\n", f"  {name}:  # of mine\n")
    (tmp_path / "scenario" / "own.yaml").write_text(text)
    page = help_text("train", ["scenario=own", "--config-dir", str(tmp_path)])
    assert re.search(rf"^    {name}: +# of mine$", page, re.MULTILINE)
    assert re.search(r"^      num_users: \S+ +# users in the cell", page, re.MULTILINE)


def test_a_value_with_a_line_break_stays_on_its_line(tmp_path):
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "mine.yaml").write_text('name: "two\\nlines"\n_target_: agents.DQN\n')
    page = help_text("train", ["agent=mine", "--config-dir", str(tmp_path)])
    assert '\n  name: "two\\nlines"' in page


def test_docstrings_say_what_yaml_says():
    said = arguments_of(Settings)
    assert said["torch_threads"] == "threads that PyTorch computes in"
    assert said["reward"].endswith("null: the scenario's own")


def choices(name):
    """Every choice of a command's groups, and of presets where it has some."""
    groups = [*groups_of(name), *(["experiment"] if "experiment" in REFUSED.get(name, {}) else [])]
    return [(group, each) for group in groups for each in choices_of(group) if not each.startswith("_")]


MORE = {
    "offline": ["decisions=60"],
    "traffic": [f"log={Path(__file__).parents[3] / 'docs' / 'data' / 'synthetic_log.csv'}"],
}
"""What a command needs before it looks at its choices, or for a short look."""


@pytest.mark.parametrize("name", [name for name in HYDRA if choices(name)])
def test_choices_are_offered_that_a_command_takes_and_no_others(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for group, choice in choices(name):
        if group == "scenario":
            continue
        typed = [f"{'+' if group == 'experiment' else ''}{group}={choice}"]
        typed += ["agent._target_=stable_baselines3.DQN"] if choice == "custom" else []
        typed += MORE.get(name, [])
        fault = refused(name, typed)
        assert (fault == "") == (choice in offered(name, group)), (group, choice, fault)


def refused(name, typed):
    """What a command says of a choice; nothing, where it is something else that it lacks."""
    try:
        main_of(name).prepare(settings_of(first_composed(name, typed), schema_of(name)), Path("out"))
    except (ValueError, TypeError, OSError) as error:
        group = typed[0].lstrip("+").partition("=")[0]
        return str(error) if re.match(rf"{group}\b|algorithm\b", str(error)) else ""
    return ""


def test_the_configuration_is_that_of_what_was_typed():
    page = help_text("train", ["decisions=7", "agent=planner"])
    assert "\ndecisions: 7  " in page
    assert re.search(r"\nagent: +#.*\n  name: planner +#", page)
    with pytest.raises(ValueError, match="decisoins"):
        help_text("train", ["decisoins=7"])


@pytest.mark.parametrize("options", [["--help"], ["-m", "--help"]])
def test_of_a_sweep_the_first_run_is_shown(options):
    assert "\nseed: 1  " in help_text("train", ["seed=1,2", *options])
    with pytest.raises(ValueError, match=r"^seed: x given, allowed is a whole number$"):
        help_text("train", ["seed=1,x", *options])


def test_choices_of_ones_own_are_shown(tmp_path):
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "mine.yaml").write_text("name: mine   # of my own\n_target_: agents.DQN\n")
    page = help_text("train", ["agent=mine", "--config-dir", str(tmp_path)])
    assert re.search(r"\n  name: mine +# of my own\n", page)
