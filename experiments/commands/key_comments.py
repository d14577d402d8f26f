"""What each key of a command means: by the comments of the files in conf/, else by the docstrings of its types."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from inspect import cleandoc
from pathlib import Path
from typing import Any

from experiments.config.files import CONFIG_FOLDER
from experiments.config.hydra import first_defaults
from slicing_gym import Radio, Reward, Scenario, Slice, Traffic

Place = tuple[str, ...]
"""The keys that lead to one, and its own."""

_SCENARIO: dict[Place, type] = {
    ("scenario",): Scenario,
    ("scenario", "radio"): Radio,
    ("scenario", "reward"): Reward,
    ("scenario", "slices", "*"): Slice,
    ("scenario", "slices", "*", "traffic"): Traffic,
}
"""Types of a preset, which no file in conf/ holds."""
_WORDS = {"None": "null", "True": "true", "False": "false"}
"""Python's words, and YAML's."""
_LINE = re.compile(
    r"(?P<indent> *)(?P<dash>- )?(?P<entry>(?:(?P<key>(?!override )[\w./-]+(?: [\w./-]+)*):)?.*?)"
    r"(?:(?:^|(?<=\s))# (?P<comment>.*))?"
)
_QUOTED = re.compile(r"""(?<![^\s,:\[{])(?:"(?:\\.|[^"\\])*"|'(?:[^']|'')*')""")
"""A quoted key or value, in which # begins no comment."""


class KeyComments:
    """What the files and types say of the keys of a composed configuration.

    Args:
        name: of the command.
        typed: the rest of the command line, as `first_composed` takes it.
        schema: types of the command's settings.
        renamed: keys that are typed by another name, by that name.
    """

    def __init__(self, name: str, typed: Sequence[str], schema: type, renamed: Mapping[str, str]) -> None:
        self._found: dict[Place, str] = {}
        for place, kind in [*_types(schema, ()), *_SCENARIO.items()]:
            self._found |= {(*place, key): text for key, text in arguments_of(kind).items()}
        folders, defaults = first_defaults(name, typed)
        for file, package in defaults:
            paths = [path for folder in (CONFIG_FOLDER, *folders) if (path := Path(folder, f"{file}.yaml")).is_file()]
            above = tuple(package.split(".")) if package else ()
            for path in paths[:1]:
                self._found |= {(*above, *place): text for place, text in comments_in(path.read_text()).items()}
        self._found |= {(short,): self._found[own,] for short, own in renamed.items()}

    def of(self, place: Place) -> str:
        """The comment of a key; nothing where there is none."""
        return self._found.get(place) or self._found.get(_anonymous(place), "")

    def below(self, place: Place) -> bool:
        """Whether a key below this one has a comment."""
        above, depth = _anonymous(place), len(place)
        return any(len(each) > depth and each[:depth] == above for each in self._found)


def comments_in(text: str) -> dict[Place, str]:
    """The comments of a YAML file by the places of keys: what stands behind a key, or in lines of its own above it.

    Of a list they are those of its entries, too; of the entries of `defaults` those of the groups.
    """
    found: dict[Place, str] = {}
    above: list[str] = []
    keys: list[tuple[int, str]] = []
    column, last = 0, Place()
    for line in text.splitlines():
        match = _LINE.fullmatch(_QUOTED.sub(lambda quoted: "_" * len(quoted[0]), line))
        assert match is not None
        entry, key, comment = (line[slice(*match.span(part))] for part in ("entry", "key", "comment"))
        indent = len(match["indent"])
        if not entry.strip() and not match["dash"]:
            if comment and last and match.start("comment") == column:
                found[last] += f" {comment}"
            elif comment and keys:  # above the first key stands what the file is about
                above.append(comment)
            continue
        said = " ".join([*above, comment]).strip()
        above, column = [], match.start("comment")
        keys = [(depth, each) for depth, each in keys if depth < indent]
        if key:
            keys.append((indent, key.strip("\"'")))
            last = tuple(each for _, each in keys)
            last = last[1:] if last[0] == "defaults" and len(last) > 1 else last
        elif said and keys:
            last, said = tuple(each for _, each in keys), f"{entry.strip()}: {said}"
        if said:
            found[last] = f"{found[last]}; {said}" if not key and last in found else said
        else:
            column = 0
    return found


def arguments_of(kind: type) -> dict[str, str]:
    """What the docstring of a class, and of those it inherits from, says of each argument, in the words of YAML."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        section = re.search(r"^Args:\n((?: {4}.*\n?|\n)*)", cleandoc(vars(each).get("__doc__") or ""), re.MULTILINE)
        for names, text in re.findall(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", section[1] if section else "", re.M):
            said = " ".join(text.split()).removesuffix(".")
            said = re.sub(rf"\b({'|'.join(_WORDS)})\b", lambda word: _WORDS[word[0]], said)
            found |= dict.fromkeys(names.split(", "), said)
    return found


def _types(kind: type, place: Place) -> Iterator[tuple[Place, type]]:
    """A dataclass and those of its fields, by the keys under which they stand."""
    yield place, kind
    hints: dict[str, Any] = typing.get_type_hints(kind)
    for name, hint in hints.items():
        if is_dataclass(hint) and isinstance(hint, type):
            yield from _types(hint, (*place, name))


def _anonymous(place: Place) -> Place:
    """A place without the name of the slice that it is of."""
    return (*place[:2], "*", *place[3:]) if place[:2] == ("scenario", "slices") and len(place) > 2 else place
