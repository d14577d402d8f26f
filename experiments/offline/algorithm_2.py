"""The paper's Algorithm 2: learning from a history alone; with a twin, Agent 2 learns in one fitted to it before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy.typing as npt

from agents.learner import OffPolicyLearner
from agents.offline import FittedQEvaluation, NoEnv, learn_offline
from agents.packing import Arrays
from experiments.config.agents import make_agent
from experiments.config.schemas import AgentSettings
from experiments.evaluate.held import compare_with_held
from experiments.offline.choice import CANDIDATES, Choice
from experiments.offline.settings import Settings
from experiments.runs.stopping import waiting_for_checkpoint
from experiments.train.callbacks import Checkpoints, Progress
from experiments.train.twin_phase import Job, TwinAlgorithm
from slicing_gym.allocation import MAX_LISTED
from slicing_gym.files import atomic_write, digest
from twin import History
from twin.data.transitions import transitions_of, utilities_of


class Algorithm2(TwinAlgorithm):
    """A run that never acts in a real environment.

    With a twin:

    - `learn_twin`: fit the twin to the history (equation 7);
    - `train_in_twin`: Agent 2 explores in it, and its weights are transferred to Agent 1 (equation 8);
    - `learn`: Agent 1 learns from the history with the conservative term (equation 13), where Algorithm 1 would
      fine-tune; then one of the two is kept (`Choice`). Both are left in the folder.

    Without one, `learn` alone.

    Args:
        job: what the run is given; the roles of its agents are "history" and "twin".
        history: what is learned from; its scenario has the reward.
        settings: of the run.
        stay: keep no agent that leaves the units held, if the other one does not: nothing but the twin says what that
            brings. Not of a simulated cell, where the agent is evaluated.

    Attributes:
        spaces: of the history's decisions.
        epochs: times that `learn` has been through the history.
        choice: which agent is kept, and why; None without a twin.
    """

    role = "history"
    agent: OffPolicyLearner

    def __init__(self, job: Job, history: History, settings: Settings, *, stay: bool = False) -> None:
        super().__init__(job, settings.algorithm)
        self.history, self.settings, self.stay = history, settings, stay
        self.transitions = transitions_of(history)
        self._digest = history_digest(history)
        self.epochs = 0
        self.choice: Choice | None = None
        self.spaces = NoEnv(self.scenario, history.layout.codec)
        self.agent = self.make_learner(self.spaces, "history", settings.algorithm.conservative_weight)
        self._progress = Progress(job.name, settings.algorithm.epochs, settings.progress, unit="epoch")
        self._checkpoints = Checkpoints(self.save, settings.checkpoint_s)

    def run(self) -> None:
        """Go on until it is finished, leaving a checkpoint after every step."""
        with self._progress.shown(self.epochs):
            super().run()

    def _steps(self) -> list[Callable[[], None]]:
        return [self.learn_twin, self.train_in_twin, self.learn] if self.has_twin else [self.learn]

    def learn_twin(self) -> None:
        """Fit the twin to the history."""
        self._progress.say("learning the twin")
        self.fit_twin(self.history)
        self._next_step = 1

    def train_in_twin(self) -> None:
        """Let Agent 2 learn in the twin and transfer its weights."""
        self._progress.say("training in the twin")
        self.agent.copy_from(self._learn_in_twin(0, self.settings.algorithm.twin_decisions))
        self._next_step = 2

    @property
    def done(self) -> str:
        """See `TwinAlgorithm`."""
        return f"{self.epochs} epochs"

    def learn(self) -> None:
        """Algorithm 2 itself."""
        self._progress.say("learning from the history")
        epochs = self.settings.algorithm.epochs
        first = self.epochs
        with waiting_for_checkpoint():
            learn_offline(self.agent, *self.transitions, epochs=epochs, first_epoch=first, on_epoch=self._on_epoch)
        self.check_agent()
        if self._agent_2 is not None:
            for name, agent in zip(CANDIDATES, (self.agent, self._agent_2), strict=True):
                with atomic_write(self.folder / f"{name}.zip") as file:
                    agent.save(file)
            self.keep_better()
            self.agent.logger.dump(self.epochs)
        self._next_step = -1

    def prefers_agent_2(self, utility: tuple[float, float]) -> bool:
        """See `Choice`."""
        assert self._agent_2 is not None
        outside = None
        if self.stay:
            shares = [compare_with_held(each, self.history)["outside"] for each in (self.agent, self._agent_2)]
            outside = shares[0], shares[1]
        self.choice = Choice(utility, outside)
        return bool(self.choice.kept)

    def _on_epoch(self, number: int) -> None:
        self.epochs = number
        self._progress.move_on()
        self.agent.logger.dump(number)
        self._checkpoints.on_settled()

    def estimate(self, agent: AgentSettings, seed: int) -> float:
        """What the policy is worth, estimated from the history alone by fitted Q evaluation: mean U a decision.

        Args:
            agent: settings of the network that estimates, before the changes of `settings.estimate`.
            seed: of that network.
        """
        settings = self.settings.estimate
        target = f"{FittedQEvaluation.__module__}.{FittedQEvaluation.__name__}"
        listed = "dense" if self.history.layout.held else "geometry"
        usual = listed if self.scenario.num_allocations <= MAX_LISTED else "factored"
        changes = {**settings.agent, "head": settings.agent.get("head") or usual}
        own = replace(agent, **changes, _target_=target, policy="MlpPolicy", policy_kwargs={}, kwargs={})
        room = {"buffer_size": len(self.history)}
        learner = OffPolicyLearner(lambda: make_agent(own, self.spaces, seed, room))
        evaluator = learner.model
        assert isinstance(evaluator, FittedQEvaluation)
        observations, actions, _, following = self.transitions[:4]
        evaluator.set_policy(self.agent, observations, following)
        learn_offline(learner, observations, actions, utilities_of(self.history), following, epochs=settings.epochs)
        return evaluator.value(observations)

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        choice = None if self.choice is None else asdict(self.choice)
        return {"epochs": self.epochs, "choice": choice, "history": self._digest}, {}

    def _restore(self, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        del arrays
        if header["history"] != self._digest:
            raise ValueError("resume: the history is not what it was when the run began")
        self.epochs, choice = header["epochs"], header.get("choice")  # versions before had none
        if choice is not None:
            self.choice = Choice(**{name: value and tuple(value) for name, value in choice.items()})
        elif header.get("in_twin") is not None:
            self.choice = Choice(tuple(header["in_twin"]))


def history_digest(history: History) -> str:
    """Of all that is learned from a history."""
    transitions = transitions_of(history)
    names = ("observations", "actions", "rewards", "next_observations")
    return digest({}, {name: getattr(transitions, name) for name in names})
