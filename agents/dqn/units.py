"""What a head has to know of an action space: how many units, to how many slices, and how their shares are shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
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


def scaled_shares(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Shares of the units (n, k), their square roots and their logarithms (n, 3 k), each column of about unit variance.

    Where a slice has few units one more changes much, and the last two show it.
    """
    columns = np.concatenate([shares, np.sqrt(shares), np.log(shares)], axis=1)
    deviation = columns.std(axis=0)
    scaled: npt.NDArray[np.float64] = (columns - columns.mean(axis=0)) / np.where(deviation > 0.0, deviation, 1.0)
    return scaled
