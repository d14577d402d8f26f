"""What Algorithm 1 and its offline form share: Agent 2 and the twin it learns in, and checkpoints after every step."""

from __future__ import annotations

import os
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from omegaconf import DictConfig
from stable_baselines3.common.logger import configure

from agents import DQN, GymnasiumVecEnv, sync
from experiments import checkpoint
from experiments.config import plain_of, twin_of
from experiments.evaluation import evaluate_policy
from experiments.learners import NOT_ARGUMENTS, check_agent, make_agent
from slicing_gym import Scenario
from slicing_gym.errors import check_integer, check_number, unknown_name
from slicing_gym.round_vector_env import SlicingVectorEnv
from twin import DigitalTwin
from twin.env import UNCERTAINTIES


class TwinAlgorithm(ABC):
    """Steps that are run one after the other, with a checkpoint after each; subclasses say which.

    Args:
        config: composed and checked.
        scenario: its scenario.
        folder: of the run.

    Attributes:
        agent: Agent 1.
        twin: the digital twin, if there is one yet.
        seconds: of processor time, over all parts of a run that was resumed.
    """

    agent: DQN

    def __init__(self, config: DictConfig, scenario: Scenario, folder: Path) -> None:
        self.config, self.scenario, self.folder = config, scenario, folder
        self.has_twin = config.twin.transition is not None
        self.twin: DigitalTwin | None = None
        self.seconds = 0.0
        self._agent_2: DQN | None = None
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
    def _state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """What a checkpoint holds beside agents and twin: plain data, and arrays."""

    @abstractmethod
    def _restore(self, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to what `_state` gave."""

    def _make_agent_1(self, env: gym.Env[Any, Any], changes: Mapping[str, Any], log: str) -> None:
        self.agent = make_agent(self.config, env, changes)
        self.agent.set_logger(configure(str(self.folder / "tensorboard" / log), ["tensorboard"]))

    def _make_agent_2(self) -> DQN:
        settings = self.config.algorithm
        agent = make_agent(self.config, self._twin_envs(settings.num_envs), dict(settings.agent_2))
        agent.set_logger(configure(str(self.folder / "tensorboard" / "twin"), ["tensorboard"]))
        self._agent_2 = agent
        return agent

    def _learn_in_twin(self, iteration: int, decisions: int) -> DQN:
        """Step 3: Agent 2 learns in the latest twin."""
        agent = self._agent_2
        if agent is None:
            agent = self._make_agent_2()
        else:
            agent.set_env(GymnasiumVecEnv(self._twin_envs(self.config.algorithm.num_envs)))
            assert agent.replay_buffer is not None
            agent.replay_buffer.reset()  # made up by a twin that was worse
        assert agent.env is not None
        agent.env.seed(self.config.seed + 1_000_003 * (1 + iteration))
        return agent.learn(decisions)

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
            sync(self._agent_2, self.agent, optimizer=True)
        else:
            sync(self.agent, self._agent_2, optimizer=True)
        return utility

    def utility_in_twin(self, agent: DQN, first_seed: int = 0) -> float:
        """What an agent earns in the latest twin: mean U over `judged_cells` cells and `judged_decisions` of each."""
        settings = self.config.algorithm
        envs = self._twin_envs(settings.judged_cells)
        seeds = range(first_seed, first_seed + settings.judged_cells)
        return float(evaluate_policy("", agent, envs, seeds, settings.judged_decisions).utility.mean())

    def _twin_envs(self, number: int) -> SlicingVectorEnv:
        """Cells in the twin, with the scenario's reward; a round follows the last within a step."""
        settings = self.config.algorithm
        envs = gym.make_vec(
            "SliceTwin-v0",
            number,
            twin=self.twin,
            scenario=self.scenario,
            uncertainty=settings.uncertainty,
            penalty=settings.penalty,
            decisions=self.scenario.reward.threshold_decisions,  # the shaped reward's threshold is c_max throughout
            autoreset_mode="SameStep",
        )
        assert isinstance(envs, SlicingVectorEnv)
        return envs

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
        header["agent_1"], own = checkpoint.agent_state(self.agent)
        arrays |= checkpoint.with_prefix(own, "agent_1.")
        if self._agent_2 is not None:
            header["agent_2"], own = checkpoint.agent_state(self._agent_2, replay=False)
            arrays |= checkpoint.with_prefix(own, "agent_2.")
        if self.twin is not None:
            arrays["twin"] = _twin_bytes(self.twin)
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
        checkpoint.restore_agent(self.agent, header["agent_1"], checkpoint.part_of(arrays, "agent_1."))
        if "twin" in arrays:
            self.twin = _twin_from(arrays["twin"].tobytes())
        if "agent_2" in header:
            agent = self._make_agent_2()
            checkpoint.restore_agent(agent, header["agent_2"], checkpoint.part_of(arrays, "agent_2."))


def check_twin_training(config: DictConfig, fixed: Mapping[str, tuple[str, ...]]) -> dict[str, DictConfig]:
    """Refuse a twin, or a training in it, that makes no sense.

    Args:
        config: composed.
        fixed: by role, the arguments of an agent that the algorithm itself sets.

    Returns:
        By role (agent_1, agent_2), the agent with its changes.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    twin_of(config.twin)
    settings = config.algorithm
    for key in ("twin_decisions", "num_envs", "judged_cells", "judged_decisions"):
        check_integer(f"algorithm.{key}", settings[key], at_least=1)
    if settings.uncertainty not in UNCERTAINTIES:
        raise ValueError(unknown_name("algorithm.uncertainty", settings.uncertainty, UNCERTAINTIES))
    check_number("algorithm.penalty", settings.penalty, at_least=0.0)
    roles = {}
    for role, own in fixed.items():
        roles[role] = config.agent.copy()
        for key, value in settings[role].items():
            allowed = [str(name) for name in config.agent if name not in (*NOT_ARGUMENTS, "center_rewards", *own)]
            if key not in allowed:
                raise ValueError(unknown_name(f"algorithm.{role}", key, allowed))
            roles[role][key] = value
        check_agent(roles[role])
    at_least = roles["agent_2"].learning_starts + settings.num_envs
    check_integer("algorithm.twin_decisions", settings.twin_decisions, at_least=at_least)
    return roles


def comparable(config: DictConfig) -> dict[str, Any]:
    """What has to be the same for a run to be resumed."""
    plain = plain_of(config)
    return {key: value for key, value in plain.items() if key not in ("progress", "resume", "checkpoint_s")}


def _twin_bytes(twin: DigitalTwin) -> Any:
    """A twin's file as bytes (n,)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "twin.safetensors"
        twin.save(path)
        return np.frombuffer(path.read_bytes(), np.uint8)


def _twin_from(content: bytes) -> DigitalTwin:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "twin.safetensors")
        Path(path).write_bytes(content)
        return DigitalTwin.load(path)
