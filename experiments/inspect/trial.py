"""A mapping, or a part of one, that is tried on a log; its files and query shape what is looked at."""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.config.files import CONFIG_FOLDER, choices_of
from experiments.config.parts import make_mapping
from experiments.inspect.settings import InspectConfig
from slicing_gym.errors import check_instance
from slicing_gym.yaml_reading import read_yaml_mapping
from twin.data.history import History
from twin.data.logs.mapping import LogMapping
from twin.inspection.demand import short_of_demand
from twin.inspection.findings import listed

SHAPING = ("files", "query")
"""Keys of a mapping that choose and shape the log before it is looked at."""


def given_keys(given: Mapping[str, Any], file: str | None) -> dict[str, Any]:
    """The keys of a mapping that may be a part of one, from a choice of Hydra's or a file.

    Raises:
        ValueError, TypeError, OSError: both are given, there is no such file, or `files` or `query` is no text.
    """
    if file is not None and given:
        raise ValueError(f"mapping: {file!r} given in addition to a choice, allowed is one of the two")
    keys = dict(given) if file is None else read_yaml_mapping("mapping", file)
    for name in SHAPING:
        if keys.get(name) is not None:
            check_instance(f"mapping.{name}" if file is None else f"mapping: {file!r}: {name}", keys[name], (str,))
    return keys


@dataclass(frozen=True)
class Tried:
    """How a mapping was given, so that it can be given again.

    Args:
        name: `mapping=<name>`: a file, or a choice of Hydra's.
        file: that holds it.
        shipped: whether that is one of the package's.
        more: further arguments as they are typed: single keys, and the folder of the choice.
    """

    name: str
    file: str
    shipped: bool = False
    more: tuple[str, ...] = ()


def as_given(file: str | None) -> Tried | None:
    """How the mapping of this run was given; None where the command line does not say it.

    Args:
        file: the setting `mapping_file`.
    """
    if file is not None:
        return Tried(file, file)
    from hydra.core.hydra_config import HydraConfig  # only a command knows of choices

    if not HydraConfig.initialized():
        return None
    hydra = HydraConfig.get()
    name = str(hydra.runtime.choices["mapping"])
    single = [shlex.quote(each) for each in hydra.overrides.task if each.lstrip("+~").startswith("mapping.")]
    if name in choices_of("mapping"):
        return Tried(name, os.path.relpath(Path(CONFIG_FOLDER, "mapping", f"{name}.yaml")), True, tuple(single))
    folder = next((each.path for each in hydra.runtime.config_sources if each.provider == "command-line"), None)
    if folder is None:
        return None
    own = os.path.relpath(Path(folder, "mapping", f"{name}.yaml"))
    last = shlex.quote(f"--config-dir={folder}")  # keys behind an option Hydra refuses
    return Tried(name, own, more=(*single, last))


@dataclass(frozen=True)
class MappingTrial:
    """What a mapping makes of a log.

    Args:
        told: how many decisions and what was noticed, or why the log is refused.
        refused: whether it is.
    """

    told: str
    refused: bool = False

    def __str__(self) -> str:
        return f"refused, {self.told}" if self.refused else self.told


def tried(config: InspectConfig) -> MappingTrial:
    """What the mapping of a configuration makes of its log."""
    try:
        mapping = make_mapping(config.mapping, config.mapping_file)
    except (TypeError, ValueError) as error:
        return MappingTrial(str(error), refused=True)
    assert mapping is not None
    return trial(config.log, mapping)


def trial(log: Any, mapping: LogMapping) -> MappingTrial:
    """What a mapping makes of a log."""
    from twin.data import read_log

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            history = read_log(log, mapping)
        except ValueError as error:
            return MappingTrial(str(error), refused=True)
    noticed = "".join(f"\n  {each.message}" for each in caught)
    cut = len(history.sequences())
    return MappingTrial(
        f"{len(history):,} decisions in {cut:,} sequence{'' if cut == 1 else 's'}{noticed}{_missed(history)}"
    )


def _missed(history: History) -> str:
    """A line on slices that miss the mapping's SLAs for want of demand; empty where none does."""
    if "ssr" not in history.performance:
        return ""
    names, arrivals = history.scenario.slice_names, history.next_arrivals
    found = short_of_demand(names, history.ssr, 1.0, arrivals, history.allocation)
    text = "on units that met it elsewhere, fewer arrived than in 95% of the intervals that met it"
    return f"\n  ssr is missed for want of demand by {listed(found)}: {text}" if found else ""
