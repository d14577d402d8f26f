"""What `--help` prints: the choices of a command, each with its first comment, and every key with its default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

from experiments.config.files import CONFIG_FOLDER, choices_of, groups_of
from experiments.config.hydra import first_composed
from slicing_gym import SCENARIOS
from slicing_gym.reading import one_line

_USAGE = """python -m experiments.{name} [key=value ...]

{about}
Type key=value for any key below, group=choice for a choice; -m runs a sweep over comma-separated values.
--cfg job prints the configuration alone, --config-dir <folder> adds choices of your own, --hydra-help says more.
"""
_WIDTH = 120
_OWN_FILES = ("scenario", "mapping", "agent")
"""Groups of which a path of a YAML file is a choice, too."""


def help_text(name: str, typed: Sequence[str]) -> str:
    """The page of a command.

    Args:
        name: of its file in `conf/`.
        typed: the rest of the command line: the configuration is printed with it, of a sweep that of its first run.

    Raises:
        ValueError: something of it is refused.
    """
    config = first_composed(name, typed)
    parts = [_USAGE.format(name=name, about="\n".join(_comment(Path(CONFIG_FOLDER, f"{name}.yaml"))))]
    for group in groups_of(name):
        also = f", or {group}=<path>.yaml" if group in _OWN_FILES else ""
        parts.append(f"{group}= one of these{also}\n{_choices(group)}\n")
    presets = [
        path for path in sorted(Path(CONFIG_FOLDER, "experiment").glob("*.yaml")) if name in ("train", "offline")
    ]
    if presets:
        lines = "\n".join(_entry(path.stem, path) for path in presets)
        parts.append(f"+experiment= (presets of many keys)\n{lines}\n")
    parts.append(f"Every key, with its value ({Path('conf', name + '.yaml')} has a comment on each):\n")
    return "\n".join([*parts, OmegaConf.to_yaml(config)])


def _choices(group: str) -> str:
    """The choices of a group, a line each; what begins with an underscore is a part of others."""
    if group == "scenario":
        return "  " + ", ".join(SCENARIOS)
    names = [name for name in choices_of(group) if not name.startswith("_")]
    return "\n".join(_entry(name, Path(CONFIG_FOLDER, group, f"{name}.yaml")) for name in names)


def _entry(name: str, path: Path) -> str:
    """A choice and the first sentence of the comment in its file, on one line."""
    sentence = " ".join(_comment(path)).partition(". ")[0].removesuffix(".")
    return f"  {name:<19}{one_line(sentence, _WIDTH - 24)}"


def _comment(path: Path) -> list[str]:
    """The lines of comment that a file begins with."""
    found = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @"):
            found.append(line.removeprefix("#").strip())
    return found
