"""What an agent sees of a slicing environment, simulated or learned: spaces, observation, info, options."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from slicing_gym.allocation import allocation_table
from slicing_gym.backend import Backend, Measured
from slicing_gym.errors import check_integer, unknown_name
from slicing_gym.presets import get_scenario
from slicing_gym.reward import reward_of
from slicing_gym.scenario import REWARD_KINDS, Reward, Scenario

RENDER_MODES = ("human", "rgb_array")


class SpaceSpec:
    """Spaces and conversions of one scenario, shared by every environment of it.

    Args:
        scenario: a preset's name or a `Scenario`.
        reward: the kind of reward, or a `Reward`, in place of the scenario's own.

    Attributes:
        scenario: the scenario, its reward replaced.
        allocations: read-only int array (num_actions, n_slices); row a is what action a gives each slice [units].
        observation_space: Box float32 (n_slices,), arrivals over nominal arrivals.
        action_space: Discrete(num_actions).
    """

    def __init__(self, scenario: str | Scenario, reward: str | Reward | None = None) -> None:
        found = get_scenario(scenario)
        if isinstance(reward, str):
            if reward not in REWARD_KINDS:
                raise ValueError(unknown_name("reward", reward, REWARD_KINDS))
            reward = replace(found.reward, kind=reward)
        elif reward is not None and not isinstance(reward, Reward):
            raise TypeError(f"reward: {reward!r} is neither a name nor a Reward")
        self.scenario = found if reward is None else replace(found, reward=reward)
        self.allocations = allocation_table(found.num_units, found.num_slices)
        self._nominal = found.nominal_arrivals
        high = (found.largest_arrivals / self._nominal).astype(np.float32)
        self.observation_space = gym.spaces.Box(np.zeros_like(high), high, dtype=np.float32)
        self.action_space = gym.spaces.Discrete(len(self.allocations))

    def observe(self, arrivals: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Observation (..., n_slices) of raw arrivals per slice."""
        return (np.asarray(arrivals) / self._nominal).astype(np.float32)

    def check_action(self, action: Any) -> int:
        """The action as an int.

        Raises:
            gymnasium.error.InvalidAction: it is not a whole number, or out of range.
        """
        if isinstance(action, np.ndarray) and action.ndim == 0:
            action = action[()]
        if isinstance(action, bool | np.bool_) or not isinstance(action, Integral):
            raise gym.error.InvalidAction(
                f"action: {action!r} is not a whole number (allowed: 0 to {self.action_space.n - 1})"
            )
        if not 0 <= int(action) < self.action_space.n:
            raise gym.error.InvalidAction(f"action: {action} given, allowed are 0 to {self.action_space.n - 1}")
        return int(action)

    def check_actions(self, actions: Any, num_envs: int) -> npt.NDArray[np.int64]:
        """The actions as an int64 array (num_envs,).

        Raises:
            gymnasium.error.InvalidAction: wrong shape, not whole numbers, or out of range.
        """
        try:
            given = np.asarray(actions)
        except ValueError as error:
            raise gym.error.InvalidAction(f"actions: {actions!r} is not an array ({error})") from None
        if given.shape != (num_envs,) or not np.issubdtype(given.dtype, np.integer):
            raise gym.error.InvalidAction(
                f"actions: {given.dtype} of shape {given.shape} given, allowed are integers of shape ({num_envs},)"
            )
        wrong = (given < 0) | (given >= self.action_space.n)
        if wrong.any():
            raise gym.error.InvalidAction(
                f"actions[{np.flatnonzero(wrong)[0]}]: {given[wrong][0]} given, "
                f"allowed are 0 to {self.action_space.n - 1}"
            )
        return given.astype(np.int64)


class EpisodeMixin:
    """The rules of a round that do not depend on how many cells play it; what a kind of network has of its own.

    Attributes:
        name: the environment's id, for messages.
    """

    name = "SliceRAN-v0"
    scenario: Scenario
    _decisions: int
    _first_decision: int

    @abstractmethod
    def _make_backend(self, seeds: Sequence[int]) -> Backend:
        """The cells of these seeds."""

    def _rewards(self, interval: Measured, thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The rewards (k,) of what k cells brought, at thresholds (k,)."""
        return reward_of(self.scenario.reward, interval.utility, thresholds)

    def _broken_off(self, interval: Measured) -> npt.NDArray[np.bool_]:
        """In which of k cells the round ends early (k,)."""
        return np.zeros(len(interval.utility), np.bool_)

    @property
    def decisions(self) -> int:
        """Decisions taken over all rounds, in a batch by all cells; the shaped reward's threshold grows with them.

        A reset that seeds (in a batch: every cell) takes the count back to what it was set to (0, if it never was).
        """
        return self._decisions

    @decisions.setter
    def decisions(self, value: int) -> None:
        self._decisions = self._first_decision = check_integer("decisions", value, at_least=0)


def refuse_unknown(unknown: dict[str, Any], environment: type) -> None:
    """Raise a TypeError for arguments that `environment` does not have, naming those it has."""
    allowed = [name for name in inspect.signature(environment).parameters if name != "unknown"]
    for name in unknown:
        raise TypeError(unknown_name(environment.__name__, name, allowed))


def check_render_mode(render_mode: str | None, allowed: tuple[str, ...] = RENDER_MODES) -> str | None:
    """The render mode, if there is such a one."""
    if render_mode is not None and render_mode not in allowed:
        raise ValueError(unknown_name("render_mode", render_mode, allowed))
    return render_mode
