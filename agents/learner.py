"""Any off-policy agent of Stable-Baselines3 as a `Learner`: what the loops ask of it."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any
from weakref import WeakKeyDictionary

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from agents.hooks import action_values, require_hook, td_loss
from agents.listening import Curves, Listening, as_often
from agents.packing import Arrays
from agents.protocols import AnyEnv, DecisionListener
from agents.random_streams import RandomStreams
from agents.replay import ReplayBuffer, break_off, can_recall, recall, remember
from agents.state import check_storable, learned_arrays, put_state, take_state
from agents.vec_env import GymnasiumVecEnv
from agents.weight_sync import sync
from slicing_gym.errors import check_integer, check_number
from slicing_gym.transitions import Transitions

_STREAMS: WeakKeyDictionary[OffPolicyAlgorithm, RandomStreams] = WeakKeyDictionary()
"""Of the agents that are learners: one that is wrapped again goes on with its own."""


class OffPolicyLearner:
    """Any `OffPolicyAlgorithm` of Stable-Baselines3 with discrete actions, as a `Learner`.

    It touches nothing else in the process: the agent is made, learns and is stored within random streams of its own, so
    that two agents in one process do not disturb each other and a run can be resumed bit for bit on a CPU.

    Args:
        make: makes the agent, for instance `lambda: DQN("MlpPolicy", env)`; or the agent itself.
        seed: of the random streams, before the agent is made; an agent that `make` gives no seed is seeded by it, too,
            as its own argument would: it and the first reset of its environment are the same every time. None: the
            streams begin where the global generators are.
        streams: those within which `make` was run already, so that it only hands the agent over; None: new ones.
        conservative_weight: eta of equation 13, for an agent that has no such argument of its own: `update` then takes
            its steps itself, on `td_loss` plus eta times the conservative term of `action_values`.

    Attributes:
        model: the agent.

    Raises:
        TypeError: it is not off-policy, its actions are not discrete, or it lacks a hook.
        ValueError: a seed is given for an agent that is made already.
    """

    def __init__(
        self,
        make: Callable[[], OffPolicyAlgorithm] | OffPolicyAlgorithm,
        *,
        seed: int | None = None,
        streams: RandomStreams | None = None,
        conservative_weight: float = 0.0,
        per_decision: bool = False,
    ) -> None:
        if seed is not None:
            check_integer("seed", seed, at_least=0, at_most=2**32 - 1)
            if isinstance(make, BaseAlgorithm):
                raise ValueError(f"seed: {seed} given, allowed is None for an agent that is made already")
        known = _STREAMS.get(make) if isinstance(make, OffPolicyAlgorithm) else None
        self.streams = streams or known or RandomStreams(seed)
        with self.streams:
            model = make if isinstance(make, BaseAlgorithm) else make()
        has_seed = isinstance(make, BaseAlgorithm) or getattr(model, "seed", None) is not None
        if not has_seed and seed is None:
            self.streams.leave_global()  # else the next one without a seed would be the same
        if not isinstance(model, OffPolicyAlgorithm):
            raise TypeError(f"agent: a {type(model).__name__} given, allowed are off-policy algorithms")
        if not isinstance(model.action_space, gym.spaces.Discrete):
            raise TypeError(f"agent: its actions are {model.action_space}, allowed are discrete ones")
        self.model: OffPolicyAlgorithm = model
        self.per_decision = per_decision
        _STREAMS[model] = self.streams
        model.action_space = deepcopy(model.action_space)  # environments may share theirs, and its random state
        if not has_seed and seed is not None:
            self._seed(seed)
        self.conservative_weight = check_number("conservative_weight", conservative_weight, at_least=0.0)
        if conservative_weight and hasattr(model, "conservative_weight"):  # it has a term of its own
            model.conservative_weight, self.conservative_weight = self.conservative_weight, 0.0
        if self.conservative_weight:
            for hook in (td_loss, action_values):
                require_hook("conservative_weight above 0", hook, type(model))
        if not hasattr(model, "_logger"):
            model.set_logger(Logger(None, []))  # that of `configure_logger` would leave a temporary folder

    def _seed(self, seed: int) -> None:
        """Seed what the agent would have seeded itself, had it been given a seed."""
        model = self.model
        if isinstance(model.replay_buffer, ReplayBuffer) and model.replay_buffer_kwargs.get("seed") is None:
            model.replay_buffer.generator = np.random.default_rng(seed)
        with self.streams:
            model.set_random_seed(seed)  # agents of this package let the replay buffer share their generator again

    @property
    def logger(self) -> Logger:
        """The agent's."""
        return self.model.logger

    @logger.setter
    def logger(self, logger: Logger) -> None:
        self.model.set_logger(logger)

    @property
    def num_decisions(self) -> int:
        """Decisions in all environments, since the last `restart`."""
        return self.model.num_timesteps

    @property
    def can_recall(self) -> bool:
        """Whether single decisions can be drawn from its replay buffer."""
        return can_recall(self.model.replay_buffer)

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Actions for observations, as in Stable-Baselines3."""
        with self.streams:
            return self.model.predict(observation, state, episode_start, deterministic)

    def act_in(self, env: AnyEnv, seed: int) -> None:
        """Act in another environment, or batch of as many, from now on.

        Args:
            env: of Gymnasium; it is reset before the next decision.
            seed: of its first reset.
        """
        self._break_off()
        with self.streams:
            self.model.set_env(for_sb3(env))
            assert self.model.env is not None
            self.model.env.seed(seed)

    def learn(
        self,
        decisions: int,
        listener: DecisionListener | None = None,
        *,
        restart: bool = False,
        choose: Callable[[], int] | None = None,
        log_every: int | None = None,
        log_from: int = 0,
    ) -> None:
        """Decide so often in all environments together, and learn from it as the agent's settings say.

        Stable-Baselines3 writes what it has recorded whenever four more episodes have ended; with a listener, which may
        do so, or with `log_every` it leaves that to them.

        Args:
            decisions: a batch may take a few more.
            listener: is called for each.
            restart: count from 0 again, so that schedules of epsilon and of the learning rate begin again.
            choose: gives each action in place of the agent; in a scalar environment only.
            log_every: decisions between two points that are written to the logger, at the latest at the end: what the
                agent has recorded, `rollout/reward_mean` (a decision) and `time/fps`.
            log_from: where the steps of these points begin.

        Raises:
            TypeError: the agent's class did not let `choose` choose.
        """
        if restart:
            self._break_off()
        callbacks: list[BaseCallback] = [] if listener is None else [Listening(listener)]
        if log_every is not None:
            callbacks.append(Curves(log_every, log_from))
        dumps: dict[str, Any] = {"log_interval": None} if callbacks else {}
        with self.streams, _chosen_by(self.model, choose), as_often(self.model, self.per_decision):
            self.model.learn(decisions, callbacks or None, reset_num_timesteps=restart, **dumps)

    def update(self, progress: float) -> None:
        """One gradient step on what is remembered, and what the agent does after a decision (target networks).

        Args:
            progress: share of all updates that are behind, 0 to 1; schedules follow it.
        """
        model = self.model
        with self.streams:
            model._current_progress_remaining = 1.0 - progress
            if self.conservative_weight:
                self._conservative_step()
            else:
                model.train(1, model.batch_size)
            model._on_step()

    def _conservative_step(self) -> None:
        """A step on the loss of equation 13, for agents that do not know it."""
        model: Any = self.model
        model.policy.set_training_mode(True)
        model._update_learning_rate(model.policy.optimizer)
        batch = model.replay_buffer.sample(model.batch_size, env=model._vec_normalize_env)
        values = action_values(model)(batch.observations)
        penalty = (torch.logsumexp(values, dim=1) - values.gather(1, batch.actions.long())[:, 0]).mean()
        loss = td_loss(model, batch) + self.conservative_weight * penalty
        model.policy.optimizer.zero_grad()
        loss.backward()
        largest = getattr(model, "max_grad_norm", None)
        torch.nn.utils.clip_grad_norm_(model.policy.parameters(), math.inf if largest is None else largest)
        model.policy.optimizer.step()
        model._n_updates += 1
        model.logger.record("train/loss", loss.item())

    def remember(self, transitions: Transitions) -> None:
        """Put decisions into the replay buffer of an agent in a scalar environment, as if it had taken them.

        See `agents.replay.remember`.

        Raises:
            ValueError: they do not fit in, or the buffer could not tell that they do not follow each other.
        """
        remember(self.model.replay_buffer, transitions)

    def _break_off(self) -> None:
        """What comes next in the replay buffer does not continue what is there."""
        if self.model.replay_buffer is not None:
            break_off(self.model.replay_buffer)

    def recall(self, number: int) -> Transitions:
        """A sample of single decisions out of the replay buffer, see `agents.replay.recall`.

        Raises:
            ValueError: the replay buffer is of dicts, of another kind than Stable-Baselines3's, or empty.
        """
        with self.streams:
            return recall(self.model.replay_buffer, number)

    def forget(self) -> None:
        """Empty the replay buffer."""
        assert self.model.replay_buffer is not None
        self.model.replay_buffer.reset()

    def copy_from(self, other: Any, *, optimizer: bool = True) -> None:
        """Take over what another agent of the same class has learned (equation 8), see `agents.sync`."""
        sync(other.model, self.model, optimizer=optimizer)

    def check_storable(self) -> None:
        """Refuse an agent of which `state` could not give everything.

        Raises:
            ValueError: the message names the attribute and the hook to write.
        """
        check_storable(self.model)

    def state(self, replay: bool = True) -> tuple[dict[str, Any], Arrays]:
        """Everything that learning changes, see `agents.state.take_state`."""
        return take_state(self.model, self.streams, replay)

    def restore(self, data: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to what `state` of an agent of the same configuration gave."""
        put_state(self.model, self.streams, data, arrays)

    def save(self, file: io.BufferedIOBase) -> None:
        """Write the agent's zip, as Stable-Baselines3 does."""
        self.model.save(file)

    def digest(self) -> str:
        """SHA-256 of networks, optimizers and replay buffer: two agents that have the same learned the same."""
        arrays = learned_arrays(self.model)
        whole = hashlib.sha256()
        for name in sorted(arrays):
            whole.update(name.encode() + arrays[name].tobytes())
        return whole.hexdigest()


@contextmanager
def _chosen_by(model: OffPolicyAlgorithm, choose: Callable[[], int] | None) -> Iterator[None]:
    """Let a function give the actions that an algorithm takes.

    Raises:
        TypeError: its class does not ask `_sample_action`, as Stable-Baselines3's do.
    """
    if choose is None:
        yield
        return
    asked = False

    def sample_action(*_: Any, **__: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        nonlocal asked
        asked, action = True, np.array([choose()])
        return action, action

    vars(model)["_sample_action"] = sample_action
    try:
        yield
    finally:
        vars(model).pop("_sample_action", None)
    if not asked:
        raise TypeError(f"agent: {type(model).__name__} takes actions without _sample_action; nothing else can choose")


def for_sb3(env: AnyEnv) -> Any:
    """An environment as any class of Stable-Baselines3 takes it: batches of Gymnasium are wrapped."""
    return GymnasiumVecEnv(env) if isinstance(env, gym.vector.VectorEnv) else env
