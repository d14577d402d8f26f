"""The paper's Algorithm 1: a twin, Agent 2 learning in it, its weights handed to Agent 1, fine-tuning; or no twin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from omegaconf import DictConfig
from tqdm.auto import tqdm

from agents.packing import Arrays
from agents.protocols import Learner
from experiments.config.parts import twin_of
from experiments.environments.environments import Environments
from experiments.train.callbacks import RoundMonitor
from experiments.train.twin_phase import TwinAlgorithm


class Algorithm(TwinAlgorithm):
    """A run: Agent 1 in the real environment, and if there is a twin, Agent 2 in that.

    With a twin, after some random decisions (`collect`), until the budget of real decisions is spent or Agent 1 has
    converged, as in the paper's Algorithm 1:

    - `learn_twin`: fit the twin to the history, or calibrate it on what has come since (equation 7);
    - `train_in_twin`: train Agent 2 in it, and hand over its weights (equation 8);
    - `fine_tune`: Agent 1 acts in the real environment and is fine-tuned there; what it does goes to the history, so
      that the paper's step 1 of the next iteration is this step 5.

    Whenever there are two candidates (fine-tuned or not, trained anew or not) both live through the same rounds in the
    latest twin, and the better one is kept (`keep_better`): that costs no real decision.

    Args:
        config: composed `conf/train.yaml`, checked.
        environments: where the agents act.
        folder: of the run.

    Attributes:
        monitor: counts real decisions, wherever they are spent, and keeps them.
        iterations: of the outer loop so far.
    """

    def __init__(self, config: DictConfig, environments: Environments, folder: Path) -> None:
        super().__init__(config, environments, folder)
        self.iterations = 0
        self._fitted_to = 0  # decisions that the twin knows
        self._bar = tqdm(total=config.decisions, unit="decision", disable=not config.progress)
        changes = {}
        if self.has_twin:  # until there is a twin, decisions are random
            changes = {**config.algorithm.agent_1, "learning_starts": config.algorithm.collect}
        self.real = environments.real()
        self.agent = self._make(self.real, changes, "real")
        self.monitor = RoundMonitor(
            self.scenario, folder / "episodes.csv", self.agent, self._bar.update, self._checkpoint_between_decisions
        )
        self.recorder = self.monitor.recorder

    def run(self) -> None:
        """Go on until it is finished, leaving a checkpoint after every step."""
        super().run()
        self.monitor.finish()
        self._bar.close()

    def _steps(self) -> list[Callable[[], None]]:
        if self.has_twin:
            return [self.collect, self.learn_twin, self.train_in_twin, self.fine_tune]
        return [self.learn]

    def learn(self) -> None:
        """Without a twin: learn in the real environment until the budget is spent."""
        self._act(self.config.decisions - self.monitor.decisions)
        self._next_step = -1

    def collect(self) -> None:
        """Step 1: random decisions in the real environment go to the history."""
        self._act(self.config.algorithm.collect)
        self._next_step = 1

    def learn_twin(self) -> None:
        """Step 2: fit the twin to the history, or calibrate it on what is new, and see whether fine-tuning helped."""
        self._bar.set_postfix_str("learning the twin")
        history = self.recorder.history()
        if self.twin is None or (self.config.algorithm.refit and len(history) > self._fitted_to):
            self.twin = twin_of(self.config.twin).fit(history)
        elif len(history) > self._fitted_to:
            self.twin.calibrate(history.take(np.arange(self._fitted_to, len(history))))
        self._fitted_to = len(history)
        if self._agent_2 is not None:
            self.keep_better()
        self._next_step = -1 if self._finished() else 2

    def train_in_twin(self) -> None:
        """Steps 3 and 4: Agent 2 learns in the twin and hands over its weights."""
        self._bar.set_postfix_str("training in the twin")
        settings, first = self.config.algorithm, self._agent_2 is None
        agent = self._learn_in_twin(
            self.iterations, settings.twin_decisions if first else settings.later_twin_decisions
        )
        if first:
            self.agent.copy_from(agent)
        else:
            self.keep_better()
        self._warm_replay(agent)
        self._next_step = 3

    def _warm_replay(self, agent_2: Learner) -> None:
        """Let Agent 1 remember what Agent 2 saw, in addition to all that it saw itself, so that it forgets nothing."""
        self.agent.forget()
        number = self.config.algorithm.warm_replay
        if number:
            self.agent.remember(agent_2.recall(number))
        self.agent.remember(self.monitor.seen.transitions())

    def fine_tune(self) -> None:
        """Step 5: Agent 1 acts in the real environment and learns there."""
        left = self.config.decisions - self.monitor.decisions
        self._act(min(self.config.algorithm.fine_tune, left))
        self.iterations += 1
        self._next_step = 1

    def _act(self, decisions: int) -> None:
        """Let Agent 1 act in the real environment, and learn as its settings say."""
        if decisions > 0:
            self.agent.learn(decisions, self.monitor)

    def _finished(self) -> bool:
        """Whether the budget is spent or Agent 1 has converged, Agent 2 having been in the twin at least once."""
        if self._agent_2 is None:
            return False
        if self.monitor.decisions >= self.config.decisions:
            return True
        patience = self.config.algorithm.patience
        utility = self.monitor.episode_utility
        if patience is None or len(utility) <= patience:
            return False
        return bool(utility[-patience:].max() < utility[:-patience].max() + self.config.algorithm.tolerance)

    def _checkpoint_between_decisions(self) -> None:
        if not self.has_twin:
            self._save_now_and_then()

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        monitor, arrays = self.monitor.state()
        return {"iterations": self.iterations, "fitted_to": self._fitted_to, "monitor": monitor}, arrays

    def _restore(self, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.iterations, self._fitted_to = header["iterations"], header["fitted_to"]
        self.monitor.restore(header["monitor"], arrays)
        self._bar.update(self.monitor.decisions)
