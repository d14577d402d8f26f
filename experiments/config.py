"""The types of the configuration in `conf/`; Hydra checks a composed config against them before anything runs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import MISSING, DictConfig, OmegaConf

import conf
from slicing_gym import SCENARIOS, Scenario, get_scenario
from slicing_gym.errors import unknown_name
from slicing_gym.plain_data import build
from twin import DigitalTwin, PerformanceSettings, TrainingSettings
from twin.settings import TRANSITIONS

CONFIG_FOLDER = str(Path(conf.__file__).resolve().parent)
"""Where the YAML files are, in a checkout and in an installed wheel alike."""


@dataclass
class AgentConfig:
    """An agent: its class and the arguments of its constructor."""

    name: str = MISSING
    _target_: str = MISSING
    head: str = MISSING
    net_arch: list[int] = MISSING
    learning_rate: float = MISSING
    learning_rate_end: float | None = MISSING
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
    center_rewards: bool = MISSING
    twin_gradient_steps: int = MISSING
    device: str = MISSING
    options: dict[str, Any] = MISSING


@dataclass
class TwinTrainingConfig:
    """How Agent 2 learns in the twin."""

    twin_decisions: int = MISSING
    num_envs: int = MISSING
    uncertainty: str = MISSING
    penalty: float = MISSING
    judged_cells: int = MISSING
    judged_decisions: int = MISSING
    agent_1: dict[str, Any] = MISSING
    agent_2: dict[str, Any] = MISSING


@dataclass
class AlgorithmConfig(TwinTrainingConfig):
    """How the paper's Algorithm 1 spends its decisions, real and in the twin."""

    collect: int = MISSING
    fine_tune: int = MISSING
    refit: bool = MISSING
    later_twin_decisions: int = MISSING
    warm_replay: int = MISSING
    patience: int | None = MISSING
    tolerance: float = MISSING


@dataclass
class OfflineAlgorithmConfig(TwinTrainingConfig):
    """How the paper's Algorithm 2 learns from a history."""

    epochs: int = MISSING
    conservative_weight: float = MISSING
    agent: dict[str, Any] = MISSING


@dataclass
class EstimateConfig:
    """Fitted Q evaluation."""

    epochs: int = MISSING
    agent: dict[str, Any] = MISSING


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
    twin: dict[str, Any] = MISSING
    algorithm: AlgorithmConfig = field(default_factory=AlgorithmConfig)
    seed: int = MISSING
    decisions: int = MISSING
    reward: str | None = MISSING
    plain: bool = MISSING
    resume: str | None = MISSING
    checkpoint_s: float = MISSING
    torch_threads: int = MISSING
    progress: bool = MISSING
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)


@dataclass
class OfflineConfig:
    """`conf/offline.yaml`."""

    scenario: dict[str, Any] = MISSING
    agent: AgentConfig = field(default_factory=AgentConfig)
    twin: dict[str, Any] = MISSING
    algorithm: OfflineAlgorithmConfig = field(default_factory=OfflineAlgorithmConfig)
    history: str = MISSING
    decisions: int | None = MISSING
    seed: int = MISSING
    reward: str | None = MISSING
    resume: str | None = MISSING
    checkpoint_s: float = MISSING
    torch_threads: int = MISSING
    progress: bool = MISSING
    estimate: EstimateConfig = field(default_factory=EstimateConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)


@dataclass
class DistillConfig:
    """`conf/distill.yaml`."""

    teacher: str | None = MISSING
    agents: list[str] | None = MISSING
    hidden: list[int] = MISSING
    head: str = MISSING
    target: str = MISSING
    temperature: float = MISSING
    states: str = MISSING
    twin_states: int = MISSING
    updates: int = MISSING
    batch_size: int = MISSING
    learning_rate: float = MISSING
    seed: int = MISSING
    resume: str | None = MISSING
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


@dataclass
class FidelityConfig:
    """`conf/fidelity.yaml`."""

    scenario: dict[str, Any] = MISSING
    mapping: dict[str, Any] = MISSING
    twin: dict[str, Any] = MISSING
    log: str | None = MISSING
    seeds: list[int] = MISSING
    decisions: int = MISSING
    held_out_runs: int = MISSING
    run_length: int = MISSING
    copies: int = MISSING
    horizon: int = MISSING
    allocations: int = MISSING
    policies: list[str] = MISSING
    tree: bool = MISSING
    threads: int = MISSING
    torch_threads: int = MISSING
    progress: bool = MISSING


@dataclass
class CalibrationConfig:
    """`conf/calibration.yaml`."""

    scenario: dict[str, Any] = MISSING
    twin: dict[str, Any] = MISSING
    change: dict[str, Any] = MISSING
    seeds: list[int] = MISSING
    decisions: int = MISSING
    fresh: list[int] = MISSING
    held_out_runs: int = MISSING
    copies: int = MISSING
    threads: int = MISSING
    torch_threads: int = MISSING
    progress: bool = MISSING


@dataclass
class LandscapeConfig:
    """`conf/landscape.yaml`."""

    runs: str | None = MISSING
    agents: list[str] | None = MISSING
    data: str = MISSING
    data_seed: int = MISSING
    data_decisions: int = MISSING
    loss: str = MISSING
    stock: bool = MISSING
    epsilon: float = MISSING
    distance: float = MISSING
    points: int = MISSING
    surface_size: float = MISSING
    surface_points: int = MISSING
    rise: float = MISSING
    directions: int = MISSING
    size: float = MISSING
    seed: int = MISSING
    torch_threads: int = MISSING
    progress: bool = MISSING


@dataclass
class ExportConfig:
    """`conf/export.yaml`."""

    policy: str | None = MISSING
    scenario: dict[str, Any] | None = None
    fallback: str = MISSING
    output: str | None = MISSING
    name: str | None = MISSING
    states: int = MISSING
    seed: int = MISSING
    torch_threads: int = MISSING
    progress: bool = MISSING


def register_configs() -> None:
    """Give Hydra the schemas, and the presets as the group `scenario`: their one source is `slicing_gym.presets`."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig)
    store.store(name="evaluate_schema", node=EvaluateConfig)
    store.store(name="offline_schema", node=OfflineConfig)
    store.store(name="distill_schema", node=DistillConfig)
    store.store(name="fidelity_schema", node=FidelityConfig)
    store.store(name="calibration_schema", node=CalibrationConfig)
    store.store(name="landscape_schema", node=LandscapeConfig)
    store.store(name="export_schema", node=ExportConfig)
    for name in SCENARIOS:
        store.store(group="scenario", name=name, node=OmegaConf.create(get_scenario(name).to_dict()))


@contextmanager
def readable_errors() -> Iterator[None]:
    """Around the checks of a command: what they refuse ends it with the message alone, no stack trace, no folder."""
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        _remove_unused_folder()
        raise SystemExit(f"error: {error}") from None


def _remove_unused_folder() -> None:
    """Remove the folder that Hydra has made for a run, if nothing else has been put there."""
    if not HydraConfig.initialized():
        return
    folder = Path(HydraConfig.get().runtime.output_dir)
    files = [path for path in folder.rglob("*") if path.is_file()]
    if all(path.parent.name == ".hydra" or (path.suffix == ".log" and not path.stat().st_size) for path in files):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Around work that goes on with `resume=auto` where it was stopped: Ctrl-C says so."""
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(f"stopped; type the command again with resume=auto hydra.run.dir={folder}") from None


def with_lists(arguments: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Arguments in which `key=a,b` of some keys is a list, also with -m; Hydra would take it for a sweep."""
    listed = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        alone = key in keys and not value.startswith("[") and value != "null"
        quoted = ",".join(f"'{name}'" for name in value.split(","))
        listed.append(f"{key}=[{quoted}]" if alone else argument)
    return listed


def check_overrides(name: str, arguments: Sequence[str]) -> None:
    """End the program with the nearest name if an argument overrides a key, or takes a choice, that does not exist.

    Only plain `key=value` arguments are looked at, and none where a folder of the user's own may hold more choices; the
    rest of its grammar Hydra checks itself.
    """
    if any(argument.startswith(("--config-dir", "-cd")) for argument in arguments):
        return
    plain = [argument for argument in arguments if re.match(r"(?!hydra)[A-Za-z_][\w./-]*=", argument)]
    given = {key: value for key, _, value in (argument.partition("=") for argument in plain)}
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"), readable_errors():
        loader = GlobalHydra.instance().config_loader()
        found = {key: loader.get_group_options(key) for key in given}
        groups = {key: [name for name in names if name[0] != "_"] for key, names in found.items() if names}
        for key, options in groups.items():
            for choice in given[key].split(","):
                if choice not in options:
                    raise ValueError(unknown_name(key, choice, options))
        config = compose(name, [f"{key}={given[key].split(',')[0]}" for key in groups])
        for key in given.keys() - groups.keys():
            _check_key(config, key)


def _check_key(config: Any, key: str) -> None:
    """Refuse a dotted key that is not in a composed config."""
    node = config
    for part in key.split("."):
        if not isinstance(node, DictConfig):
            return
        if part not in node.keys():  # noqa: SIM118  # a key that has to be given is not "in" it
            raise ValueError(unknown_name(key, part, [str(name) for name in node]))
        node = None if OmegaConf.is_missing(node, part) else node[part]


def plain_of(config: DictConfig) -> dict[str, Any]:
    """A composed part as plain data."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def scenario_of(config: DictConfig) -> Scenario:
    """The composed scenario, checked."""
    return Scenario.from_dict(plain_of(config))


def twin_of(config: DictConfig) -> DigitalTwin:
    """A twin with the composed settings, checked; not fitted."""
    parts = plain_of(config)
    wanted = ("transition", "performance", "training", "seed")
    for key in parts:
        if key not in wanted:
            raise ValueError(unknown_name("twin", key, wanted))
    for key in wanted:
        if key not in parts:
            raise ValueError(f"twin.{key}: missing; twin=lstm or twin=transformer has it")
    transition = dict(parts["transition"])
    name = transition.pop("name")
    if name not in TRANSITIONS:
        raise ValueError(unknown_name("twin.transition.name", name, TRANSITIONS))
    return DigitalTwin(
        build(TRANSITIONS[name], "twin.transition", transition),
        build(PerformanceSettings, "twin.performance", parts["performance"]),
        build(TrainingSettings, "twin.training", parts["training"]),
        parts["seed"],
    )
