"""The twin and the history of a configuration."""

from __future__ import annotations

from pathlib import Path

from experiments.config.parts import read_mapped_log
from experiments.runs.folder import HISTORY, TWIN
from experiments.what_if.settings import WhatIfConfig
from twin import DigitalTwin, History


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
    folder = Path(given) if Path(given).is_dir() else Path(given).parent
    path = Path(given) if config.history is not None and not Path(given).is_dir() else folder / HISTORY
    if not path.is_file():
        raise FileNotFoundError(
            f"history: there is no file {str(path)!r}, allowed are a History's file, a folder that has {HISTORY}, or "
            "log=<file> with mapping=<file>"
        )
    return History.load(path)
