"""The paper's Algorithm 1: a twin, Agent 2 learning in it, weights transferred to Agent 1, fine-tuning; or no twin."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from agents import OffPolicyLearner
from agents.packing import Arrays
from agents.protocols import DecisionListener, Learner
from experiments.config.planner import make_planning_policy
from experiments.runs.folder import EPISODES
from experiments.runs.stopping import waiting_for_checkpoint
from experiments.train.callbacks import Checkpoints, EpisodeLog, Follow, HistoryLog, Listeners, Progress
from experiments.train.finite import FiniteWeights
from experiments.train.learners import make_learner
from experiments.train.settings import Settings
from experiments.train.twin_phase import Job, TwinAlgorithm

_log = logging.getLogger(__name__)


class Algorithm1(TwinAlgorithm):
    """A run: Agent 1 in the real environment, and if there is a twin, Agent 2 in that.

    With a twin, after some decisions that a planner takes, or that are random as in the paper (`collect`), until the
    budget of real decisions is spent or Agent 1 has converged, as in the paper's Algorithm 1:

    - `learn_twin`: fit the twin to the history, or calibrate it on what has come since (equation 7);
    - `train_in_twin`: train Agent 2 in it, and transfer its weights (equation 8);
    - `fine_tune`: Agent 1 acts in the real environment and is fine-tuned there; what it does goes to the history, so
      that the paper's step 1 of the next iteration is this step 5.

    With `select_in_twin`, whenever there are two candidates (fine-tuned or not, trained again or not) both are
    evaluated on the same episodes in the latest twin, and the better one is kept (`keep_better`): that costs no real
    decision.

    Args:
        job: what the run is given; the roles of its agents are "real" and "twin".
        settings: of the run.
        listeners: called at every real decision, after those of the run itself.

    Attributes:
        real: the real environment; without a twin it may be a batch.
        log: counts real decisions, wherever they are spent.
        history: keeps them.
        iterations: of the outer loop so far.
    """

    role = "real"

    def __init__(self, job: Job, settings: Settings, listeners: Sequence[DecisionListener] = ()) -> None:
        super().__init__(job, settings.algorithm)
        self.settings, self.iterations = settings, 0
        self._fitted_to = 0  # decisions that the twin knows
        self.real = job.environments.acted_in(settings.num_envs)
        self.agent = make_learner(job.make, self.real, "real", self.seed, per_decision=True)
        if isinstance(self.agent, OffPolicyLearner) and self.has_twin:
            self.agent.model.learning_starts = settings.algorithm.collect  # until there is a twin, decisions are random
        self.log = EpisodeLog(self.scenario, job.folder / EPISODES, self.agent, settings.num_envs)
        self.history = HistoryLog(self.scenario, settings.num_envs)
        self._progress = Progress(job.name, settings.decisions, settings.progress)
        own: list[DecisionListener] = [
            self.history,
            self._progress,
            self.log,
            FiniteWeights(self.check_agent, self.log),
        ]
        if not self.has_twin:
            own.append(Checkpoints(self.save, settings.checkpoint_s))
        self._listeners = Listeners([*own, *listeners])

    def run(self) -> None:
        """Go on until it is finished, leaving a checkpoint after every step."""
        with self._progress.shown(self.log.decisions):
            super().run()
        self.log.finish()

    def _steps(self) -> list[Callable[[], None]]:
        if self.has_twin:
            return [self.collect, self.learn_twin, self.train_in_twin, self.fine_tune]
        return [self.learn]

    @property
    def done(self) -> str:
        """See `TwinAlgorithm`."""
        return f"{self.log.decisions} decisions"

    def learn(self) -> None:
        """Without a twin: learn in the real environment until the budget is spent."""
        with waiting_for_checkpoint():
            self._act(self.settings.decisions - self.log.decisions)
        self._next_step = -1

    def collect(self) -> None:
        """Step 1: decisions of a planner, or random ones, in the real environment go to the history."""
        number = self.settings.algorithm.collect
        if self.settings.algorithm.collect_by == "planner":
            planner = make_planning_policy(self.settings.planner, self.scenario, self.seed)
            assert isinstance(self.agent, OffPolicyLearner)  # with a twin
            listeners = Listeners([self._listeners, Follow(planner)])
            self.agent.learn(number, listeners, choose=lambda: planner.decide()[0])
            if planner.constraints.demands:
                _log.info(planner.constraint_report())
        else:
            self._act(number)
        self._next_step = 1

    def learn_twin(self) -> None:
        """Step 2: fit the twin to the history, or calibrate it on what is new, and see whether fine-tuning helped."""
        self._progress.say("learning the twin")
        history = self.history.recorder.history()
        if self.twin is None or (self.settings.algorithm.refit and len(history) > self._fitted_to):
            self.fit_twin(history)
        elif len(history) > self._fitted_to:
            self.twin.calibrate(history.take(np.arange(self._fitted_to, len(history))))
        self._fitted_to = len(history)
        if self._agent_2 is not None:
            if self.settings.algorithm.select_in_twin:
                self.keep_better()
            else:
                self._agent_2.copy_from(self.agent)
        self._next_step = -1 if self._finished() else 2

    def train_in_twin(self) -> None:
        """Steps 3 and 4: Agent 2 learns in the twin and transfers its weights."""
        self._progress.say("training in the twin")
        settings, first = self.settings.algorithm, self._agent_2 is None
        own, before = settings.twin_decisions, 0
        if self.iterations:
            own, before = settings.later_twin_decisions, own + (self.iterations - 1) * settings.later_twin_decisions
        agent = self._learn_in_twin(self.iterations, own, before)
        if first or not settings.select_in_twin:
            self.agent.copy_from(agent)
        else:
            self.keep_better()
        self._warm_replay(agent)
        self._next_step = 3

    def _warm_replay(self, agent_2: Learner) -> None:
        """Let Agent 1 remember what Agent 2 saw, in addition to all that it saw itself, so that it forgets nothing."""
        self.agent.forget()
        number = self.settings.algorithm.warm_replay
        if number:
            self.agent.remember(agent_2.recall(number))
        self.agent.remember(self.history.transitions())

    def fine_tune(self) -> None:
        """Step 5: Agent 1 acts in the real environment and learns there."""
        left = self.settings.decisions - self.log.decisions
        self._act(min(self.settings.algorithm.fine_tune, left))
        self.iterations += 1
        self._next_step = 1

    def _act(self, decisions: int) -> None:
        """Let Agent 1 act in the real environment, and learn as its settings say."""
        if decisions > 0:
            self.agent.learn(decisions, self._listeners)

    def _finished(self) -> bool:
        """Whether the budget is spent or Agent 1 has converged, Agent 2 having been in the twin at least once."""
        if self._agent_2 is None:
            return False
        if self.log.decisions >= self.settings.decisions:
            return True
        patience, utility = self.settings.algorithm.patience, self.log.utility
        if patience is None or len(utility) <= patience:
            return False
        return bool(utility[-patience:].max() < utility[:-patience].max() + self.settings.algorithm.tolerance)

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        counts = {"iterations": self.iterations, "fitted_to": self._fitted_to, "episodes": self.log.state()}
        return counts, self.history.state()

    def _restore(self, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.iterations, self._fitted_to = header["iterations"], header["fitted_to"]
        self.log.restore(header["episodes"])
        self.history.restore(arrays)
