"""What a head has to know of an action space: how many units, to how many slices."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces

from slicing_gym.allocation import units_of_table
from slicing_gym.spaces import AllocationSpace


def slices_and_units(head: str, observation_space: spaces.Space[Any], action_space: spaces.Discrete) -> tuple[int, int]:
    """How many slices and units an action space is of.

    A plain `Discrete` (as of files of earlier versions) does not say it: then observations (n_slices,) tell the slices.

    Args:
        head: that asks, for the message.
        observation_space: of the agent.
        action_space: of the agent.

    Raises:
        ValueError: the actions are not as many as there are allocations of some number of units.
    """
    if isinstance(action_space, AllocationSpace):
        return action_space.num_slices, action_space.num_units
    if not isinstance(observation_space, spaces.Box) or len(observation_space.shape) != 1:
        raise ValueError(f"head: {head!r} wants observations (n_slices,), the space is {observation_space}")
    slices, actions = observation_space.shape[0], int(action_space.n)
    units = units_of_table(actions, slices)
    if units is None:
        raise ValueError(
            f"head: {head!r} wants one action an allocation; {actions} actions are not the ways to give "
            f"{slices} slices at least a unit each"
        )
    return slices, units
