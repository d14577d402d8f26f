"""`python -m experiments.what_if twin=runs/fit at=<time>`: tell what other allocations would have brought."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.registry import import_modules
from experiments.commands import command, write_and_show
from experiments.what_if.inputs import history_of_config, load_twin, ssr_of_config
from experiments.what_if.over_log import OverLog
from experiments.what_if.run import WhatIf
from experiments.what_if.settings import WhatIfConfig, check_alone

LISTS = ("policies", "log", "imports")
"""Keys of which `key=a,b` is a list."""

RENAMED = {"twin": "fitted"}
"""`twin=<folder>` is `fitted=<folder>`; Hydra would look for it in conf/twin."""


def prepare(config: WhatIfConfig, folder: Path) -> Callable[[], None]:
    """The what-if of a configuration, checked; an error names the key, the value and what is allowed."""
    import_modules(config.imports)
    twin, history = load_twin(config.fitted), history_of_config(config)
    if config.decisions is not None:
        check_alone(config)
        over = OverLog(twin, history, config.policies, config.decisions, trust=config.trust)
        return lambda: write_and_show(over.run(), folder)
    given: dict[str, Any] = {"at": config.at, "interval": config.interval, "trust": config.trust}
    wanted = WhatIf(twin, history, config.policies, config, **given, ssr=ssr_of_config(config, history))

    return lambda: write_and_show(wanted.run(), folder)


if __name__ == "__main__":
    command("what_if", WhatIfConfig, prepare, lists=LISTS, renamed=RENAMED, main_key="twin")
