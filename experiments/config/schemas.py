"""The types of the configuration in `conf/`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class AgentConfig:
    """An agent: its class, the arguments of its constructor, and those of its policy."""

    name: str = MISSING
    _target_: str = MISSING
    policy: str = MISSING
    policy_kwargs: dict[str, Any] = MISSING
    head: str = MISSING
    net_arch: list[int] | None = MISSING
    learning_rate: float | None = MISSING
    learning_rate_end: float | None = MISSING
    buffer_size: int | None = MISSING
    learning_starts: int | None = MISSING
    batch_size: int | None = MISSING
    gamma: float | None = MISSING
    train_freq: int | None = MISSING
    gradient_steps: int | None = MISSING
    target_update_interval: int | None = MISSING
    exploration_fraction: float | None = MISSING
    exploration_initial_eps: float | None = MISSING
    exploration_final_eps: float | None = MISSING
    center_rewards: bool = MISSING
    twin_gradient_steps: int = MISSING
    device: str | None = MISSING
    kwargs: dict[str, Any] = MISSING


@dataclass
class EnvConfig:
    """Wrappers of the environments that agents act in."""

    wrappers: list[Any] = MISSING
    vector_wrappers: list[Any] = MISSING


@dataclass
class TwinTrainingConfig:
    """How Agent 2 learns in the twin."""

    twin_decisions: int = MISSING
    num_envs: int = MISSING
    uncertainty: str = MISSING
    penalty: float = MISSING
    selection_cells: int = MISSING
    selection_decisions: int = MISSING
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

    imports: list[str] = MISSING
    trust: bool = MISSING
    scenario: dict[str, Any] = MISSING
    agent: AgentConfig = field(default_factory=AgentConfig)
    twin: dict[str, Any] = MISSING
    algorithm: AlgorithmConfig = field(default_factory=AlgorithmConfig)
    env: EnvConfig = field(default_factory=EnvConfig)
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

    imports: list[str] = MISSING
    trust: bool = MISSING
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

    imports: list[str] = MISSING
    trust: bool = MISSING
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

    imports: list[str] = MISSING
    trust: bool = MISSING
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

    imports: list[str] = MISSING
    trust: bool = MISSING
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

    imports: list[str] = MISSING
    trust: bool = MISSING
    policy: str | None = MISSING
    scenario: dict[str, Any] | None = None
    fallback: str = MISSING
    output: str | None = MISSING
    name: str | None = MISSING
    states: int = MISSING
    seed: int = MISSING
    torch_threads: int = MISSING
    progress: bool = MISSING
