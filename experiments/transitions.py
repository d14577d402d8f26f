"""A history as transitions that an agent learns from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from slicing_gym import allocation_index
from slicing_gym.interface import Interface
from slicing_gym.reward import reward_of, threshold, utility
from twin import History


def transitions_of(
    history: History,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """Observations, actions, rewards and next observations of n decisions, as the environment gave them.

    Args:
        history: one cell's, from its first decision on: the shaped reward's threshold counts them.

    Returns:
        Arrays (n, n_slices), (n,), (n,), (n, n_slices).

    Raises:
        ValueError: SSR or SE was not measured.
    """
    scenario = history.scenario
    interface = Interface(scenario)
    counted = threshold(scenario.reward, np.arange(len(history)))
    rewards = reward_of(scenario.reward, utilities_of(history), counted)
    actions = allocation_index(history.allocation, scenario.num_units)
    return interface.observe(history.arrivals), actions, rewards, interface.observe(history.next_arrivals)


def utilities_of(history: History) -> npt.NDArray[np.float64]:
    """What each decision earned (n,) [U].

    Raises:
        ValueError: SSR or SE was not measured.
    """
    return utility(history.scenario, history.spectral_efficiency, history.ssr)
