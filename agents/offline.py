"""Learning from a fixed history alone (Algorithm 2): the loop over epochs, and what a policy is worth by a history."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.utils import configure_logger, polyak_update
from torch import Tensor

from agents.dqn import DQN
from agents.replay import ReplayBuffer
from slicing_gym import Scenario
from slicing_gym.errors import check_integer
from slicing_gym.interface import Interface


class NoEnv(gym.Env[npt.NDArray[np.float32], np.int64]):
    """Spaces of a scenario and nothing behind them: who learns offline can be given it, but cannot act in it.

    Args:
        scenario: a preset's name or a `Scenario`.
    """

    def __init__(self, scenario: str | Scenario) -> None:
        interface = Interface(scenario)
        self.observation_space = interface.observation_space
        self.action_space = interface.action_space

    def reset(self, **arguments: Any) -> NoReturn:
        """Not possible."""
        del arguments
        raise RuntimeError("env: NoEnv has no network behind it; learn with agents.offline.learn_offline")

    def step(self, action: Any) -> NoReturn:
        """Not possible."""
        self.reset(action=action)


def learn_offline(
    agent: DQN,
    observations: npt.ArrayLike,
    actions: npt.ArrayLike,
    rewards: npt.ArrayLike,
    next_observations: npt.ArrayLike,
    *,
    epochs: int = 200,
    first_epoch: int = 0,
    on_epoch: Callable[[int], object] | None = None,
) -> None:
    """Algorithm 2: minimise L(theta) + eta R(theta) (equation 13) on a fixed data set of n decisions.

    L is the agent's own loss, R that of `agents.conservative`, and eta its `conservative_weight`. An epoch takes as
    many updates as there are batches in the data; the target network is copied every `target_update_interval` updates,
    and a learning rate that falls does so over all epochs. What was in the replay buffer is dropped.

    Args:
        agent: is changed; its environment is not touched.
        observations: (n, n_slices).
        actions: (n,).
        rewards: (n,).
        next_observations: (n, n_slices).
        epochs: in all; the paper's are 200.
        first_epoch: where to go on.
        on_epoch: is called with the number of epochs behind, after each.

    Raises:
        ValueError: the data are not such, or do not fit in the agent's replay buffer, or that is Stable-Baselines3's.
    """
    check_integer("epochs", epochs, at_least=1)
    if not hasattr(agent, "_logger"):
        agent.set_logger(configure_logger(agent.verbose, agent.tensorboard_log, type(agent).__name__))
    if not isinstance(agent.replay_buffer, ReplayBuffer):
        raise ValueError(f"agent: it has a {type(agent.replay_buffer).__name__}, allowed is agents.replay.ReplayBuffer")
    check_transitions(agent, observations, actions, rewards, next_observations)
    agent.replay_buffer.reset()
    agent.replay_buffer.add_all(observations, actions, rewards, next_observations)
    updates = math.ceil(len(np.asarray(rewards)) / agent.batch_size)
    for epoch in range(first_epoch, epochs):
        for number in range(epoch * updates, (epoch + 1) * updates):
            agent._current_progress_remaining = 1.0 - number / (epochs * updates)
            agent.train(1, agent.batch_size)
            if (number + 1) % agent.target_update_interval == 0:
                polyak_update(agent.q_net.parameters(), agent.q_net_target.parameters(), agent.tau)
        if on_epoch is not None:
            on_epoch(epoch + 1)


def check_transitions(
    agent: DQN,
    observations: npt.ArrayLike,
    actions: npt.ArrayLike,
    rewards: npt.ArrayLike,
    next_observations: npt.ArrayLike,
) -> None:
    """Refuse what are not transitions of an agent's spaces.

    Raises:
        ValueError: the message names which, what it is, and what is allowed.
    """
    number, space = np.size(rewards), agent.observation_space.shape
    assert space is not None
    shapes = {"observations": (number, *space), "actions": (number,), "rewards": (number,)}
    given = {"observations": observations, "actions": actions, "rewards": rewards}
    shapes["next_observations"], given["next_observations"] = shapes["observations"], next_observations
    for name, values in given.items():
        array = np.asarray(values)
        if array.shape != shapes[name] or number == 0:
            raise ValueError(f"{name}: shape {array.shape} given, allowed is {shapes[name]}, of one decision or more")
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: some are not finite")
    chosen, allowed = np.asarray(actions), int(agent.action_space.n)  # type: ignore[attr-defined]
    if not np.issubdtype(chosen.dtype, np.integer) or chosen.min() < 0 or chosen.max() >= allowed:
        raise ValueError(
            f"actions: {chosen.dtype} from {chosen.min()} to {chosen.max()}, allowed are 0 to {allowed - 1}"
        )


class FittedQEvaluation(DQN):
    """What a given policy is worth, learned from a history made by others (Le et al. 2019, algorithm 3).

        L(theta) = mean over a batch of h(r + gamma Q(s', pi(s'); theta_target) - Q(s, a; theta))

    Arguments but for the policy to be judged: those of `DQN`.
    """

    _choices: dict[bytes, int] | None = None  # of the judged policy, by observation

    def judge(self, policy: Any, *observations: npt.ArrayLike) -> None:
        """Say whose value is to be learned; what it does in the states of the history is asked once.

        Args:
            policy: anything with Stable-Baselines3's `predict`.
            observations: of the history, before and after each decision, each (n, n_slices).
        """
        states = np.unique(np.concatenate([np.asarray(each, np.float32) for each in observations]), axis=0)
        actions, _ = policy.predict(states, deterministic=True)
        self._choices = {state.tobytes(): int(action) for state, action in zip(states, actions, strict=True)}

    def _target_q(self, next_observations: Tensor) -> Tensor:
        return self.policy.q_net_target.taken(next_observations, self._choice(next_observations))

    def _choice(self, observations: Tensor) -> Tensor:
        """What the judged policy would do (batch,)."""
        if self._choices is None:
            raise RuntimeError("judge: no policy was given to be judged")
        chosen = [self._choices[state.tobytes()] for state in observations.cpu().numpy()]
        return torch.tensor(chosen, device=self.device)

    def value(self, observations: npt.ArrayLike) -> float:
        """Mean reward a decision, weighed by gamma^t, from states of the history (n, n_slices) on.

        It is (1 - gamma) mean Q(s, pi(s)), and what `center_rewards` has subtracted.
        """
        states = torch.as_tensor(np.asarray(observations, np.float32), device=self.device)
        with torch.no_grad():
            values = self.policy.q_net.taken(states, self._choice(states))
        return float(values.mean()) * (1.0 - self.gamma) + (self.mean_reward or 0.0)
