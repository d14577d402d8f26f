"""The twin and the history of a configuration."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.config.parts import make_mapping, read_mapped_log
from experiments.runs.folder import HISTORY, TWIN
from experiments.what_if.settings import WhatIfConfig
from slicing_gym.yaml_reading import read_yaml_mapping
from twin import DigitalTwin, History
from twin.data.columns import PRESENT, SSR
from twin.data.logs import SsrRule


def load_twin(name: str | None) -> DigitalTwin:
    """The twin in a file, or in the folder of a run.

    Raises:
        ValueError, OSError: there is none.
    """
    if name is None:
        raise ValueError(f"twin: missing; allowed is a twin's file, or the folder of the run that has {TWIN}")
    path = Path(name) / TWIN if Path(name).is_dir() else Path(name)
    if not path.is_file():
        raise FileNotFoundError(
            f"twin: there is no file {str(path)!r}, allowed is a twin's file, or the folder of the run that has {TWIN}"
        )
    return DigitalTwin.load(path)


def history_of_config(config: WhatIfConfig) -> History:
    """The history of a log, of a file or of a run's folder; if nothing is said, that next to the twin.

    Raises:
        ValueError, OSError: several are given, or there is none.
    """
    if config.log is not None and config.history is not None:
        raise ValueError(f"history: {config.history!r} given together with log, allowed is one of the two")
    read = read_mapped_log(config.log, config.mapping, config.mapping_file)
    if read is not None:
        return read
    given = config.history if config.history is not None else str(config.fitted)
    path = Path(given) if config.history is not None and not Path(given).is_dir() else _folder(given) / HISTORY
    if not path.is_file():
        raise FileNotFoundError(
            f"history: there is no file {str(path)!r}, allowed are a History's file, a folder that has {HISTORY}, or "
            "log=<file> with mapping=<file>"
        )
    return History.load(path)


def _folder(given: str) -> Path:
    """A folder as it is; of a file, the one that it is in."""
    return Path(given) if Path(given).is_dir() else Path(given).parent


def ssr_of_config(config: WhatIfConfig, history: History) -> SsrRule | None:
    """The bounds that a history's SSR was made with: of the mapping given, or of the run that left the twin.

    None where there are none, or the run's mapping is gone, or was changed since.
    """
    mapping = make_mapping(config.mapping, config.mapping_file)
    if mapping is None:
        try:
            run = read_yaml_mapping("twin", _folder(str(config.fitted)) / ".hydra" / "config.yaml")
            mapping = make_mapping(run.get("mapping") or {}, run.get("mapping_file"))
        except (OSError, ValueError, TypeError):
            return None
    rule = None if mapping is None else mapping.ssr
    return rule if rule is not None and made_with(rule, history) else None


def made_with(rule: SsrRule, history: History) -> bool:
    """Whether a history's SSR is what a rule says, of the slices that are there."""
    if not history.layout.has(rule.column) or not history.layout.has(SSR.name):
        return False
    number, column = len(rule.bounds), history.performance[rule.column]
    if column.ndim != 2 or number > column.shape[1]:
        return False
    there = history.performance.get(PRESENT.name, np.ones(column.shape))[:, :number] > 0.5
    return bool((rule(column[:, :number]) == history.ssr[:, :number])[there].all())
