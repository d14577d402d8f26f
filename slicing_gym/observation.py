"""What an agent sees of a cell: the observer that an environment asks, and the one it has by default."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from slicing_gym.errors import check_number, unknown_name
from slicing_gym.scenario import Scenario

Info = Mapping[str, npt.NDArray[Any]]
"""What was measured of k cells in an interval: arrays (k, ...) by name, see "Info" of `SliceRANEnv`."""


class MeasuredInfo(dict[str, npt.NDArray[Any]]):
    """The info of an interval, with an error for what was not measured that names what was."""

    def __missing__(self, key: str) -> npt.NDArray[Any]:
        raise ValueError(unknown_name("info", key, self))


class Observer(ABC):
    """Makes observations of what was measured; give your own to an environment as `observer=`.

    An observer keeps no state: the observation of a cell is a function of its last interval alone. So a batch equals
    its cells, and copies of an environment go on alike.
    """

    @abstractmethod
    def space(self, scenario: Scenario) -> gym.spaces.Box[np.float32]:
        """The space of one cell's observation, of float32."""

    @abstractmethod
    def observe(self, scenario: Scenario, info: Info) -> npt.NDArray[np.float32]:
        """Observations (k, *shape) of k cells.

        Args:
            scenario: the cells' scenario.
            info: what was measured, arrays (k, ...) by name.
        """


class ArrivalsObserver(Observer):
    """The packets admitted to each slice's queues over the scenario's nominal traffic (n_slices,).

    Args:
        highest: observations above it are clipped, and the space ends there: for libraries that scale observations by
            the bounds of their space. 10 or so clips nothing in the presets. None: nothing is clipped, and the space
            ends where a full queue joins in every slot, which may be a million times the mean.

    Raises:
        TypeError, ValueError: `highest` is no number above 0.
    """

    def __init__(self, highest: float | None = None) -> None:
        self.highest = None if highest is None else check_number("highest", highest, above=0.0, at_most=1e6)

    def space(self, scenario: Scenario) -> gym.spaces.Box[np.float32]:
        """From 0 to queues that fill in every slot, or to `highest`."""
        high = (scenario.largest_arrivals / scenario.nominal_arrivals).astype(np.float32)
        if self.highest is not None:
            high = np.minimum(high, np.float32(self.highest))
        return gym.spaces.Box(np.zeros_like(high), high, dtype=np.float32)

    def observe(self, scenario: Scenario, info: Info) -> npt.NDArray[np.float32]:
        """Divided in float64, then rounded, and clipped where that was asked for."""
        ratios = np.asarray(info["arrivals"], np.float64) / scenario.nominal_arrivals
        if self.highest is not None:
            ratios = np.minimum(ratios, self.highest)
        return ratios.astype(np.float32)
