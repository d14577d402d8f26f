"""`python -m experiments.landscape agent=runs/dense`: measure how flat the loss of agents is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from agents.registry import import_modules
from experiments.commands import command
from experiments.landscape.run import Landscape
from experiments.landscape.settings import LandscapeConfig

LISTS = ("agents", "imports")
"""Keys of which `key=a,b` is a list."""

RENAMED = {"agent": "runs"}
"""`agent=<folder>` is `runs=<folder>`; Hydra would look for it in conf/agent."""


def prepare(config: LandscapeConfig, folder: Path) -> Callable[[], None]:
    """The landscape of a configuration, checked; an error names the key, the value and what is allowed."""
    import_modules(config.imports)
    if config.runs is None:
        raise ValueError("agent: missing; allowed is a run of experiments.train, or a folder of runs")
    wanted = Landscape(config.runs, config, trust=config.trust, key="agent")

    def run() -> None:
        result = wanted.run()
        try:
            written = result.write(os.path.relpath(folder))
        finally:  # what cannot be written is shown all the same
            print(f"\n{result.report()}")
        print(f"\nwritten: {', '.join(map(str, written))}")

    return run


if __name__ == "__main__":
    command("landscape", LandscapeConfig, prepare, lists=LISTS, renamed=RENAMED, main_key="agent")
