"""Learning from a fixed history alone (Algorithm 2): the loop over epochs, and what a policy is worth by a history."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from torch import Tensor

from agents.dqn import DQN
from agents.learner import OffPolicyLearner
from slicing_gym import Scenario
from slicing_gym.action import ActionCodec
from slicing_gym.errors import check_integer
from slicing_gym.space_spec import SpaceSpec
from slicing_gym.transitions import Transitions


class NoEnv(gym.Env[npt.NDArray[np.float32], np.int64]):
    """The spaces of a scenario without a cell: an agent that learns offline can be given it, but cannot act in it.

    Args:
        scenario: a preset's name or a `Scenario`.
        codec: makes allocations of actions, as a history's layout has it; None: one action an allocation.
    """

    def __init__(self, scenario: str | Scenario, codec: ActionCodec | None = None) -> None:
        spec = SpaceSpec(scenario, action_codec=codec)
        self.observation_space = spec.observation_space
        self.action_space = spec.action_space

    def reset(self, **arguments: Any) -> NoReturn:
        """Not possible."""
        del arguments
        raise RuntimeError("env: NoEnv has no cell behind it; learn with agents.offline.learn_offline")

    def step(self, action: Any) -> NoReturn:
        """Not possible."""
        self.reset(action=action)


def learn_offline(
    agent: OffPolicyAlgorithm | OffPolicyLearner,
    observations: npt.ArrayLike,
    actions: npt.ArrayLike,
    rewards: npt.ArrayLike,
    next_observations: npt.ArrayLike,
    last: npt.NDArray[np.bool_] | None = None,
    terminal: npt.NDArray[np.bool_] | None = None,
    *,
    epochs: int = 200,
    first_epoch: int = 0,
    on_epoch: Callable[[int], object] | None = None,
) -> None:
    """Algorithm 2: minimise L(theta) + eta R(theta) (equation 13) on a fixed data set of n decisions.

    L is the agent's own loss, R that of `agents.conservative`, and eta its `conservative_weight` (that of
    `OffPolicyLearner` for agents of other packages). An epoch takes as many updates as there are batches in the data;
    after each the agent does what it does after a decision, so that the target network is copied every
    `target_update_interval` updates, and a learning rate that falls does so over all epochs. What was in the replay
    buffer is dropped.

    Args:
        agent: any off-policy agent of Stable-Baselines3; is changed; its environment is not touched.
        observations: (n, n_slices).
        actions: (n,).
        rewards: (n,).
        next_observations: (n, n_slices).
        last: (n,), whether the next row does not continue this one; None: no row continues another.
        terminal: (n,), whether nothing comes after this decision; None: something always does.
        epochs: in all; the paper's are 200.
        first_epoch: where to go on.
        on_epoch: is called with the number of epochs behind, after each.

    Raises:
        ValueError: the data are not such, or do not fit in the agent's replay buffer.
    """
    check_integer("epochs", epochs, at_least=1)
    learner = agent if isinstance(agent, OffPolicyLearner) else OffPolicyLearner(agent)
    check_transitions(learner.model, observations, actions, rewards, next_observations)
    learner.forget()
    arrays = [np.asarray(part) for part in (observations, actions, rewards, next_observations)]
    learner.remember(Transitions(arrays[0], arrays[1], arrays[2], arrays[3], last, terminal))
    updates = math.ceil(len(arrays[2]) / learner.model.batch_size)
    for epoch in range(first_epoch, epochs):
        for number in range(epoch * updates, (epoch + 1) * updates):
            learner.update(number / (epochs * updates))
        if on_epoch is not None:
            on_epoch(epoch + 1)


def check_transitions(
    agent: OffPolicyAlgorithm,
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

    Arguments: those of `DQN`; `set_policy` says which policy is evaluated.
    """

    _choices: dict[bytes, int] | None = None  # of the evaluated policy, by observation

    def set_policy(self, policy: Any, *observations: npt.ArrayLike) -> None:
        """Set the policy whose value is learned; its actions in the states of the history are computed once.

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
        """What the evaluated policy would do (batch,)."""
        if self._choices is None:
            raise RuntimeError("set_policy: no policy was given to evaluate")
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
