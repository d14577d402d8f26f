"""`python -m experiments.inspect log=my_log.csv`: look at a log, and propose a mapping."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from experiments.commands import command
from experiments.inspect.outcome import next_step, next_with, write
from experiments.inspect.settings import InspectConfig
from experiments.inspect.trial import SHAPING, as_given, given_keys, tried
from twin.data.logs import files_of
from twin.inspection import inspect_log

LISTS = ("log",)
"""Keys of which `key=a,b` is a list."""


def prepare(config: InspectConfig, folder: Path) -> Callable[[], None]:
    """The inspection of a configuration: the log is read, and looked at, before anything is written."""
    if config.log is None:
        raise ValueError("log: missing; allowed is a file, a glob, a folder, or a list of these")
    given = given_keys(config.mapping, config.mapping_file)
    log = files_of(config.log, given.get("files"))
    found = inspect_log(log, query=given.get("query"))

    def run() -> None:
        lines = [found.report()]
        outcome = tried(config) if set(given) - set(SHAPING) else None
        if outcome is not None:
            lines.append(f"with the mapping: {outcome}")
        written = write(found, folder, config.intervals)
        lines.append(f"written: {', '.join(os.path.relpath(path) for path in written)}")
        mapping = as_given(config.mapping_file)
        if outcome is not None and mapping is not None and given.get("allocation") is not None:
            lines.append(next_with(mapping, found, log, outcome.refused))
        else:
            lines.append(next_step(found, log, os.path.relpath(written[0])))
        print("\n".join(lines))  # at once: whoever pipes it to `head` has the files all the same

    return run


if __name__ == "__main__":
    command("inspect", InspectConfig, prepare, lists=LISTS, main_key="log")
