"""The files of an inspection, and what to do next."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from experiments.config.files import CONFIG_FOLDER, choices_of
from experiments.config.quoting import as_typed
from experiments.inspect.figures import plot_log
from experiments.inspect.trial import Tried
from slicing_gym.files import atomic_write
from twin.data.logs.mapping import LogMapping
from twin.inspection import Inspection, to_check


def write(found: Inspection, folder: Path, intervals: int) -> list[Path]:
    """Write mapping.yaml and, where a column says when, log.png into a folder.

    Args:
        found: of the log.
        folder: where to.
        intervals: most that the picture shows.
    """
    written = [folder / "mapping.yaml"]
    with atomic_write(written[0]) as file:
        file.write(found.mapping_yaml().encode())
    if found.facts.grid is not None:
        written.append(folder / "log.png")
        plot_log(written[1], found, intervals)
    return written


def next_step(found: Inspection, log: Any, mapping: str) -> str:
    """The command to go on with."""
    command = {"allocation": "fidelity", "passive": "traffic", "constant": "traffic"}.get(found.what)
    if command is None or not found.keys:
        return (
            "next: write a mapping that says which columns are what, or a query that shapes the log (docs/inspect.md)"
        )
    keys = [line.partition(":")[0] for line in to_check(found.mapping_yaml())]
    check = f" (CHECK: {', '.join(keys)})" if keys else ""
    more = ""
    if command == "fidelity":
        if found.facts.followed is not None and found.facts.allocations is not None:
            traffic = _typed(found, "traffic", log, mapping)
            more = f"\n(if nobody decided {found.facts.allocations.column}, {traffic})"
        for name in shipped(found.columns):
            more += f"\n(mapping={name} of the package reads these columns, too)"
    return f"next: look at {mapping}{check}, then {_typed(found, command, log, mapping)}{more}"


def next_with(mapping: Tried, found: Inspection, log: Any, refused: bool) -> str:
    """The command to go on with a mapping that was tried and says which column is the allocation.

    Args:
        mapping: how it was given.
        found: of the log.
        log: its files.
        refused: whether the log was refused with it.
    """
    if refused and mapping.shipped:
        copied = f"copy {mapping.file} to {_COPY} and mend it, as it was refused above, then "
        return f"next: {copied}{_typed(found, 'fidelity', log, _COPY)}"
    mend = f"mend {mapping.file}, as it was refused above, then " if refused else ""
    return f"next: {mend}{' '.join([_typed(found, 'fidelity', log, mapping.name), *mapping.more])}"


_COPY = "my_mapping.yaml"


def _typed(found: Inspection, command: str, log: Any, mapping: str) -> str:
    """A command as it is typed; traffic has to be told how long a numbered interval is."""
    shown = as_typed("log", *(map(str, log) if isinstance(log, list) else [str(log)]))
    counted = command == "traffic" and found.facts.timing is not None and found.facts.timing.unit == "count"
    period = " period_s=<length of an interval in s>" if counted else ""
    return f"python -m experiments.{command} {shown} {as_typed('mapping', mapping)}{period}"


def shipped(columns: Collection[str]) -> list[str]:
    """Names of the package's mappings that read a log of just these columns."""
    given, found = set(columns), []
    for name in set(choices_of("mapping")) - {"none"}:
        mapping = LogMapping.from_yaml(Path(CONFIG_FOLDER) / "mapping" / f"{name}.yaml")
        wanted = set(mapping.wanted())
        if wanted <= given and (mapping.unused == "rest" or given - wanted <= set(mapping.unused)):
            found.append(name)
    return sorted(found)
