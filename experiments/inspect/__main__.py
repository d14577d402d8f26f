"""`python -m experiments.inspect log=my_log.csv`: what a log is, what is wrong with it, and a mapping to begin with."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from experiments.config.hydra import command
from experiments.inspect.figures import plot_log
from experiments.inspect.settings import InspectConfig
from experiments.inspect.trial import next_step, trial
from slicing_gym.files import atomic_write
from twin.data.logs.mapping import LogMapping
from twin.inspection import inspect_log

LISTS = ("log",)
"""Keys of which `key=a,b` is a list."""


def prepare(config: InspectConfig, folder: Path) -> Callable[[], None]:
    """The inspection of a configuration: the log is read, and looked at, before anything is written."""
    if config.log is None:
        raise ValueError("log: missing; allowed is a file, a glob, a folder, or a list of these")
    mapping = None if config.mapping is None else LogMapping.from_yaml(config.mapping)
    found = inspect_log(config.log, query=None if mapping is None else mapping.query)

    def run() -> None:
        print(found.report())
        if mapping is not None:
            print(f"with {config.mapping}: {trial(config.log, mapping)}")
        picture, proposal = folder / "log.png", folder / "mapping.yaml"
        written = [proposal]
        with atomic_write(proposal) as file:
            file.write(found.mapping_yaml().encode())
        if found.facts.grid is not None:
            plot_log(picture, found, config.intervals)
            written.append(picture)
        print(f"written: {', '.join(os.path.relpath(path) for path in written)}")
        print(next_step(found, config.log, os.path.relpath(proposal)))

    return run


if __name__ == "__main__":
    command("inspect", InspectConfig, prepare, lists=LISTS)
