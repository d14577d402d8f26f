"""`python -m experiments.evaluate policy=random,hard,best_fixed scenario=paper`: compare policies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agents.registry import import_modules
from experiments.commands import command, write_and_show
from experiments.config.parts import make_scenario
from experiments.evaluate.run import Comparison
from experiments.evaluate.settings import EvaluateConfig

LISTS = ("policy", "imports")
"""Keys of which `key=a,b` is a list."""


def prepare(config: EvaluateConfig, folder: Path) -> Callable[[], None]:
    """The comparison of a configuration, checked.

    Raises:
        ValueError, TypeError: something is not allowed; the message names the key, the value and what is.
    """
    import_modules(config.imports)
    comparison = Comparison(config.policy, make_scenario(config.scenario), config, trust=config.trust)

    return lambda: write_and_show(comparison.run(), folder)


if __name__ == "__main__":
    command("evaluate", EvaluateConfig, prepare, lists=LISTS, main_key="policy")
