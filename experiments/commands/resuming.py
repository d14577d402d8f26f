"""`resume=<run folder>` on the command line: the arguments of that run, from its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.config.bounds import check_name_length
from experiments.config.files import choices_of, store
from experiments.config.hydra import (
    composed,
    config_folders,
    config_folders_in,
    overrides_in,
    read_config,
    resolved,
    without_config_folders,
    without_hydra,
)
from experiments.config.quoting import quoted, unquoted
from experiments.runs.compare import check_same_configuration
from slicing_gym import SCENARIOS
from slicing_gym.errors import check_instance
from slicing_gym.reading import parsing
from slicing_gym.yaml_reading import read_yaml

_TYPED = ("imports", "trust", "hydra")
"""Keys that count only when they are typed, never when a run's files hold them."""


def with_resumed_run(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments in which `resume=<run folder>` stands for that run's own, in that folder.

    Raises:
        ValueError, FileNotFoundError: the folder is no run's, or was made with another configuration, or with a
            `--config-dir` that is not given.
    """
    given = {key: value for key, _, value in (argument.partition("=") for argument in arguments)}
    name = unquoted(given.get("resume", "null"))
    if name in ("null", "auto", ""):
        return list(arguments)
    check_name_length("resume", name)
    folder = Path(name)
    own, stored = _read(folder)
    new = [argument for argument in arguments if not argument.startswith("resume=") and argument not in own]
    typed = {each.partition("=")[0] for each in new}
    new += [default for default in ("imports=[]", "trust=false") if default.partition("=")[0] not in typed]
    _store_choices(own, stored, folder, config_folders_in(new))
    composed("train", [*overrides_in(new), *config_folders(new)])
    check_same_configuration(folder, stored, _composed(name, own, new))
    rest = without_config_folders(new)
    first = [each for each in new if each not in rest]
    return [*first, *own, *rest, "resume=auto", f"hydra.run.dir={quoted(str(folder))}", "hydra.output_subdir=null"]


def _read(folder: Path) -> tuple[list[str], dict[str, Any]]:
    """The arguments of the run in a folder, and its configuration."""
    if not folder.is_dir():
        raise FileNotFoundError(f"resume: there is no folder {str(folder)!r}; allowed is the folder of a run, or auto")
    overrides, config = folder / ".hydra" / "overrides.yaml", folder / ".hydra" / "config.yaml"
    if not overrides.is_file() or not config.is_file():
        raise ValueError(f"resume: {str(folder)!r} is not the folder of a run; it has no .hydra/overrides.yaml")
    # What may be imported, trusted or searched counts only when it is typed: a folder's files could name anything.
    typed_then = read_yaml("resume", overrides)
    if not isinstance(typed_then, list):
        raise ValueError(f"resume: {str(overrides)!r} could not be read: it holds no list of what was typed")
    own = [each for each in map(str, typed_then) if not each.lstrip("+~").startswith(_TYPED)]
    return own, read_config("resume", config)


def _store_choices(own: Sequence[str], stored: dict[str, Any], run: Path, folders: Sequence[str]) -> None:
    """Give Hydra what a run was begun with, but for what folders have: the file of a scenario may be gone by now.

    Raises:
        ValueError: its configuration does not have it.
    """
    path = run / ".hydra" / "config.yaml"
    for argument in own:
        key, _, name = argument.partition("=")
        there = any(Path(folder, key, f"{name}.yaml").is_file() for folder in folders)
        if key in ("scenario", "agent") and name not in (*SCENARIOS, *choices_of(key)) and not there:
            with parsing("resume", path):
                check_instance(key, stored.get(key), (dict,))
            store(key, name, stored[key], path, "resume")


def _composed(name: str, own: Sequence[str], new: Sequence[str]) -> dict[str, Any]:
    """The configuration of a run's own arguments and those that are typed now."""
    rest = [argument for argument in without_config_folders(new) if not argument.startswith("hydra")]
    try:
        return resolved(without_hydra(composed("train", [*own, *rest, *config_folders(new)])))
    except ValueError as error:
        raise ValueError(
            f"resume: {name!r} was begun with {own}, which do not compose ({error}); type --config-dir again, if it "
            "was typed then"
        ) from None
