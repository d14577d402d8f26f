"""Choices of a command that are files of the user's own, wherever they lie: `scenario=my_traffic.yaml`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import conf
from experiments.config.quoting import is_plain, pieces, unquoted
from slicing_gym import SCENARIOS
from slicing_gym.scenario import slices_by_name
from slicing_gym.yaml_reading import read_yaml, read_yaml_mapping

CONFIG_FOLDER = str(Path(conf.__file__).resolve().parent)
"""Where the YAML files are, in a checkout and in an installed wheel alike."""

_YAML = (".yaml", ".yml")
_STORED = ("scenario", "agent")
"""Groups of which a file is given to Hydra as one more choice."""


def groups_of(command: str) -> list[str]:
    """The groups that a command chooses from, as its file in `conf/` says."""
    content = read_yaml_mapping("command", Path(CONFIG_FOLDER) / f"{command}.yaml")
    entries = [entry for entry in content["defaults"] if isinstance(entry, dict)]
    return [key for entry in entries for key in entry if not key.startswith("override ")]


def choices_of(group: str) -> list[str]:
    """The choices of a group that are files of this package."""
    return sorted(path.stem for path in Path(CONFIG_FOLDER, group).glob("*.yaml"))


def with_files(command: str, arguments: Sequence[str]) -> list[str]:
    """Arguments in which files of the user's own are what Hydra takes: its choices are names.

    `scenario=<file>.yaml` and `agent=<file>.yaml` are names by which Hydra finds what is in the file from now on;
    `mapping=<file>.yaml` is `mapping_file`, a setting of its own, so that messages can name the file.

    Raises:
        ValueError, TypeError, OSError: there is no such file, or it is no YAML mapping.
    """
    groups, found = groups_of(command), []
    for argument in arguments:
        key, _, value = argument.partition("=")
        names = [unquoted(name) for name in pieces(value)]
        own = key in groups and any(name.endswith(_YAML) for name in names)
        if own and key == "mapping":
            argument = f"mapping_file={value}"
        elif own and key in _STORED:
            argument = f"{key}={','.join(_stored(key, name) if name.endswith(_YAML) else name for name in names)}"
        found.append(argument)
    return found


def _stored(group: str, path: str) -> str:
    """Give Hydra what is in a file; the name by which it is then found."""
    data = read_yaml(group, path)
    if not isinstance(data, dict):
        raise TypeError(f"{group}: {path!r} holds no keys and values, as a file of conf/{group} does")
    if group == "scenario" and isinstance(data.get("slices"), list):
        data = {**data, "slices": slices_by_name(data)}  # so that scenario.slices.<name>.<key>=... reaches them
    name = re.sub(r"[^\w-]", "_", Path(path).stem, flags=re.ASCII)
    if not is_plain(name):
        name = f"file_{name}"
    if name in (*SCENARIOS, *choices_of(group)):
        name += "_file"  # a choice of the package has the name
    place = str(Path(path).resolve())
    if _places.setdefault((group, name), place) != place:  # another file has the name
        name += f"_{sha256(place.encode()).hexdigest()[:6]}"
    store(group, name, data, path)
    return name


_places: dict[tuple[str, str], str] = {}
"""Of each group and name, the file that was first called so: in one process a name is of one file."""


def store(group: str, name: str, data: dict[str, Any], path: str | os.PathLike[str], key: str | None = None) -> None:
    """Give Hydra a choice by a name of the user's own, as `scenario=<name>` finds it.

    Args:
        group: of the choice.
        name: by which it is found.
        data: keys and values.
        path: of the file that they were read from.
        key: by which the file was given, if not by the group.

    Raises:
        ValueError: OmegaConf does not take them; the message names key and file.
    """
    from hydra.core.config_store import ConfigStore  # libraries do without Hydra
    from omegaconf import OmegaConf

    from experiments.config.refusals import named_by_file

    with named_by_file(key or group, path):
        node = OmegaConf.create(data)
    ConfigStore.instance().store(group=group, name=name, node=node)
