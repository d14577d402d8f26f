"""The Python shown in README and docs runs as it stands, links lead somewhere, and commands take their arguments."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from importlib import import_module
from types import ModuleType

import pytest

from experiments.tools.package import ROOT
from experiments.tools.page_commands import MARKDOWN, commands, texts, unlabelled_blocks, without_code
from slicing_gym.cli import commands as topics
from tests.helpers.pages import headings

SMALLER = {"20_000": "300", "max_epochs=10": "max_epochs=1", "copies=16": "copies=2", "verbose=1": "verbose=0"}
"""What is written otherwise here: sizes, so that an example takes a second, and what it prints on the way."""
BLOCKS = [
    pytest.param(block, id=f"{path.relative_to(ROOT)}-{number}")
    for path in MARKDOWN
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL))
]


@pytest.mark.filterwarnings("ignore:ssr. never met:twin.LogWarning")  # what the synthetic log is like
@pytest.mark.parametrize("block", BLOCKS)
def test_block_runs(block, monkeypatch):
    """In a module of the name that the pages give it: what one block registers, the same block may register again."""
    module = ModuleType("mine")
    monkeypatch.setitem(sys.modules, "mine", module)
    module.gym = __import__("gymnasium")  # a later block may go on from an earlier one's import
    before = len(vars(module))
    for size, less in SMALLER.items():
        block = block.replace(size, less)
    exec(block, vars(module))
    assert len(vars(module)) > before + 1


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_pictures_are_there(path):
    """The site's build sees only what is below docs/."""
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(path.read_text())):
        file, _, anchor = target.partition("#")
        page = (path.parent / file).resolve() if file else path
        if target.startswith("https://"):
            continue
        there = page.exists() and page.is_relative_to(ROOT)
        if not there or (anchor and anchor not in headings(page.read_text())):
            wrong.append(target)
    assert wrong == []


def test_a_wrong_anchor_would_be_found():
    text = "# A *title*: with `code`, [a link](x.md)\n```\n# a comment\n```\n## Twice\n## Twice\n"
    assert headings(text) == {"a-title-with-code-a-link", "twice", "twice-1"}


def test_make_has_what_pages_ask_of_it():
    asked = {
        target for _, text in texts() for target in re.findall(r"(?:^|`)make ([a-z]+)(?=`|\s)", text, re.MULTILINE)
    }
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert asked <= set(targets)
    assert asked


class _ParsedError(Exception):
    """A parser has taken what it was given."""


def module_of(topic):
    """What `python -m experiments.<topic>` runs."""
    name = f"experiments.{topic}"
    return f"{name}.__main__" if (ROOT / name.replace(".", "/")).is_dir() else name


def test_every_command_of_an_unlabelled_block_is_found():
    """However its line begins; only what commands print names others within a sentence."""
    lines = [line for _, text in texts() for line in unlabelled_blocks(text).splitlines()]
    own = [line for line in lines if not line.lstrip().startswith(("next: ", "the other: "))]
    shown = [line.partition("python -m experiments.")[2] for line in own]
    found = {f"{each.topic} {each.arguments}".strip() for each in commands()}
    assert {each.partition("  #")[0].strip() for each in shown if each} <= found


@pytest.mark.parametrize(
    "typed", [pytest.param(each, id=f"{each.page}-{each.topic}") for each in commands() if "<" not in each.arguments]
)
def test_commands_are_there_and_take_their_arguments(typed, monkeypatch):
    """What Hydra composes is checked by tests/experiments/test_commands.py; other commands parse here, and stop."""
    if "/" in typed.topic:
        assert (ROOT / typed.topic).is_file()
        return
    assert "." in typed.topic or typed.topic in topics()
    main = import_module(module_of(typed.topic))
    if hasattr(main, "prepare") or not typed.arguments:
        return
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser, *given):
        parse(parser, *given)
        raise _ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.setattr(sys, "argv", [typed.topic, *shlex.split(typed.arguments, comments=True)])
    with pytest.raises(_ParsedError):
        main.main()


FOLDERS = ("agents", "conf", "docs", "examples", "experiments", "slicing_gym", "tests", "twin")
"""Of the checkout; what a page names below them is there."""


def named_files(text: str) -> list[str]:
    """Files and folders of the checkout that a page names as code; not those with a <placeholder>, a * or {a,b}."""
    codes = re.findall(r"`([^`\s<>*{}]+)`", without_code(text))
    return [each for each in codes if each.partition("/")[0] in FOLDERS and re.search(r"/$|/.*\.\w+$", each)]


@pytest.mark.parametrize("path", [*MARKDOWN, ROOT / "CHANGELOG.md"], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_pages_name_are_there(path):
    assert [name for name in named_files(path.read_text()) if not (ROOT / name).exists()] == []


def test_a_file_that_has_moved_would_be_found():
    assert named_files("`twin/env.py` `tests/x.py`, `conf/a/<name>.yaml` `runs/a.csv` `twin/loss` `twin/models/`") == [
        "twin/env.py",
        "tests/x.py",
        "twin/models/",
    ]


def test_the_layout_names_every_folder():
    layout = re.search(r"## Layout\n\n```\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)[1]
    named, top = {}, ""
    for line in layout.splitlines():
        folders = re.match(r" {0,2}((?:\w+/ *)*)", line)[1].split()
        if not line.startswith(" "):
            top = folders[0].strip("/")
            named[top] = set()
        else:
            named[top] |= {each.strip("/") for each in folders}
    assert set(named) == set(FOLDERS)
    for package in ("agents", "twin", "experiments"):
        there = {path.name for path in (ROOT / package).iterdir() if path.is_dir() and "__" not in path.name}
        assert named[package] == there, package
