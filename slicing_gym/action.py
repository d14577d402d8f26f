"""What an action means: the codec that makes allocations of actions, and the one an environment has by default."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Integral
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from slicing_gym.allocation import allocation_units
from slicing_gym.scenario import Scenario
from slicing_gym.spaces import AllocationSpace


class ActionCodec(ABC):
    """Turns actions into allocations; give your own to an environment as `action_codec=`."""

    @abstractmethod
    def space(self, scenario: Scenario) -> gym.Space[Any]:
        """The space of one cell's action; its elements are arrays or numbers (Box, Discrete, MultiDiscrete, ...)."""

    @abstractmethod
    def units(self, scenario: Scenario, actions: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Allocations (k, n_slices) [units] of checked actions (k, *shape).

        Each row gives every slice at least one unit and all units away; `slicing_gym.allocation.share_out` makes such
        rows of weights.
        """

    def check_action(self, space: gym.Space[Any], action: Any) -> npt.NDArray[Any]:
        """The action of one cell as an array of the space's shape and type.

        Raises:
            gymnasium.error.InvalidAction: it is not in `space`.
        """
        row = _cast(space, action, space.shape)
        if row is None or not space.contains(row):
            raise gym.error.InvalidAction(f"action: {action!r} given, allowed is one of {space}")
        return row

    def check_actions(self, space: gym.Space[Any], actions: Any, num_envs: int) -> npt.NDArray[Any]:
        """The actions of a batch as an array (num_envs, *shape).

        Raises:
            gymnasium.error.InvalidAction: wrong shape or type, or one that is not in `space`.
        """
        assert space.shape is not None
        shape = (num_envs, *space.shape)
        rows = _cast(space, actions, shape)
        if rows is None:
            raise gym.error.InvalidAction(f"actions: {actions!r} given, allowed is an array {shape} of {space}")
        for index, row in enumerate(rows):
            if not space.contains(row):
                raise gym.error.InvalidAction(f"actions[{index}]: {row!r} given, allowed is one of {space}")
        return rows


class AllocationIndexCodec(ActionCodec):
    """The number of an allocation, see `slicing_gym.allocation_units`."""

    def space(self, scenario: Scenario) -> AllocationSpace:
        """As many actions as there are allocations."""
        return AllocationSpace(scenario.num_units, scenario.num_slices)

    def units(self, scenario: Scenario, actions: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """The allocations of these numbers."""
        return allocation_units(actions, scenario.num_units, scenario.num_slices)

    def check_action(self, space: gym.Space[Any], action: Any) -> npt.NDArray[Any]:
        """See `ActionCodec.check_action`; a float is refused even where it is a whole number."""
        assert isinstance(space, gym.spaces.Discrete)
        if isinstance(action, np.ndarray) and action.ndim == 0:
            action = action[()]
        if isinstance(action, (bool, np.bool_)) or not isinstance(action, Integral):
            raise gym.error.InvalidAction(f"action: {action!r} is not a whole number (allowed: 0 to {space.n - 1})")
        if not 0 <= int(action) < space.n:
            raise gym.error.InvalidAction(f"action: {action} given, allowed are 0 to {space.n - 1}")
        return np.array(int(action))

    def check_actions(self, space: gym.Space[Any], actions: Any, num_envs: int) -> npt.NDArray[Any]:
        """See `ActionCodec.check_actions`."""
        assert isinstance(space, gym.spaces.Discrete)
        try:
            given = np.asarray(actions)
        except ValueError as error:
            raise gym.error.InvalidAction(f"actions: {actions!r} is not an array ({error})") from None
        if given.shape != (num_envs,) or not np.issubdtype(given.dtype, np.integer):
            raise gym.error.InvalidAction(
                f"actions: {given.dtype} of shape {given.shape} given, allowed are integers of shape ({num_envs},)"
            )
        wrong = (given < 0) | (given >= space.n)
        if wrong.any():
            raise gym.error.InvalidAction(
                f"actions[{np.flatnonzero(wrong)[0]}]: {given[wrong][0]} given, allowed are 0 to {space.n - 1}"
            )
        return given.astype(np.int64)


def _cast(space: gym.Space[Any], actions: Any, shape: tuple[int, ...] | None) -> npt.NDArray[Any] | None:
    """The actions as an array of the space's type; None if they are of another shape or kind of number."""
    try:
        given = np.asarray(actions)
    except ValueError:
        return None
    if given.shape != shape or space.dtype is None or not np.can_cast(given.dtype, space.dtype, "same_kind"):
        return None
    return given.astype(space.dtype)
