"""Settings of a training run, and what the command takes in addition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from experiments.config.bounds import MAX_SEED, bounded
from experiments.config.schemas import (
    AgentSettings,
    CommandSettings,
    EnvironmentSettings,
    EvaluationSettings,
    TwinTrainingSettings,
)
from slicing_gym.scenario import REWARD_KINDS
from twin.twin import MIN_DECISIONS


@dataclass
class Algorithm1Settings(TwinTrainingSettings):
    """How the paper's Algorithm 1 spends its decisions, real and in the twin; only with a twin.

    Args:
        collect: random real decisions before the first twin.
        fine_tune: real decisions of Agent 1 after each transfer of weights.
        refit: fit the twin from scratch to the whole history in every iteration; False: calibrate it on what is new.
        later_twin_decisions: of Agent 2 in each twin but the first.
        warm_replay: decisions of Agent 2 that Agent 1 is fine-tuned on in addition to its own.
        patience: episodes without a better one after which Agent 1 has converged; None: spend the budget.
        tolerance: of the utility, for that.
    """

    collect: int = bounded(200, at_least=MIN_DECISIONS)
    fine_tune: int = bounded(200, at_least=1)
    refit: bool = True
    later_twin_decisions: int = bounded(51_200, at_least=1)
    warm_replay: int = bounded(5_000, at_least=0)
    patience: int | None = bounded(None, at_least=1)
    tolerance: float = 0.01


@dataclass
class Settings:
    """A training run.

    Args:
        decisions: real decisions in all, wherever they are spent (an episode is 200).
        reward: what is learned from: "utility" (eq. 5), "shaped" (eq. 6), "clip" (GAN-DDQN eq. 24); None: the
            scenario's own.
        checkpoint_s: seconds between checkpoints without a twin; with one, every step of Algorithm 1 ends with one.
        torch_threads: threads that PyTorch computes in.
        progress: show a progress bar.
        algorithm: Algorithm 1, with a twin.
        evaluation: the comparison that ends the run.
    """

    decisions: int = bounded(1_000, at_least=1)
    reward: str | None = bounded("utility", choices=REWARD_KINDS)
    checkpoint_s: float = bounded(15.0, at_least=0.0)
    torch_threads: int = bounded(1, at_least=1)
    progress: bool = True
    algorithm: Algorithm1Settings = field(default_factory=Algorithm1Settings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)


@dataclass
class Algorithm1Config(Algorithm1Settings):
    """`conf/algorithm/online.yaml`: the changes of `agent` for each role, too."""

    agent_1: dict[str, Any] = field(default_factory=dict)
    agent_2: dict[str, Any] = field(default_factory=dict)


@dataclass
class TrainConfig(Settings, CommandSettings):
    """`conf/train.yaml`.

    Args:
        without_twin: with a twin, train the same agent without it too, on as many real decisions.
        resume: None; "auto": go on if the run's own folder has a checkpoint.
    """

    scenario: dict[str, Any] = field(default_factory=dict)
    agent: AgentSettings = field(default_factory=AgentSettings)
    twin: dict[str, Any] = field(default_factory=dict)
    algorithm: Algorithm1Config = field(default_factory=Algorithm1Config)
    env: EnvironmentSettings = field(default_factory=EnvironmentSettings)
    seed: int = bounded(0, at_least=0, at_most=MAX_SEED)
    without_twin: bool = False
    resume: str | None = bounded(None, choices=("auto",))
