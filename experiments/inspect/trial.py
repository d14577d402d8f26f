"""What comes of a log that is read by a mapping, and what to do next, in a line each."""

from __future__ import annotations

from typing import Any

from twin.data.logs.mapping import LogMapping
from twin.inspection import Inspection


def trial(log: Any, mapping: LogMapping) -> str:
    """What a mapping makes of a log: how many decisions, or why it is refused."""
    from twin.data import read_log

    try:
        history = read_log(log, mapping)
    except ValueError as error:
        return f"refused, {error}"
    return f"{len(history):,} decisions in {len(history.sequences):,} sequences"


def next_step(found: Inspection, log: Any, mapping: str) -> str:
    """The command to go on with."""
    shown = ",".join(map(str, log)) if isinstance(log, list) else log
    if found.what == "allocation":
        return f"next: look at {mapping}, then python -m experiments.fidelity log={shown} mapping={mapping}"
    if found.what in ("passive", "constant"):
        return f"next: look at {mapping}; the log is traffic for the simulator (docs/inspect.md)"
    return f"next: say in {mapping} which columns are what"
