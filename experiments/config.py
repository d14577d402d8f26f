"""The types of the configuration in `conf/`; Hydra checks a composed config against them before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

import conf
from slicing_gym import SCENARIOS, Scenario, get_scenario

CONFIG_FOLDER = str(Path(conf.__file__).resolve().parent)
"""Where the YAML files are, in a checkout and in an installed wheel alike."""


@dataclass
class PolicyKwargs:
    """What shapes an agent's network."""

    net_arch: list[int] = MISSING


@dataclass
class AgentConfig:
    """An agent: its class and the arguments of its constructor."""

    name: str = MISSING
    _target_: str = MISSING
    policy: str = MISSING
    policy_kwargs: PolicyKwargs = field(default_factory=PolicyKwargs)
    learning_rate: float = MISSING
    buffer_size: int = MISSING
    learning_starts: int = MISSING
    batch_size: int = MISSING
    gamma: float = MISSING
    train_freq: int = MISSING
    gradient_steps: int = MISSING
    target_update_interval: int = MISSING
    exploration_fraction: float = MISSING
    exploration_initial_eps: float = MISSING
    exploration_final_eps: float = MISSING


@dataclass
class EvaluationConfig:
    """The comparison that ends a training run."""

    policies: list[str] = MISSING
    seeds: list[int] = MISSING
    decisions: int | None = MISSING


@dataclass
class TrainConfig:
    """`conf/train.yaml`."""

    scenario: dict[str, Any] = MISSING
    agent: AgentConfig = field(default_factory=AgentConfig)
    seed: int = MISSING
    decisions: int = MISSING
    reward: str = MISSING
    torch_threads: int = MISSING
    progress: bool = MISSING
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)


@dataclass
class EvaluateConfig:
    """`conf/evaluate.yaml`."""

    scenario: dict[str, Any] = MISSING
    policy: list[str] = MISSING
    seeds: list[int] = MISSING
    decisions: int | None = MISSING
    threads: int = MISSING
    progress: bool = MISSING


def register_configs() -> None:
    """Give Hydra the schemas, and the presets as the group `scenario`: their one source is `slicing_gym.presets`."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig)
    store.store(name="evaluate_schema", node=EvaluateConfig)
    for name in SCENARIOS:
        store.store(group="scenario", name=name, node=OmegaConf.create(get_scenario(name).to_dict()))


@contextmanager
def readable_errors() -> Iterator[None]:
    """Around the checks of a command: what they refuse ends it with the message alone, no stack trace."""
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        raise SystemExit(f"error: {error}") from None


def scenario_of(config: DictConfig) -> Scenario:
    """The composed scenario, checked."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return Scenario.from_dict({str(key): value for key, value in plain.items()})
