"""What the command takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments.config.bounds import bounded


@dataclass
class InspectConfig:
    """`conf/inspect.yaml`.

    Args:
        log: a file, a glob, a folder, or a list of these.
        mapping: a YAML file that is tried on the log; its `query` shapes the log before it is looked at. None: none.
        intervals: most intervals that the picture shows.
    """

    log: Any = None
    mapping: str | None = None
    intervals: int = bounded(400, at_least=2)
