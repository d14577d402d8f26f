"""What an action means: the codec that makes allocations of actions, and the one an environment has by default."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from slicing_gym.allocation import allocation_index, allocation_table, allocation_units
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


class DiscreteCodec(ActionCodec):
    """The number of an allocation, among those that there are."""

    @abstractmethod
    def allocations(self, scenario: Scenario) -> npt.NDArray[np.int64]:
        """All of them, in the order of their numbers (n, n_slices) [units]; read-only.

        Raises:
            ValueError: there are more than 2 million.
        """

    @abstractmethod
    def index(self, scenario: Scenario, units: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The numbers of allocations (..., n_slices); inverts `units`.

        Raises:
            ValueError: some are not among them.
        """

    def check_action(self, space: gym.Space[Any], action: Any) -> npt.NDArray[Any]:
        """See `ActionCodec.check_action`; a float is refused even where it is a whole number."""
        assert isinstance(space, gym.spaces.Discrete)
        if isinstance(action, np.ndarray) and action.ndim == 0:
            action = action[()]
        if isinstance(action, (bool, np.bool_)) or not isinstance(action, Integral):
            raise gym.error.InvalidAction(
                f"action: {action!r} is not a whole number (allowed: 0 to {space.n - 1})"
                f"{self._hint_of_units() if _are_units(action) else _as_integer(space, action)}"
            )
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
                f"{_as_integers(given, num_envs)}"
            )
        wrong = (given < 0) | (given >= space.n)
        if wrong.any():
            raise gym.error.InvalidAction(
                f"actions[{np.flatnonzero(wrong)[0]}]: {given[wrong][0]} given, allowed are 0 to {space.n - 1}"
            )
        return given.astype(np.int64)

    def _hint_of_units(self) -> str:
        """What a refused action that is units is told of numbers."""
        return ""


class AllocationIndexCodec(DiscreteCodec):
    """The number of an allocation, see `slicing_gym.allocation_units`.

    Args:
        smallest: units that each slice has at least (n_slices,), 0 or 1; empty: 1 each. Where it is 0 the numbers are
            those of allocations that give these slices one unit more.
    """

    def __init__(self, smallest: Sequence[int] = ()) -> None:
        self.smallest = tuple(smallest)
        self._spare = 1 - np.array(self.smallest or 1, np.int64)  # units more of each slice, by which numbers count

    def _shared(self, scenario: Scenario) -> int:
        return scenario.num_units + self.smallest.count(0)

    def space(self, scenario: Scenario) -> AllocationSpace:
        """As many actions as there are allocations."""
        return AllocationSpace(self._shared(scenario), scenario.num_slices)

    def units(self, scenario: Scenario, actions: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """The allocations of these numbers."""
        units = allocation_units(actions, self._shared(scenario), scenario.num_slices)
        return units - self._spare if self.smallest else units

    def allocations(self, scenario: Scenario) -> npt.NDArray[np.int64]:
        """See `DiscreteCodec.allocations`."""
        table = allocation_table(self._shared(scenario), scenario.num_slices)
        if not self.smallest:
            return table
        lowered = table - self._spare
        lowered.flags.writeable = False
        return lowered

    def index(self, scenario: Scenario, units: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """See `DiscreteCodec.index`."""
        return allocation_index(units + self._spare, self._shared(scenario))

    def _hint_of_units(self) -> str:
        """That a function numbers them, where it counts as this codec does."""
        hint = "; slicing_gym.allocation_index(units, num_units=...) is the number of an allocation"
        return "" if self.smallest else hint


class AllocationListCodec(DiscreteCodec):
    """The number of an allocation among a few.

    Args:
        rows: the allocations (n, n_slices) [units], all different, in lexicographic order.
    """

    def __init__(self, rows: npt.ArrayLike) -> None:
        self._rows = np.array(rows, np.int64)
        if self._rows.ndim != 2 or not np.array_equal(np.unique(self._rows, axis=0), self._rows):
            raise ValueError("rows: allowed are different allocations (n, n_slices) in lexicographic order")
        self._rows.flags.writeable = False

    def space(self, scenario: Scenario) -> gym.spaces.Discrete[np.int64]:  # noqa: ARG002
        """As many actions as there are rows."""
        return gym.spaces.Discrete(len(self._rows))

    def units(self, scenario: Scenario, actions: npt.NDArray[Any]) -> npt.NDArray[np.int64]:  # noqa: ARG002
        """The allocations of these numbers."""
        found: npt.NDArray[np.int64] = self._rows[actions]
        return found

    def allocations(self, scenario: Scenario) -> npt.NDArray[np.int64]:  # noqa: ARG002
        """See `DiscreteCodec.allocations`."""
        return self._rows

    def index(self, scenario: Scenario, units: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:  # noqa: ARG002
        """See `DiscreteCodec.index`."""
        given = np.asarray(units, np.int64).reshape(-1, self._rows.shape[1])
        both, numbers = np.unique(np.concatenate([self._rows, given]), axis=0, return_inverse=True)
        if len(both) > len(self._rows):
            known = (given[:, None] == self._rows[None]).all(axis=2).any(axis=1)
            raise ValueError(
                f"units: {given[known.argmin()].tolist()} given, allowed are {len(self._rows)} allocations"
            )
        found: npt.NDArray[np.int64] = numbers.reshape(-1)[len(self._rows) :].reshape(np.shape(units)[:-1])
        return found


def _are_units(action: object) -> bool:
    """Whether a refused action is several whole numbers in a row."""
    listed = action.tolist() if isinstance(action, np.ndarray) else action
    return (
        isinstance(listed, (list, tuple))
        and len(listed) > 1
        and all(isinstance(each, Integral) and not isinstance(each, bool) for each in listed)
    )


def _as_integer(space: gym.spaces.Discrete, action: object) -> str:
    """How a refused action is made an integer, if it is but one number that is whole and allowed."""
    held = action.item() if isinstance(action, np.ndarray) and action.size == 1 else action
    if not isinstance(held, Real):
        return ""
    value = int(held) if isinstance(held, Integral) else float(held)
    if not 0 <= value < space.n or value != int(value):
        return ""
    return "; int(action.item()) is one" if isinstance(action, np.ndarray) else "; int(action) is one"


def _cast(space: gym.Space[Any], actions: Any, shape: tuple[int, ...] | None) -> npt.NDArray[Any] | None:
    """The actions as an array of the space's type; None if they are of another shape or kind of number."""
    try:
        given = np.asarray(actions)
    except ValueError:
        return None
    if given.shape != shape or space.dtype is None or not np.can_cast(given.dtype, space.dtype, "same_kind"):
        return None
    return given.astype(space.dtype)


def _as_integers(actions: npt.NDArray[Any], num_envs: int) -> str:
    """How refused actions are made integers, one per cell, if they are whole numbers."""
    if actions.size != num_envs or actions.dtype.kind not in "iuf" or not (actions == np.rint(actions)).all():
        return ""
    flat = "" if actions.shape == (num_envs,) else ".reshape(-1)"
    return f"; actions{flat}{'' if actions.dtype.kind in 'iu' else '.astype(int)'} are such"
