"""Settings of learning from a history, and what the command takes in addition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gymnasium.spaces import Discrete

from agents import check_head
from agents.offline import NoEnv
from experiments.config.agents import SHARED, check_numbers
from experiments.config.bounds import MAX_DECISIONS, MAX_EPOCHS, MAX_FACTOR, MAX_SECONDS, MAX_SEED, MAX_THREADS, bounded
from experiments.config.schemas import AgentSettings, CommandSettings, EvaluationSettings, TwinTrainingSettings
from slicing_gym.builtin_types import named
from slicing_gym.errors import unknown_name
from slicing_gym.scenario import REWARD_KINDS


@dataclass
class Algorithm2Settings(TwinTrainingSettings):
    """The paper's Algorithm 2.

    Args:
        epochs: times through the history (the paper's).
        conservative_weight: eta of equation 13; the paper does not give its own.
    """

    epochs: int = bounded(200, at_least=1, at_most=MAX_EPOCHS)
    conservative_weight: float = bounded(0.1, at_least=0.0, at_most=MAX_FACTOR)


@dataclass
class EstimateSettings:
    """Fitted Q evaluation: what the policy is worth, estimated from the history alone.

    Args:
        epochs: times through the history.
        agent: changes of the settings of the agent, for the network that estimates.
    """

    epochs: int = bounded(200, at_least=1, at_most=MAX_EPOCHS)
    agent: dict[str, Any] = field(
        default_factory=lambda: {"head": None, "batch_size": 256, "target_update_interval": 100}
    )


def check_estimate(settings: EstimateSettings, spaces: NoEnv) -> None:
    """Refuse changes of settings that the network which estimates cannot have, for histories with these spaces.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    allowed = {*SHARED, "head", "net_arch", "center_rewards"}
    for name in settings.agent:
        if name not in allowed:
            raise ValueError(unknown_name("estimate.agent", name, allowed))
    check_numbers(settings.agent, "estimate.agent")
    if settings.agent.get("head") is not None:
        assert isinstance(spaces.action_space, Discrete)  # numbers of allocations
        with named("estimate.agent"):
            check_head(settings.agent["head"], spaces.action_space)


@dataclass
class Settings:
    """Learning from a history.

    Args:
        reward: what is learned from: "utility" (eq. 5), "shaped" (eq. 6), "clip" (GAN-DDQN eq. 24); None: that of the
            history's scenario.
        checkpoint_s: seconds between checkpoints.
        torch_threads: threads that PyTorch computes in.
        progress: show a progress bar.
        algorithm: Algorithm 2, and with a twin how Agent 2 learns in it.
        estimate: of what the policy is worth.
        evaluation: what it really earns, where the scenario can be simulated; no seeds: none.
    """

    reward: str | None = bounded("utility", choices=REWARD_KINDS)
    checkpoint_s: float = bounded(30.0, at_least=0.0, at_most=MAX_SECONDS)
    torch_threads: int = bounded(1, at_least=1, at_most=MAX_THREADS)
    progress: bool = True
    algorithm: Algorithm2Settings = field(default_factory=Algorithm2Settings)
    estimate: EstimateSettings = field(default_factory=EstimateSettings)
    evaluation: EvaluationSettings = field(
        default_factory=lambda: EvaluationSettings(policies=["hard", "proportional", "best_fixed"])
    )


@dataclass
class Algorithm2Config(Algorithm2Settings):
    """`conf/algorithm/offline.yaml`: the changes of `agent` for each role, too."""

    agent: dict[str, Any] = field(default_factory=dict)
    agent_1: dict[str, Any] = field(default_factory=dict)
    agent_2: dict[str, Any] = field(default_factory=dict)


@dataclass
class OfflineConfig(Settings, CommandSettings):
    """`conf/offline.yaml`.

    Args:
        history: "random" or "mixed": recorded first; or the file of a history, or the folder of a run.
        decisions: to record (None: 5000), or the first so many of a file (None: all).
        seed: of the recorded cell and its decisions, and of the agents.
        device: that networks learn on: "cpu", "cuda" or "cuda:<number>".
        resume: None; "auto": go on if the run's own folder has a checkpoint.
    """

    scenario: dict[str, Any] = field(default_factory=dict)
    agent: AgentSettings = field(default_factory=AgentSettings)
    twin: dict[str, Any] = field(default_factory=dict)
    algorithm: Algorithm2Config = field(default_factory=Algorithm2Config)
    history: str = "random"
    decisions: int | None = bounded(None, at_least=1, at_most=MAX_DECISIONS)
    seed: int = bounded(0, at_least=0, at_most=MAX_SEED)
    device: str = "cpu"
    resume: str | None = bounded(None, choices=("auto",))
