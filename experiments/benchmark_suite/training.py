"""A training run of `experiments.train` from what would be typed, in a folder from which it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.config.parts import make_scenario, make_twin
from experiments.environments import Environments
from experiments.train.makers import agent_maker
from experiments.train.result import TrainResult
from experiments.train.run import train
from experiments.train.settings import TrainConfig


def train_by_overrides(overrides: Sequence[str], folder: Path, *, trust: bool = False) -> TrainResult:
    """Train as `python -m experiments.train <overrides>` does; go on where a run in the folder was stopped.

    Args:
        overrides: as typed.
        folder: of the run.
        trust: let files of agents run code.

    Raises:
        ValueError, TypeError: something is not allowed; the message names it.
    """
    config = train_config(overrides)
    config.progress = False
    scenario, twin = make_scenario(config.scenario), make_twin(config.twin, config.device)
    environments = Environments(scenario).on(make_scenario(config.scenario, config.reward))
    make = agent_maker(config, environments, twin)
    more: dict[str, Any] = {"environments": environments, "name": config.agent.name, "resume": True, "trust": trust}
    return train(make, scenario, twin, config, folder, config.seed, **more)


def train_config(overrides: Sequence[str]) -> TrainConfig:
    """The settings of `experiments.train` with some overrides.

    Raises:
        ValueError, TypeError: a key or choice does not exist, or a value is not allowed there.
    """
    from hydra.core.global_hydra import GlobalHydra  # libraries do without Hydra until they compose

    from experiments.config.hydra import Command, register
    from experiments.sweeps.compose import Composer

    outer = GlobalHydra.instance()
    hydra, outer.hydra = outer.hydra, None  # within a command that Hydra runs there is one already
    try:
        register("train", TrainConfig)
        composer = Composer(Command("train", TrainConfig, lambda *_: lambda: None), [])
        settings = composer.settings(composer.config(overrides))
    finally:
        GlobalHydra.instance().hydra = hydra
    assert isinstance(settings, TrainConfig)
    return settings
