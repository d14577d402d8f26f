"""A history as transitions that an agent learns from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from slicing_gym.reward import reward_of, threshold, utility
from slicing_gym.space_spec import SpaceSpec
from slicing_gym.transitions import Transitions
from twin.data.history import History


def transitions_of(history: History) -> Transitions:
    """The n decisions of a history, as the environment gave them.

    Args:
        history: one cell's, from its first decision on: the shaped reward's threshold counts them.

    Returns:
        Observations, actions, rewards, next observations, and where a run or a gapless part of one ends.

    Raises:
        ValueError: SSR or SE was not measured.
    """
    scenario = history.scenario
    spaces = SpaceSpec(scenario)
    counted = threshold(scenario.reward, np.arange(len(history)))
    rewards = reward_of(scenario.reward, utilities_of(history), counted)
    actions = history.layout.codec.index(scenario, history.allocation)
    last = np.ones(len(history), np.bool_)
    last[:-1] = (np.diff(history.run) != 0) | (np.diff(history.interval) != 1)
    seen, following = spaces.observe(history.arrivals), spaces.observe(history.next_arrivals)
    return Transitions(seen, actions, rewards, following, last)


def utilities_of(history: History) -> npt.NDArray[np.float64]:
    """The utility of each decision (n,).

    Raises:
        ValueError: SSR or SE was not measured.
    """
    return utility(history.scenario, history.spectral_efficiency, history.ssr)
