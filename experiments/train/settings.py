"""Settings of a training run, and what the command takes in addition."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from experiments.config.bounds import (
    MAX_CELLS,
    MAX_DECISIONS,
    MAX_EPOCHS,
    MAX_FACTOR,
    MAX_SECONDS,
    MAX_SEED,
    MAX_THREADS,
    bounded,
)
from experiments.config.schemas import (
    AgentSettings,
    CommandSettings,
    EnvironmentSettings,
    EvaluationSettings,
    PlannerSettings,
    TwinTrainingSettings,
)
from slicing_gym.scenario import REWARD_KINDS
from twin.models.settings import MIN_DECISIONS

COLLECTORS = ("planner", "random")
"""What may choose the decisions before the first twin."""


@dataclass
class Algorithm1Settings(TwinTrainingSettings):
    """How the paper's Algorithm 1 spends its decisions, real and in the twin; only with a twin.

    Args:
        collect: real decisions before the first twin.
        collect_by: what chooses them: "planner", or "random" as in the paper.
        fine_tune: real decisions of Agent 1 after each transfer of weights.
        refit: fit the twin from scratch to the whole history in every iteration; False: calibrate it on what is new.
        later_twin_decisions: of Agent 2 in each twin but the first.
        warm_replay: decisions of Agent 2 that Agent 1 is fine-tuned on in addition to its own.
        select_in_twin: whenever there are two candidates, evaluate both in the latest twin, and keep the better one;
            False, as the paper has it: what each agent has learned last goes to the other.
        patience: episodes without a better one after which Agent 1 has converged; None: spend the budget.
        tolerance: of the utility, for that.
    """

    collect: int = bounded(200, at_least=MIN_DECISIONS, at_most=MAX_DECISIONS)
    collect_by: str = bounded("planner", choices=COLLECTORS)
    fine_tune: int = bounded(200, at_least=1, at_most=MAX_DECISIONS)
    refit: bool = True
    later_twin_decisions: int = bounded(51_200, at_least=1, at_most=MAX_DECISIONS)
    warm_replay: int = bounded(5_000, at_least=0, at_most=MAX_DECISIONS)
    select_in_twin: bool = True
    patience: int | None = bounded(None, at_least=1, at_most=MAX_EPOCHS)
    tolerance: float = bounded(0.01, at_least=0.0, at_most=MAX_FACTOR)


@dataclass
class Settings:
    """A training run.

    Args:
        decisions: real decisions in all, wherever they are spent (an episode is 200).
        num_envs: cells that the agent acts in at once, of seeds one after the other; without a twin only.
        reward: what is learned from: "utility" (eq. 5), "shaped" (eq. 6), "clip" (GAN-DDQN eq. 24); None: the
            scenario's own.
        checkpoint_s: seconds between checkpoints without a twin; with one, every step of Algorithm 1 ends with one.
        torch_threads: threads that PyTorch computes in.
        progress: show a progress bar.
        algorithm: Algorithm 1, with a twin.
        planner: that collects for Algorithm 1, or is the agent.
        evaluation: the comparison that ends the run.
    """

    decisions: int = bounded(1_000, at_least=1, at_most=MAX_DECISIONS)
    num_envs: int = bounded(1, at_least=1, at_most=MAX_CELLS)
    reward: str | None = bounded("utility", choices=REWARD_KINDS)
    checkpoint_s: float = bounded(15.0, at_least=0.0, at_most=MAX_SECONDS)
    torch_threads: int = bounded(1, at_least=1, at_most=MAX_THREADS)
    progress: bool = True
    algorithm: Algorithm1Settings = field(default_factory=Algorithm1Settings)
    planner: PlannerSettings = field(default_factory=PlannerSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)


@dataclass
class Algorithm1Config(Algorithm1Settings):
    """`conf/algorithm/online.yaml`: the changes of `agent` for each role, too; some may be left to the agent's head."""

    warm_replay: int | None = bounded(None, at_least=0, at_most=MAX_DECISIONS)  # type: ignore[assignment]  # resolved before it is used
    select_in_twin: bool | None = None  # type: ignore[assignment]  # as well
    agent_1: dict[str, Any] = field(default_factory=dict)
    agent_2: dict[str, Any] = field(default_factory=dict)

    def for_agent(self, agent: AgentSettings) -> Algorithm1Config:
        """How Agent 1 is fine-tuned, where the configuration leaves it to the agent's head, or to what collects.

        What a dense head learns of one allocation it forgets of others, so it takes small steps and rehearses what
        Agent 2 saw; a factored head learns from real decisions alone, and corrects what the twin had wrong, so that the
        twin cannot say which of the two is better. Where the planner collects no decision is random: what the planner
        sampled has shown the twin the neighbours of the best allocation.
        """
        factored = agent.head == "factored"
        own = dict(self.agent_1)
        if own.get("learning_rate") is None:
            own["learning_rate"] = 3e-4 if factored else 1e-5
        if own.get("gradient_steps") is None:
            own["gradient_steps"] = 8 if factored else agent.gradient_steps
        for name in ("exploration_initial_eps", "exploration_final_eps"):
            if own.get(name) is None:
                own[name] = 0.0 if self.collect_by == "planner" else 0.02
        warm_replay = self.warm_replay
        if warm_replay is None:
            warm_replay = 0 if factored else 5_000
        select = not factored if self.select_in_twin is None else self.select_in_twin
        return replace(self, agent_1=own, warm_replay=warm_replay, select_in_twin=select)


@dataclass
class TrainConfig(Settings, CommandSettings):
    """`conf/train.yaml`.

    Args:
        without_twin: with a twin, train the same agent without it too, on as many real decisions.
        with_planner: let the planner of `planner` learn on the same cell too, on as many real decisions.
        device: that networks learn on: "cpu", "cuda" or "cuda:<number>".
        resume: None; "auto": go on if the run's own folder has a checkpoint.
    """

    scenario: dict[str, Any] = field(default_factory=dict)
    agent: AgentSettings = field(default_factory=AgentSettings)
    twin: dict[str, Any] = field(default_factory=dict)
    algorithm: Algorithm1Config = field(default_factory=Algorithm1Config)
    env: EnvironmentSettings = field(default_factory=EnvironmentSettings)
    seed: int = bounded(0, at_least=0, at_most=MAX_SEED)
    without_twin: bool = False
    with_planner: bool = False
    device: str = "cpu"
    resume: str | None = bounded(None, choices=("auto",))
