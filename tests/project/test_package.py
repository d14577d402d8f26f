"""What is said of versions, extras and examples agrees: pyproject.toml, the files of constraints, the examples."""

from __future__ import annotations

import re
import sys

from experiments.tools.package import EXAMPLES, NEEDING, ROOT, SIZES, extras_of
from slicing_gym.extras import EXTRAS
from slicing_gym.version import __version__

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # which pytest brings there

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOT_TRIED = {"ray", "docs", "test"}
"""Extras whose lowest versions are in no file."""


def pinned(name: str) -> dict[str, str]:
    """Versions by distribution in a file of constraints."""
    lines = re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / name).read_text(), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", distribution).lower(): version for distribution, version in lines}


def lowest() -> dict[str, str]:
    """By distribution, the lowest version that pyproject.toml allows."""
    extras = PROJECT["optional-dependencies"].items()
    listed = [each for name, those in extras if name not in NOT_TRIED for each in those]
    found = [re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)$", each) for each in [*PROJECT["dependencies"], *listed]]
    bounds = sorted((version(each[2]), each[1].lower(), each[2]) for each in found if each)
    return {name: least for _, name, least in bounds}  # the highest, where several extras name one


def version(text: str) -> list[int]:
    """As numbers, without zeros at the end."""
    return [int(number) for number in re.sub(r"(\.0)+$", "", text).split(".")]


def test_every_place_names_the_version_that_the_package_has():
    for name, said in (("README.md", r"version = {(.*)}"), ("CITATION.cff", r"(?m)^version: (.*)$")):
        assert re.findall(said, (ROOT / name).read_text()) == [__version__], name


def test_the_lowest_versions_are_those_of_their_file():
    versions = pinned("constraints-lowest.txt")
    assert len(lowest()) > 20
    assert {name for name, least in lowest().items() if version(versions[name]) != version(least)} == set()


def test_pinned_versions_are_allowed():
    versions = pinned("constraints.txt")
    low = {name for name, least in lowest().items() if version(versions[name]) < version(least)}
    assert low == set()


def test_examples_say_what_they_need():
    known = {*EXTRAS.values()}
    texts = {path.stem: path.read_text() for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb")}
    assert texts.keys() == {*SIZES, "start"}
    assert all(extras_of(text) <= known for text in texts.values())
    assert extras_of(texts["what_if"]) == set()
    assert extras_of(texts["pytorch_loop"]) == {"train"}
    assert extras_of(texts["start"]) == {"train", "render"}
    assert extras_of(texts["log_to_onnx"]) == {"train", "logs", "export"}
    assert NEEDING.keys() <= known
