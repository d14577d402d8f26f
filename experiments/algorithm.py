"""The paper's Algorithm 1: a twin, Agent 2 learning in it, its weights handed to Agent 1, fine-tuning; or no twin."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from omegaconf import DictConfig
from stable_baselines3.common.logger import configure
from tqdm.auto import tqdm

from agents import DQN, GymnasiumVecEnv, sync
from agents.replay import ReplayBuffer
from experiments import checkpoint
from experiments.config import plain_of, twin_of
from experiments.evaluation import evaluate_policy
from experiments.learners import make_agent
from experiments.monitor import RoundMonitor
from experiments.transitions import transitions_of
from slicing_gym import Scenario
from slicing_gym.round_vector_env import SlicingVectorEnv
from twin import DigitalTwin, Recorder


class Algorithm:
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
        scenario: its scenario.
        folder: of the run.

    Attributes:
        agent: Agent 1.
        twin: the digital twin, if there is one yet.
        monitor: counts real decisions, wherever they are spent.
        seconds: of processor time, over all parts of a run that was resumed.
    """

    def __init__(self, config: DictConfig, scenario: Scenario, folder: Path) -> None:
        self.config, self.scenario, self.folder = config, scenario, folder
        self.has_twin = config.twin.transition is not None
        self.twin: DigitalTwin | None = None
        self.recorder = Recorder(scenario) if self.has_twin else None
        self._fitted_to = 0  # decisions that the twin knows
        self._next_step = 0
        self.iterations = 0
        self.seconds = 0.0
        self._since = time.process_time()
        self._saved_at = time.perf_counter()
        self._bar = tqdm(total=config.decisions, unit="decision", disable=not config.progress)
        self.monitor = RoundMonitor(
            scenario, folder / "rounds.csv", self.recorder, self._bar.update, self._checkpoint_now_and_then
        )
        env = gym.make("SliceRAN-v0", scenario=scenario)
        changes = {}
        if self.has_twin:  # until there is a twin, decisions are random
            changes = {**config.algorithm.agent_1, "learning_starts": config.algorithm.collect}
        self.agent = make_agent(config, env, changes)
        self.agent.set_logger(configure(str(folder / "tensorboard" / "real"), ["tensorboard"]))
        self.monitor.init_callback(self.agent)  # it may have a round to end before the agent learns again
        self._agent_2: DQN | None = None

    def run(self) -> None:
        """Go on until it is finished, leaving a checkpoint after every step."""
        steps = self._steps()
        while self._next_step >= 0:
            steps[self._next_step]()
            self._save()
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
        assert self.recorder is not None
        self._say("learning the twin")
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
        self._say("training in the twin")
        settings = self.config.algorithm
        first = self._agent_2 is None
        agent = self._make_agent_2() if self._agent_2 is None else self._agent_2
        if not first:
            agent.set_env(GymnasiumVecEnv(self._twin_envs(settings.num_envs)))
            assert agent.replay_buffer is not None
            agent.replay_buffer.reset()  # made up by a twin that was worse
        assert agent.env is not None
        agent.env.seed(self.config.seed + 1_000_003 * (1 + self.iterations))
        agent.learn(settings.twin_decisions if first else settings.later_twin_decisions)
        if first:
            sync(agent, self.agent, optimizer=True)
        else:
            self.keep_better()
        self._warm_replay(agent)
        self._next_step = 3

    def _warm_replay(self, agent_2: DQN) -> None:
        """Let Agent 1 remember what Agent 2 saw beside all that it saw itself, so that fine-tuning forgets nothing."""
        own, dreams = self.agent.replay_buffer, agent_2.replay_buffer
        assert isinstance(own, ReplayBuffer)
        assert isinstance(dreams, ReplayBuffer)
        assert self.recorder is not None
        own.reset()
        number = self.config.algorithm.warm_replay
        if number:
            batch = dreams.sample(number)
            own.add_all(
                batch.observations.cpu(),
                batch.actions[:, 0].cpu(),
                batch.rewards[:, 0].cpu(),
                batch.next_observations.cpu(),
            )
        own.add_all(*transitions_of(self.recorder.history()))

    def fine_tune(self) -> None:
        """Step 5: Agent 1 acts in the real environment and learns there."""
        left = self.config.decisions - self.monitor.decisions
        self._act(min(self.config.algorithm.fine_tune, left))
        self.iterations += 1
        self._next_step = 1

    def keep_better(self) -> None:
        """Let both agents live through the same rounds in the twin; both go on with the better one's weights."""
        assert self._agent_2 is not None
        settings = self.config.algorithm
        envs = self._twin_envs(settings.judged_cells)
        seeds = range(settings.judged_cells)
        utility = [
            evaluate_policy("", agent, envs, seeds, settings.judged_decisions).utility.mean()
            for agent in (self.agent, self._agent_2)
        ]
        self.agent.logger.record("twin/utility_agent_1", utility[0])
        self.agent.logger.record("twin/utility_agent_2", utility[1])
        if utility[1] >= utility[0]:
            sync(self._agent_2, self.agent, optimizer=True)
        else:
            sync(self.agent, self._agent_2, optimizer=True)

    def _act(self, decisions: int) -> None:
        """Let Agent 1 act in the real environment, and learn as its settings say."""
        if decisions > 0:
            self.agent.learn(decisions, self.monitor, reset_num_timesteps=False)

    def _finished(self) -> bool:
        """Whether the budget is spent or Agent 1 has converged, Agent 2 having been in the twin at least once."""
        if self._agent_2 is None:
            return False
        if self.monitor.decisions >= self.config.decisions:
            return True
        patience = self.config.algorithm.patience
        utility = self.monitor.round_utility
        if patience is None or len(utility) <= patience:
            return False
        return bool(utility[-patience:].max() < utility[:-patience].max() + self.config.algorithm.tolerance)

    def _make_agent_2(self) -> DQN:
        settings = self.config.algorithm
        agent = make_agent(self.config, self._twin_envs(settings.num_envs), dict(settings.agent_2))
        agent.set_logger(configure(str(self.folder / "tensorboard" / "twin"), ["tensorboard"]))
        self._agent_2 = agent
        return agent

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

    def _say(self, what: str) -> None:
        self._bar.set_postfix_str(what)

    def _checkpoint_now_and_then(self) -> None:
        if not self.has_twin and time.perf_counter() - self._saved_at > self.config.checkpoint_s:
            self._save()

    def _save(self) -> None:
        """Write a checkpoint."""
        now = time.process_time()
        self.seconds += now - self._since
        header: dict[str, Any] = {
            "config": comparable(self.config),
            "next_step": self._next_step,
            "iterations": self.iterations,
            "fitted_to": self._fitted_to,
            "seconds": self.seconds,
            "monitor": self.monitor.state(),
        }
        header["agent_1"], own = checkpoint.agent_state(self.agent)
        arrays = checkpoint.with_prefix(own, "agent_1.")
        if self._agent_2 is not None:
            header["agent_2"], own = checkpoint.agent_state(self._agent_2, replay=False)
            arrays |= checkpoint.with_prefix(own, "agent_2.")
        if self.recorder is not None:
            arrays |= checkpoint.with_prefix(self.recorder.state(), "recorder.")
        if self.twin is not None:
            arrays["twin"] = _twin_bytes(self.twin)
        checkpoint.write(self.folder / checkpoint.FILE, header, arrays)
        self._since, self._saved_at = now, time.perf_counter()

    def resume(self) -> None:
        """Go on from the folder's checkpoint.

        Raises:
            ValueError: the checkpoint is damaged, or of another configuration.
        """
        header, arrays = checkpoint.read(self.folder / checkpoint.FILE)
        checkpoint.check_same_config(self.folder, header["config"], comparable(self.config))
        self._next_step, self.iterations = header["next_step"], header["iterations"]
        self._fitted_to, self.seconds = header["fitted_to"], header["seconds"]
        self.monitor.restore(header["monitor"])
        checkpoint.restore_agent(self.agent, header["agent_1"], checkpoint.part_of(arrays, "agent_1."))
        if self.recorder is not None:
            self.recorder.restore(checkpoint.part_of(arrays, "recorder."))
        if "twin" in arrays:
            self.twin = _twin_from(arrays["twin"].tobytes())
        if "agent_2" in header:
            agent = self._make_agent_2()
            checkpoint.restore_agent(agent, header["agent_2"], checkpoint.part_of(arrays, "agent_2."))
        self._bar.update(self.monitor.decisions)


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
