"""Command lines: what a topic says of its own, how arguments are composed and checked; errors name the nearest key."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, TypeVar

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, OmegaConf

from experiments.config.bounds import check_bounds
from experiments.config.files import CONFIG_FOLDER, groups_of
from slicing_gym import SCENARIOS, get_scenario
from slicing_gym.errors import unknown_name

_Settings = TypeVar("_Settings")


@dataclass(frozen=True)
class Command(Generic[_Settings]):
    """What a topic says of its command line.

    Args:
        name: of its file in `conf/`, and of its package.
        schema: types of its settings.
        prepare: checks the settings and what else is needed, and returns the work, which may take long. What it
            refuses ends the command with the message alone, no stack trace, and without a folder.
        lists: keys that may be typed as `key=a,b`; Hydra takes that for a sweep.
        renamed: keys that may be typed by another name, since Hydra means something else by it.
        rewrite: other changes of the arguments of a single run.
        how_to_go_on: what a stopped run says, if the work can be resumed.
        check_seed: what of the checks depends on the seed; with it a sweep checks the rest once for all seeds.
    """

    name: str
    schema: type[_Settings]
    prepare: Callable[[_Settings, Path], Callable[[], object]]
    lists: Sequence[str] = ("imports",)
    renamed: Mapping[str, str] = field(default_factory=dict)
    rewrite: Callable[[list[str]], list[str]] = list
    how_to_go_on: Callable[[_Settings, Path], str] | None = None
    check_seed: Callable[[_Settings], object] | None = None

    def as_meant(self, typed: Sequence[str]) -> list[str]:
        """Arguments as typed, by the names that Hydra knows, and with lists where lists are meant."""
        return with_lists([_renamed(argument, self.renamed) for argument in typed], self.lists)


def register(name: str, schema: type) -> None:
    """Give Hydra the types of a command, and the presets as the group `scenario`: their one source is the package."""
    _hide_plugins()
    store = ConfigStore.instance()
    store.store(name=f"{name}_schema", node=schema)
    for scenario in SCENARIOS:
        store.store(group="scenario", name=scenario, node=OmegaConf.create(get_scenario(scenario).to_dict()))


def _hide_plugins() -> None:
    """Make Hydra forget the launchers of its plugins that have a name of ours: it would merge ours with them."""
    Plugins.instance()  # each puts its own into the store
    launchers = ConfigStore.instance().repo["hydra"]["launcher"]
    for path in Path(CONFIG_FOLDER, "hydra", "launcher").glob("*.yaml"):
        launchers.pop(path.name, None)


def settings_of(config: DictConfig, schema: type[_Settings]) -> _Settings:
    """A composed configuration as an instance of its schema, within its bounds.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    for key in sorted(OmegaConf.missing_keys(config)):
        raise ValueError(f"{key}: not given" + (", allowed is the dotted name of a class" if "_target_" in key else ""))
    settings = OmegaConf.to_object(config)
    assert isinstance(settings, schema)
    check_bounds(settings)
    return settings


@contextmanager
def readable_errors() -> Iterator[None]:
    """Around checks: what they refuse ends the program with the message alone, no stack trace."""
    try:
        yield
    except (ValueError, TypeError, OSError, ImportError) as error:  # what reads logs is an extra
        raise SystemExit(f"error: {error}") from None


def with_lists(arguments: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Arguments in which `key=a,b` of some keys is a list, also with -m; Hydra would take it for a sweep."""
    listed = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        alone = key in keys and not value.startswith("[") and value != "null"
        quoted = ",".join(f"'{name}'" for name in value.split(","))
        listed.append(f"{key}=[{quoted}]" if alone else argument)
    return listed


def _renamed(argument: str, names: Mapping[str, str]) -> str:
    key, _, value = argument.partition("=")
    return f"{names[key]}={value}" if key in names else argument


def check_overrides(name: str, arguments: Sequence[str]) -> None:
    """End the program with the nearest name where `check_names` raises an error."""
    with readable_errors():
        check_names(name, arguments)


def check_names(name: str, arguments: Sequence[str]) -> None:
    """Refuse arguments that override a key, or take a choice, that does not exist.

    Only plain `key=value` arguments are looked at, and none where a folder of the user's own may hold more choices; the
    rest of its grammar Hydra checks itself.
    """
    if any(argument.startswith(_CONFIG_DIR) for argument in arguments):
        return
    plain = [argument for argument in arguments if re.match(r"(?!hydra)[A-Za-z_][\w./-]*=", argument)]
    given = {key: value for key, _, value in (argument.partition("=") for argument in plain)}
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        chosen = groups_of(name)  # asking Hydra costs a copy of all it has stored, so that only these are asked for
        found = {key: loader.get_group_options(key) for key in given if key in chosen or "/" in key}
        groups = {key: [each for each in options if each[0] != "_"] for key, options in found.items() if options}
        for key, options in groups.items():
            for choice in given[key].split(","):
                if choice not in options:
                    raise ValueError(unknown_name(key, choice, options) + _OWN_FILES.get(key, ""))
        config = compose(name, [f"{key}={given[key].split(',')[0]}" for key in groups])
        for key in given.keys() - groups.keys():
            _check_key(config, key)


def _check_key(config: Any, key: str) -> None:
    """Refuse a dotted key that is not in a composed config."""
    node = config
    for part in key.split("."):
        if not isinstance(node, DictConfig):
            return
        if part not in node.keys():  # noqa: SIM118  # a key that has to be given is not "in" it
            known = f"; it is called {_RENAMED[part]} now" if part in _RENAMED else _ELSEWHERE.get(part, "")
            raise ValueError(unknown_name(key, part, [str(name) for name in node]) + known)
        node = None if OmegaConf.is_missing(node, part) else node[part]


_RENAMED = {
    "plain": "without_twin",
    "judged_cells": "selection_cells",
    "judged_decisions": "selection_decisions",
    "options": "kwargs",
    "decisions_per_round": "decisions_per_episode",
}
"""Keys of versions before, and what they are called now."""

_OWN_FILES = {
    group: f"; one of your own: {group}=<path>.yaml, or a folder with {group}/<name>.yaml as --config-dir"
    for group in ("scenario", "mapping", "agent")
}
"""Where more choices of a group may come from."""

_ELSEWHERE = {"collect_by": "; experiments.train alone collects: a history or a log has no environment to decide in"}
"""Keys that only another command has, and why."""


def config_folders(arguments: Sequence[str]) -> list[str]:
    """The override that stands for `--config-dir` where a configuration is composed without the command line."""
    found = _config_folders(arguments)
    return [f"hydra.searchpath=[{','.join(f'file://{Path(each).resolve()}' for each in found)}]"] if found else []


def without_config_folders(arguments: Sequence[str]) -> list[str]:
    """Arguments without `--config-dir` and its folder."""
    found = _config_folders(arguments)
    return [each for each in arguments if not each.startswith(_CONFIG_DIR) and each not in found]


def _config_folders(arguments: Sequence[str]) -> list[str]:
    """The folders of the user's own that `--config-dir` names."""
    joined = [each.partition("=")[2] for each in arguments if each.startswith(_CONFIG_DIR) and "=" in each]
    following = [after for each, after in pairwise(arguments) if each in _CONFIG_DIR]
    return joined + following


_CONFIG_DIR = ("--config-dir", "-cd")
