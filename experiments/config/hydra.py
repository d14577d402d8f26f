"""Configurations as commands take them: types registered, arguments looked at, parts made of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

import conf
from experiments.config.schemas import (
    CalibrationConfig,
    DistillConfig,
    EvaluateConfig,
    ExportConfig,
    FidelityConfig,
    LandscapeConfig,
    OfflineConfig,
    TrainConfig,
)
from slicing_gym import SCENARIOS, get_scenario
from slicing_gym.errors import unknown_name

CONFIG_FOLDER = str(Path(conf.__file__).resolve().parent)
"""Where the YAML files are, in a checkout and in an installed wheel alike."""


def register_configs() -> None:
    """Give Hydra the schemas, and the presets as the group `scenario`: their one source is `slicing_gym.presets`."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig)
    store.store(name="evaluate_schema", node=EvaluateConfig)
    store.store(name="offline_schema", node=OfflineConfig)
    store.store(name="distill_schema", node=DistillConfig)
    store.store(name="fidelity_schema", node=FidelityConfig)
    store.store(name="calibration_schema", node=CalibrationConfig)
    store.store(name="landscape_schema", node=LandscapeConfig)
    store.store(name="export_schema", node=ExportConfig)
    for name in SCENARIOS:
        store.store(group="scenario", name=name, node=OmegaConf.create(get_scenario(name).to_dict()))


@contextmanager
def readable_errors() -> Iterator[None]:
    """Around the checks of a command: what they refuse ends it with the message alone, no stack trace, no folder."""
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        _remove_unused_folder()
        raise SystemExit(f"error: {error}") from None


def _remove_unused_folder() -> None:
    """Remove the folder that Hydra has made for a run, if nothing else has been put there."""
    if not HydraConfig.initialized():
        return
    folder = Path(HydraConfig.get().runtime.output_dir)
    entries = list(folder.iterdir())
    if all(path.name == ".hydra" or (path.suffix == ".log" and not path.stat().st_size) for path in entries):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Around work that goes on with `resume=auto` where it was stopped: Ctrl-C says so."""
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(f"stopped; type the command again with resume=auto hydra.run.dir={folder}") from None


def with_lists(arguments: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Arguments in which `key=a,b` of some keys is a list, also with -m; Hydra would take it for a sweep."""
    listed = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        alone = key in keys and not value.startswith("[") and value != "null"
        quoted = ",".join(f"'{name}'" for name in value.split(","))
        listed.append(f"{key}=[{quoted}]" if alone else argument)
    return listed


def check_overrides(name: str, arguments: Sequence[str]) -> None:
    """End the program with the nearest name if an argument overrides a key, or takes a choice, that does not exist.

    Only plain `key=value` arguments are looked at, and none where a folder of the user's own may hold more choices; the
    rest of its grammar Hydra checks itself.
    """
    if any(argument.startswith(_CONFIG_DIR) for argument in arguments):
        return
    plain = [argument for argument in arguments if re.match(r"(?!hydra)[A-Za-z_][\w./-]*=", argument)]
    given = {key: value for key, _, value in (argument.partition("=") for argument in plain)}
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"), readable_errors():
        loader = GlobalHydra.instance().config_loader()
        found = {key: loader.get_group_options(key) for key in given}
        groups = {key: [name for name in names if name[0] != "_"] for key, names in found.items() if names}
        for key, options in groups.items():
            for choice in given[key].split(","):
                if choice not in options:
                    raise ValueError(unknown_name(key, choice, options))
        config = compose(name, [f"{key}={given[key].split(',')[0]}" for key in groups])
        for key in given.keys() - groups.keys():
            _check_key(config, key)


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


def _check_key(config: Any, key: str) -> None:
    """Refuse a dotted key that is not in a composed config."""
    node = config
    for part in key.split("."):
        if not isinstance(node, DictConfig):
            return
        if part not in node.keys():  # noqa: SIM118  # a key that has to be given is not "in" it
            raise ValueError(unknown_name(key, part, [str(name) for name in node]))
        node = None if OmegaConf.is_missing(node, part) else node[part]
