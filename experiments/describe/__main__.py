"""`python -m experiments.describe scenario=paper`: tell what a cell is before anything learns: link, load, capacity."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from agents.registry import import_modules
from experiments.commands import command
from experiments.config.parts import make_scenario
from experiments.describe.run import describe
from experiments.describe.settings import DescribeConfig

LISTS = ("imports",)
"""Keys of which `key=a,b` is a list."""


def prepare(config: DescribeConfig, folder: Path) -> Callable[[], None]:
    """The description of a configuration's scenario, which is checked here."""
    import_modules(config.imports)
    scenario = make_scenario(config.scenario)

    def run() -> None:
        found = describe(scenario, config)
        try:
            written = found.write(os.path.relpath(folder))
        finally:  # what cannot be written is shown all the same
            print(found.report())
        print(f"written: {', '.join(map(str, written))}")

    return run


if __name__ == "__main__":
    command("describe", DescribeConfig, prepare, lists=LISTS)
