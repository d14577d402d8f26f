"""`python -m experiments.describe scenario=paper`: tell what a cell is before anything learns: link, load, capacity."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agents.registry import import_modules
from experiments.commands import command, write_and_show
from experiments.config.parts import make_scenario
from experiments.describe.run import describe
from experiments.describe.settings import DescribeConfig

LISTS = ("imports",)
"""Keys of which `key=a,b` is a list."""


def prepare(config: DescribeConfig, folder: Path) -> Callable[[], None]:
    """The description of a configuration's scenario, which is checked here."""
    import_modules(config.imports)
    scenario = make_scenario(config.scenario)

    return lambda: write_and_show(describe(scenario, config), folder)


if __name__ == "__main__":
    command("describe", DescribeConfig, prepare, lists=LISTS)
