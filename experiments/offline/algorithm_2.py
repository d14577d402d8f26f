"""The paper's Algorithm 2: learning from a history alone; with a twin, Agent 2 learns in one fitted to it before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
from omegaconf import DictConfig
from tqdm.auto import tqdm

from agents.learner import OffPolicyLearner
from agents.offline import FittedQEvaluation, NoEnv, learn_offline
from agents.packing import Arrays
from experiments.config.agents import make_learner
from experiments.config.parts import twin_of
from experiments.environments.environments import Environments
from experiments.train.twin_phase import TwinAlgorithm
from slicing_gym.files import atomic_write, digest
from twin import History
from twin.data.transitions import transitions_of, utilities_of

CANDIDATES = ("after_algorithm_2", "agent_2")
"""What is judged in the twin, and left as zips: Agent 1 after Algorithm 2, and Agent 2 as it came from the twin."""


class OfflineAlgorithm(TwinAlgorithm):
    """A run that never acts in a real environment.

    With a twin:

    - `learn_twin`: fit the twin to the history (equation 7);
    - `train_in_twin`: Agent 2 explores in it, and hands its weights to Agent 1 (equation 8);
    - `learn`: Agent 1 learns from the history with the conservative term (equation 13), in the place of Algorithm 1's
      fine-tuning; then the better one of the two in the twin is kept. Both are left in the folder.

    Without one, `learn` alone.

    Args:
        config: composed `conf/offline.yaml`, checked.
        history: what is learned from; its scenario tells the reward.
        folder: of the run.

    Attributes:
        epochs: times that `learn` has been through the history.
        judged: what Agent 1, after Algorithm 2, and Agent 2 earned in the twin; None without one.
    """

    def __init__(self, config: DictConfig, history: History, folder: Path) -> None:
        scenario = history.scenario
        super().__init__(config, Environments(scenario), folder)
        self.history = history
        self.transitions = transitions_of(history)
        names = ("observations", "actions", "rewards", "next_observations")
        self._digest = digest({}, {name: getattr(self.transitions, name) for name in names})
        self.epochs = 0
        self.judged: tuple[float, float] | None = None
        settings = config.algorithm
        changes: dict[str, Any] = {
            **settings.agent,
            **(settings.agent_1 if self.has_twin else {}),
            "buffer_size": len(history),
        }
        learner = self._make(NoEnv(scenario), changes, "offline", settings.conservative_weight)
        assert isinstance(learner, OffPolicyLearner)  # only this kind learns from what others did
        self.learner = self.agent = learner
        self._bar = tqdm(total=settings.epochs, unit="epoch", disable=not config.progress)

    def run(self) -> None:
        """Go on until it is finished, leaving a checkpoint after every step."""
        super().run()
        self._bar.close()

    def _steps(self) -> list[Callable[[], None]]:
        return [self.learn_twin, self.train_in_twin, self.learn] if self.has_twin else [self.learn]

    def learn_twin(self) -> None:
        """Fit the twin to the history."""
        self._bar.set_postfix_str("learning the twin")
        self.twin = twin_of(self.config.twin).fit(self.history)
        self._next_step = 1

    def train_in_twin(self) -> None:
        """Let Agent 2 learn in the twin and hand over its weights."""
        self._bar.set_postfix_str("training in the twin")
        agent = self._learn_in_twin(0, self.config.algorithm.twin_decisions)
        self.agent.copy_from(agent)
        self._next_step = 2

    def learn(self) -> None:
        """Algorithm 2 itself."""
        self._bar.set_postfix_str("learning from the history")
        settings = self.config.algorithm
        learn_offline(
            self.learner, *self.transitions, epochs=settings.epochs, first_epoch=self.epochs, on_epoch=self._on_epoch
        )
        if self._agent_2 is not None:
            for name, agent in zip(CANDIDATES, (self.agent, self._agent_2), strict=True):
                with atomic_write(self.folder / f"{name}.zip") as file:
                    agent.save(file)
            self.judged = self.keep_better()
            self.agent.logger.dump(self.epochs)
        self._next_step = -1

    def _on_epoch(self, number: int) -> None:
        self.epochs = number
        self._bar.update()
        self.agent.logger.dump(number)
        self._save_now_and_then()

    def estimate(self, seed: int) -> float:
        """What the agent is worth, told from the history alone by fitted Q evaluation: mean U a decision.

        Args:
            seed: of the network that tells it.
        """
        settings = self.config.estimate
        agent = self.config.agent.copy()
        for key, value in settings.agent.items():
            agent[key] = value
        agent._target_ = f"{FittedQEvaluation.__module__}.{FittedQEvaluation.__name__}"
        agent.policy, agent.policy_kwargs, agent["kwargs"] = "MlpPolicy", {}, {}
        learner = make_learner(agent, NoEnv(self.scenario), seed, {"buffer_size": len(self.history)})
        evaluator = learner.model
        assert isinstance(evaluator, FittedQEvaluation)
        observations, actions, _, following = self.transitions[:4]
        evaluator.set_policy(self.agent, observations, following)
        learn_offline(learner, observations, actions, utilities_of(self.history), following, epochs=settings.epochs)
        return evaluator.value(observations)

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        return {"epochs": self.epochs, "judged": self.judged, "history": self._digest}, {}

    def _restore(self, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        del arrays
        if header["history"] != self._digest:
            raise ValueError(f"resume: the history {self.config.history!r} is not what it was when the run began")
        self.epochs, self.judged = header["epochs"], header["judged"]
        self._bar.update(self.epochs)
