"""Parts made of a composed configuration: plain data, scenario, twin."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from slicing_gym import Scenario
from slicing_gym.builtin_types import build
from slicing_gym.errors import unknown_name
from twin import DigitalTwin, PerformanceSettings, TrainingSettings
from twin.models.registry import transition_kind


def builtin_of(config: DictConfig) -> dict[str, Any]:
    """A composed part as plain data."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def scenario_of(config: DictConfig) -> Scenario:
    """The composed scenario, checked."""
    return Scenario.from_dict(builtin_of(config))


def twin_of(config: DictConfig) -> DigitalTwin:
    """A twin with the composed settings, checked; not fitted."""
    parts = builtin_of(config)
    wanted = ("transition", "performance", "training", "seed")
    for key in parts:
        if key not in wanted:
            raise ValueError(unknown_name("twin", key, wanted))
    for key in wanted:
        if key not in parts:
            raise ValueError(f"twin.{key}: missing; twin=lstm or twin=transformer has it")
    transition = dict(parts["transition"])
    kind = transition_kind("twin.transition.name", transition.pop("name"))
    return DigitalTwin(
        build(kind, "twin.transition", transition),
        build(PerformanceSettings, "twin.performance", parts["performance"]),
        build(TrainingSettings, "twin.training", parts["training"]),
        parts["seed"],
    )
