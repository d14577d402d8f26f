"""What `--help` prints: the choices of a command, each with its first comment, and every key with value and comment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.commands.key_comments import KeyComments, Place
from experiments.config.files import CONFIG_FOLDER, choices_of, groups_of
from experiments.config.hydra import first_composed
from slicing_gym import SCENARIOS
from slicing_gym.yaml_reading import read_yaml_mapping

_USAGE = """python -m experiments.{name} [key=value ...]

{about}
Type key=value for any key below, group=choice for a choice; -m runs a sweep over comma-separated values.
--cfg job prints the configuration alone, --config-dir <folder> adds choices of your own, --hydra-help says more.
"""
_WIDTH = 120
_COLUMN = 44
"""Where comments of keys begin."""
_OWN_FILES = ("scenario", "mapping", "agent")
"""Groups of which a path of a YAML file is a choice, too."""

REFUSED: Mapping[str, Mapping[str, Sequence[str]]] = {
    "train": {"algorithm": ["offline"], "experiment": ["paper_offline"]},
    "offline": {
        "agent": ["planner"],
        "algorithm": ["online"],
        "experiment": ["debug", "paper_figures", "quick", "random_collection"],
    },
    "search": {"agent": ["planner"], "twin": ["none"]},
    "fidelity": {"twin": ["none"]},
    "calibration": {"twin": ["none"]},
    "traffic": {"mapping": ["none"]},
}
"""By command and group, the choices that the command refuses."""


def help_text(name: str, typed: Sequence[str], renamed: Mapping[str, str] | None = None) -> str:
    """The page of a command.

    Args:
        name: of its file in `conf/`.
        typed: the rest of the command line: the configuration is printed with it, of a sweep that of its first run.

        renamed: keys that are typed by another name; shown by that.

    Raises:
        ValueError: something of it is refused.
    """
    config = first_composed(name, typed)
    about = [line for each in _comment(Path(CONFIG_FOLDER, f"{name}.yaml")) for line in _wrapped(each, "", "  ")]
    parts = [_USAGE.format(name=name, about="\n".join(about))]
    for group in groups_of(name):
        choices = offered(name, group)
        also = f", or {group}=<path>.yaml" if group in _OWN_FILES else ""
        if len(choices) > 1:
            parts.append(f"{group}= one of these{also}\n{_choices(group, choices)}\n")
    if name in ("train", "offline"):
        parts.append(f"+experiment= (presets of many keys)\n{_choices('experiment', offered(name, 'experiment'))}\n")
    comments = KeyComments(name, typed, OmegaConf.get_type(config) or dict, renamed or {})
    values = _as_typed(name, config, renamed or {})
    return "\n".join([*parts, "Every key, with its value:\n", *_keys(values, comments, ()), ""])


def _as_typed(name: str, config: DictConfig, renamed: Mapping[str, str]) -> dict[str, Any]:
    """Keys and values as they are typed: a command's own in the order of its file, then the groups."""
    try:
        values: Any = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException:  # of a value that is to be given; a run would be refused
        values = OmegaConf.to_container(config, resolve=False)
    file = values.pop("mapping_file", None)
    if file is not None:
        values["mapping"] = file
    order = list(read_yaml_mapping("command", Path(CONFIG_FOLDER, f"{name}.yaml")))
    groups = groups_of(name)
    keys = sorted(values, key=lambda key: (key in groups, order.index(key) if key in order else len(order)))
    names = {own: short for short, own in renamed.items()}
    return {names.get(key, key): values[key] for key in keys}


def offered(name: str, group: str) -> list[str]:
    """The choices of a group that a command takes; what begins with an underscore is a part of others."""
    if group == "scenario":
        return list(SCENARIOS)
    refused = REFUSED.get(name, {}).get(group, ())
    return [choice for choice in choices_of(group) if not choice.startswith("_") and choice not in refused]


def _choices(group: str, choices: Sequence[str]) -> str:
    """Choices, each with the first sentence of the comment in its file; presets have none."""
    if group == "scenario":
        return "  " + ", ".join(choices)
    found = []
    for choice in choices:
        sentence = " ".join(_comment(Path(CONFIG_FOLDER, group, f"{choice}.yaml"))).partition(". ")[0]
        found += _wrapped(sentence.removesuffix("."), f"  {choice:<19}", " " * 21)
    return "\n".join(found)


def _keys(values: Mapping[str, Any], comments: KeyComments, above: Place) -> Iterator[str]:
    """The lines of YAML of a mapping, its comments next to it; on one line what has none below it, if there is room."""
    indent = "  " * len(above)
    for key, value in values.items():
        place = (*above, str(key))
        if key == "_target_" and value not in (None, "???"):
            continue
        begun = f"{indent}{_flow(key)}:"
        line = f"{begun} {_flow(value)}"
        nested = isinstance(value, dict) and value and (comments.below(place) or len(line) > _WIDTH)
        yield from _beside(begun if nested else line, comments.of(place))
        if nested:
            yield from _keys(value, comments, place)


def _beside(line: str, comment: str) -> Iterator[str]:
    """A line and its comment, which begins on the next one where the line is long."""
    if not comment:
        yield line
        return
    if len(line) > _COLUMN - 2:
        yield line
        line = ""
    yield from _wrapped(comment, f"{line:<{_COLUMN}}# ", " " * _COLUMN + "# ")


def _wrapped(text: str, first: str, then: str) -> list[str]:
    return wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=then, break_long_words=False, break_on_hyphens=False
    )


def _text_node(dumper: Any, text: str) -> Any:
    """A text as YAML, quoted where it has a line break, which is then an escape."""
    style = '"' if text.splitlines() not in ([], [text]) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_OneLine: Any = type("_OneLine", (yaml.SafeDumper,), {})
_OneLine.add_representer(str, _text_node)


def _flow(value: Any) -> str:
    """A key or value as YAML on one line."""
    text: str = yaml.dump(value, Dumper=_OneLine, default_flow_style=True, width=float("inf"), sort_keys=False)
    return text.partition("\n...")[0].strip()


def _comment(path: Path) -> list[str]:
    """The lines of comment that a file begins with."""
    found = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @"):
            found.append(line.removeprefix("#").strip())
    return found
