"""What the command takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from experiments.config.bounds import MAX_DECISIONS, bounded


@dataclass
class InspectConfig:
    """`conf/inspect.yaml`.

    Args:
        log: a file, a glob, a folder, or a list of these.
        mapping, mapping_file: one that is tried on the log, a choice of Hydra's or a file; its `files` and `query`
            choose and shape the log before it is looked at. Empty, None: none.
        intervals: most intervals that the picture shows; of more every second, third, ... one is drawn.
    """

    log: Any = None
    mapping_file: str | None = None
    mapping: dict[str, Any] = field(default_factory=dict)
    intervals: int = bounded(1000, at_least=2, at_most=MAX_DECISIONS)
