"""`python -m experiments.search agent=ddqn twin=lstm n_trials=50`: find settings of an agent in a twin."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

from agents.registry import import_modules
from experiments.commands import command
from experiments.config.agents import on_device
from experiments.config.parts import make_scenario, make_twin
from experiments.config.quoting import as_typed
from experiments.runs.lifecycle import files_left
from experiments.search.run import Search
from experiments.search.settings import SearchConfig
from experiments.search.space import read_space
from experiments.search.study import STUDY, optuna
from experiments.sweeps.launchers import Launcher, LocalLauncher, make_launcher
from twin import transition_kinds


def prepare(config: SearchConfig, folder: Path) -> Callable[[], None]:
    """The search of a configuration, checked; an error names the key, the value and what is allowed."""
    optuna()
    import_modules(config.imports)
    agent = on_device(config.agent, config.device)
    twin, shown = make_twin(config.twin, config.device), os.path.relpath(folder)
    if twin is None:
        raise ValueError(f"twin: none given, allowed are {', '.join(transition_kinds())}")
    space, scenario = read_space(config.space), make_scenario(config.scenario)
    more: dict[str, Any] = {"resume": config.resume is not None, "imports": config.imports, "launcher": _launcher()}
    made = Search(agent, space, scenario, twin, config, folder, config.seed, config.name, **more)

    def run() -> None:
        result = made.run()
        print(result.report())
        if result.agent_file is not None:
            print(as_typed("agent", os.path.relpath(result.agent_file)))
        print(f"written to {shown}: {files_left(folder)}")

    return run


def _launcher() -> Launcher | None:
    """What `hydra/launcher` chose for the workers; None: as many processes of this machine as they are."""
    if not HydraConfig.initialized():  # a sweep checks its combinations: there it is the sweep's
        return None
    launcher = make_launcher(HydraConfig.get().launcher)
    return None if isinstance(launcher, LocalLauncher) else launcher


def how_to_go_on(config: SearchConfig, folder: Path) -> str:
    """What to type after Ctrl-C."""
    del config
    if not (folder / STUDY).exists():
        return "no trial yet"
    return f"go on with the same command and resume=auto {as_typed('hydra.run.dir', os.path.relpath(folder))}"


if __name__ == "__main__":
    command("search", SearchConfig, prepare, lists=("imports",), how_to_go_on=how_to_go_on)
