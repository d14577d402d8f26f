"""What Algorithm 1 and its offline form share: Agent 2 and the twin it learns in, and checkpoints after every step."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from omegaconf import DictConfig

from agents.packing import Arrays, part_of, with_prefix
from agents.protocols import AnyEnv, Learner
from experiments.config.agents import make_learner
from experiments.environments.environments import AnyVectorEnv, Environments
from experiments.evaluate.rollout import evaluate_policy
from experiments.runs import checkpoint
from experiments.runs.compare import comparable
from slicing_gym import Scenario
from twin import DigitalTwin


class TwinAlgorithm(ABC):
    """Steps that are run one after the other, with a checkpoint after each; subclasses say which.

    Args:
        config: composed and checked.
        environments: where the agents act.
        folder: of the run.

    Attributes:
        agent: Agent 1.
        twin: the digital twin, if there is one yet.
        seconds: of processor time, over all parts of a run that was resumed.
    """

    agent: Learner

    def __init__(self, config: DictConfig, environments: Environments, folder: Path) -> None:
        self.config, self.environments, self.folder = config, environments, folder
        self.scenario: Scenario = environments.scenario
        self.has_twin = config.twin.transition is not None
        self.twin: DigitalTwin | None = None
        self.seconds = 0.0
        self._agent_2: Learner | None = None
        self._next_step = 0
        self._since = time.process_time()
        self._saved_at = time.perf_counter()

    def run(self) -> None:
        """Go on until it is finished, leaving a checkpoint after every step."""
        steps = self._steps()
        while self._next_step >= 0:
            steps[self._next_step]()
            self._save()

    @abstractmethod
    def _steps(self) -> list[Callable[[], None]]:
        """The steps; each sets `_next_step`, the last to -1."""

    @abstractmethod
    def _state(self) -> tuple[dict[str, Any], Arrays]:
        """What a checkpoint holds beside agents and twin: plain data, and arrays."""

    @abstractmethod
    def _restore(self, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to what `_state` gave."""

    def _make(self, env: AnyEnv, changes: Mapping[str, Any], log: str, conservative_weight: float = 0.0) -> Learner:
        """A learner of this run, with a folder of its own for TensorBoard."""
        folder = self.folder / "tensorboard" / log
        config = self.config
        return make_learner(
            config.agent, env, config.seed, changes, conservative_weight=conservative_weight, log=folder
        )

    def _make_agent_2(self) -> Learner:
        settings = self.config.algorithm
        self._agent_2 = self._make(self._twin_envs(settings.num_envs), dict(settings.agent_2), "twin")
        return self._agent_2

    def _learn_in_twin(self, iteration: int, decisions: int) -> Learner:
        """Step 3: Agent 2 learns in the latest twin."""
        agent = self._make_agent_2() if self._agent_2 is None else self._agent_2
        agent.forget()  # what a twin that was worse made up
        seed = self.config.seed + 1_000_003 * (1 + iteration)
        agent.act_in(self._twin_envs(self.config.algorithm.num_envs), seed)
        agent.learn(decisions, restart=True)
        return agent

    def keep_better(self) -> tuple[float, float]:
        """Let both agents live through the same rounds in the twin; both go on with the better one's weights.

        Returns:
            What Agent 1 and Agent 2 earned in the twin.
        """
        assert self._agent_2 is not None
        utility = self.utility_in_twin(self.agent), self.utility_in_twin(self._agent_2)
        self.agent.logger.record("twin/utility_agent_1", utility[0])
        self.agent.logger.record("twin/utility_agent_2", utility[1])
        if utility[1] >= utility[0]:
            self.agent.copy_from(self._agent_2)
        else:
            self._agent_2.copy_from(self.agent)
        return utility

    def utility_in_twin(self, agent: Learner, first_seed: int = 0) -> float:
        """What an agent earns in the latest twin: mean U over `selection_cells` cells, `selection_decisions` each."""
        settings = self.config.algorithm
        envs = self._twin_envs(settings.selection_cells)
        seeds = range(first_seed, first_seed + settings.selection_cells)
        return float(evaluate_policy("", agent, envs, seeds, settings.selection_decisions).utility.mean())

    def _twin_envs(self, number: int) -> AnyVectorEnv:
        """Cells in the twin, with the scenario's reward; a round follows the last within a step."""
        settings = self.config.algorithm
        return self.environments.twin(
            number,
            twin=self.twin,
            uncertainty=settings.uncertainty,
            penalty=settings.penalty,
            decisions=self.scenario.reward.threshold_decisions,  # the shaped reward's threshold is c_max throughout
        )

    def _save(self) -> None:
        """Write a checkpoint."""
        now = time.process_time()
        self.seconds += now - self._since
        own_header, arrays = self._state()
        header: dict[str, Any] = {
            "config": comparable(self.config),
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
        checkpoint.write(self.folder / checkpoint.FILE, header, arrays)
        self._since, self._saved_at = now, time.perf_counter()

    def _save_now_and_then(self) -> None:
        if time.perf_counter() - self._saved_at > self.config.checkpoint_s:
            self._save()

    def resume(self) -> None:
        """Go on from the folder's checkpoint.

        Raises:
            ValueError: the checkpoint is damaged, or of another configuration.
        """
        header, arrays = checkpoint.read(self.folder / checkpoint.FILE)
        checkpoint.check_same_config(self.folder, header["config"], comparable(self.config))
        self._next_step, self.seconds = header["next_step"], header["seconds"]
        self._restore(header, arrays)
        self.agent.restore(header["agent_1"], part_of(arrays, "agent_1."))
        if "twin" in arrays:
            self.twin = DigitalTwin.from_bytes(arrays["twin"].tobytes())
        if "agent_2" in header:
            self._make_agent_2().restore(header["agent_2"], part_of(arrays, "agent_2."))
