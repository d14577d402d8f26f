"""What a training run brought, also read from its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from agents import Planner
from experiments.evaluate.policies import in_its_cells
from experiments.evaluate.report import as_table, queue_warnings, read_csv
from experiments.evaluate.rollout import Evaluation, Predictor
from experiments.runs.folder import read_episodes, read_run
from twin import DigitalTwin, History

EVALUATION = "evaluation.csv"

FEWEST = 100
"""Decisions of each policy, all cells together, below which a comparison says nothing."""


@dataclass(frozen=True)
class TrainResult:
    """What a training run brought.

    Args:
        name: of the agent: ddqn, with a twin ddqn-dt-planner, or ddqn-dt after random decisions.
        folder: with its files; None if it was not to be kept.
        agent: Agent 1, of Stable-Baselines3; or the planner.
        policy: the agent as it is compared with others, in cells with the wrappers and the observer that it knows.
        episodes: one row per episode on the real environment: decisions, mean reward, utility, SSR, ...
        history: every real decision.
        twin: the last one; None without.
        evaluation: of the agent, then of those it is compared with, on unseen cells.
        summary: the figures by which runs are compared.
    """

    name: str
    folder: Path | None
    agent: OffPolicyAlgorithm | Planner
    policy: Predictor
    episodes: pd.DataFrame
    history: History
    twin: DigitalTwin | None
    evaluation: list[Evaluation]
    summary: dict[str, Any]

    def report(self) -> str:
        """The comparison on unseen cells; the share at c_max where the scenario's own reward has a threshold.

        Below it stands what full queues keep out of slices, which their SSR does not count.
        """
        reward = self.summary.get("config", {}).get("scenario", {}).get("reward", {})  # the run's may be another
        scenario, shaped = self.history.scenario, reward.get("kind", "shaped") == "shaped"
        table = as_table(scenario, self.evaluation, with_reward=shaped)
        chosen = self.summary.get("config", {}).get("evaluation", {})
        decisions = chosen.get("decisions") or scenario.decisions_per_episode
        number = decisions * len(chosen.get("seeds", ()))
        few = [f"too few decisions to compare: {number} of each (evaluation.decisions, evaluation.seeds)"]
        return "\n".join([table, *(few if 0 < number < FEWEST else ()), *queue_warnings(scenario, self.evaluation)])


def read_result(
    folder: str | Path, kind: type[OffPolicyAlgorithm] | None = None, *, trust: bool = False
) -> TrainResult:
    """The result of a finished run, from its folder.

    Args:
        folder: of the run.
        kind: class of its agent; None: that of the name which its configuration has.
        trust: let the agent's file run code.

    Raises:
        ValueError: there is none.
    """
    run = read_run(folder)
    path = run.folder / EVALUATION
    twin = None if run.setting("twin.transition") is None else run.twin()
    agent: Any = run.agent(kind, trust=trust)
    return TrainResult(
        name=run.method,
        folder=run.folder,
        agent=agent,
        policy=in_its_cells(agent, str(run.agent_file), run.scenario),
        episodes=read_episodes(run.folder),
        history=run.history(),
        twin=twin,
        evaluation=read_csv(path) if path.is_file() else [],  # of a second run it is in the folder of the first
        summary=run.summary,
    )
