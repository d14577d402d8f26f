"""What Algorithm 1 and its offline form share: Agent 2 and the twin it learns in, and checkpoints after every step."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agents.learner import OffPolicyLearner
from agents.packing import Arrays, part_of, with_prefix
from agents.protocols import AnyEnv, Learner
from experiments.config.agents import MakeAgent
from experiments.config.schemas import TwinTrainingSettings
from experiments.environments import AnyVectorEnv, Environments
from experiments.evaluate.rollout import evaluate_policy
from experiments.runs import checkpoint
from experiments.runs.compare import check_same_configuration, comparable
from experiments.train.curves import curves_into, write_layout
from experiments.train.finite import check_finite
from experiments.train.learners import make_learner
from twin import DigitalTwin

_POINTS = 50
"""Of a curve in TensorBoard while Agent 2 learns in a twin."""


class Job(NamedTuple):
    """What a run is given, whichever its algorithm.

    Args:
        make: makes the agents.
        environments: where they act.
        twin: settings of the twin, not fitted; None: there is none.
        folder: of the run.
        seed: of the agents.
        configuration: all that a checkpoint has to have in common with a run that goes on from it, as builtin types.
        name: of the agent in tables, which its progress bar has, too.
    """

    make: MakeAgent
    environments: Environments
    twin: DigitalTwin | None
    folder: Path
    seed: int
    configuration: Mapping[str, Any]
    name: str


class TwinAlgorithm(ABC):
    """Steps that are run one after the other, with a checkpoint after each; subclasses say which.

    Args:
        job: what the run is given.
        training: how Agent 2 learns in the twin.

    Attributes:
        agent: Agent 1.
        name: of the agent in tables.
        twin: the fitted twin, if there is one yet.
        seconds: of processor time, over all parts of a run that was resumed.
    """

    agent: Learner
    role: str
    """Of Agent 1."""

    def __init__(self, job: Job, training: TwinTrainingSettings) -> None:
        self.make, self.environments, self._unfitted, self.folder, self.seed, self.configuration, self.name = job
        self.training, self.scenario = training, job.environments.scenario
        self.twin: DigitalTwin | None = None
        self._notes_of_checkpoint: tuple[str, ...] = ()
        self.seconds = 0.0
        self._agent_2: OffPolicyLearner | None = None
        self._next_step = 0
        self._since = time.process_time()

    @property
    def has_twin(self) -> bool:
        """Whether there is a twin, or will be."""
        return self._unfitted is not None

    def run(self) -> None:
        """Go on until it is finished, leaving a checkpoint after every step."""
        self._since = time.process_time()
        steps = self._steps()
        self.log_to(self.agent, self.folder)
        write_layout(self.agent.logger)
        while self._next_step >= 0:
            steps[self._next_step]()
            self.check_agent()
            self.save()

    @abstractmethod
    def _steps(self) -> list[Callable[[], None]]:
        """The steps; each sets `_next_step`, the last to -1."""

    @property
    @abstractmethod
    def done(self) -> str:
        """How much Agent 1 has decided or learned so far, in words."""

    def check_agent(self) -> None:
        """Refuse to go on with an Agent 1 whose weights are not finite, see `check_finite`."""
        check_finite(self.agent, self.name, self.done)

    @abstractmethod
    def _state(self) -> tuple[dict[str, Any], Arrays]:
        """What a checkpoint holds in addition to agents and twin: builtin types, and arrays."""

    @abstractmethod
    def _restore(self, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to what `_state` gave."""

    def make_learner(self, env: AnyEnv, role: str, conservative_weight: float = 0.0) -> OffPolicyLearner:
        """A learner of this run that learns from what it remembers."""
        learner = make_learner(self.make, env, role, self.seed, conservative_weight)
        assert isinstance(learner, OffPolicyLearner)  # as was checked
        return learner

    def log_to(self, learner: Learner, folder: Path) -> None:
        """Let a learner's curves go to a folder, whose name is what TensorBoard calls them."""
        learner.logger = curves_into(folder)

    @property
    def twin_notes(self) -> tuple[str, ...]:
        """How the latest twin was fitted, whether in this process or in the one that was interrupted."""
        report = None if self.twin is None else self.twin.report
        return self._notes_of_checkpoint if report is None else report.notes

    def fit_twin(self, history: Any) -> None:
        """Fit a twin from scratch (equation 7)."""
        self.twin = deepcopy(self._unfitted)
        assert self.twin is not None
        self.twin.fit(history)

    def _make_agent_2(self) -> OffPolicyLearner:
        self._agent_2 = self.make_learner(self._twin_envs(self.training.num_envs), "twin")
        self.log_to(self._agent_2, self.folder / "twin")
        return self._agent_2

    def _learn_in_twin(self, iteration: int, decisions: int, before: int = 0) -> OffPolicyLearner:
        """Step 3: Agent 2 learns in the latest twin.

        Args:
            iteration: of the loop; its cells are others each time.
            decisions: to take.
            before: that it took in the twins before, for TensorBoard.

        Raises:
            FloatingPointError: its weights are not finite; they are not transferred.
        """
        agent = self._make_agent_2() if self._agent_2 is None else self._agent_2
        agent.forget()  # what a twin that was worse made up
        agent.act_in(self._twin_envs(self.training.num_envs), self.seed + 1_000_003 * (1 + iteration))
        agent.learn(decisions, restart=True, log_every=max(1, decisions // _POINTS), log_from=before)
        check_finite(agent, f"Agent 2 of {self.name}", f"{before + agent.num_decisions} decisions in the twin")
        return agent

    def keep_better(self) -> tuple[float, float]:
        """Evaluate both agents on the same episodes in the twin; both go on with the preferred one's weights.

        Returns:
            What Agent 1 and Agent 2 earned in the twin.
        """
        assert self._agent_2 is not None
        utility = self.utility_in_twin(self.agent), self.utility_in_twin(self._agent_2)
        self.agent.logger.record("twin/utility_agent_1", utility[0])
        self.agent.logger.record("twin/utility_agent_2", utility[1])
        if self.prefers_agent_2(utility):
            self.agent.copy_from(self._agent_2)
        else:
            self._agent_2.copy_from(self.agent)
        return utility

    def prefers_agent_2(self, utility: tuple[float, float]) -> bool:
        """Which agent is kept by what Agent 1 and Agent 2 earned in the twin: the better one, of two alike Agent 2."""
        return utility[1] >= utility[0]

    def utility_in_twin(self, agent: Learner, first_seed: int = 0) -> float:
        """Mean U of an agent in the latest twin, over `selection_cells` cells and `selection_decisions` in each."""
        number = self.training.selection_cells
        seeds = range(first_seed, first_seed + number)
        found = evaluate_policy("", agent, self._twin_envs(number), seeds, self.training.selection_decisions)
        return float(found.utility.mean())

    def _twin_envs(self, number: int) -> AnyVectorEnv:
        """Cells in the twin, with the scenario's reward; an episode follows the last within a step."""
        return self.environments.twin(
            number,
            twin=self.twin,
            uncertainty=self.training.uncertainty,
            penalty=self.training.penalty,
            decisions=self.scenario.reward.threshold_decisions,  # the shaped reward's threshold is c_max throughout
        )

    def save(self) -> None:
        """Write a checkpoint."""
        now = time.process_time()
        self.seconds += now - self._since
        own_header, arrays = self._state()
        header: dict[str, Any] = {
            "config": comparable(self.configuration),
            "next_step": self._next_step,
            "seconds": self.seconds,
            **own_header,
        }
        header["agent_1"], own = self.agent.state()
        arrays |= with_prefix(own, "agent_1.")
        if self._agent_2 is not None:
            header["agent_2"], own = self._agent_2.state(replay=False)
            arrays |= with_prefix(own, "agent_2.")
        if self.twin is not None:
            arrays["twin"] = np.frombuffer(self.twin.to_bytes(), np.uint8)
            header["twin_notes"] = self.twin_notes
        checkpoint.write(self.folder / checkpoint.FILE, header, arrays)
        self._since = now

    def resume(self) -> None:
        """Go on from the folder's checkpoint.

        Raises:
            ValueError: the checkpoint is damaged, or of another configuration.
        """
        header, arrays = checkpoint.read(self.folder / checkpoint.FILE)
        check_same_configuration(self.folder, header["config"], self.configuration)
        self._next_step, self.seconds = header["next_step"], header["seconds"]
        self._restore(header, arrays)
        self.agent.restore(header["agent_1"], part_of(arrays, "agent_1."))
        if "twin" in arrays:
            self.twin = DigitalTwin.from_bytes(arrays["twin"].tobytes())
            self._notes_of_checkpoint = tuple(header.get("twin_notes", ()))  # its file does not hold them
            self.twin.device = "cpu" if self._unfitted is None else self._unfitted.device
        if "agent_2" in header:
            self._make_agent_2().restore(header["agent_2"], part_of(arrays, "agent_2."))
