"""What an agent sees of a cell: the observer that an environment asks, and the one it has by default."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

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

    An observer keeps no state of a cell: its observation is a function of its last interval alone. So a batch equals
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
        highest: observations above it are clipped, and the space ends there. "auto": `usual_highest`, which is 10 in
            every preset and clips nothing there. None: nothing is clipped, and the space ends where a full queue joins
            in every slot, which may be a million times the mean.

    Raises:
        TypeError, ValueError: `highest` is no number above 0, nor one of the two.
    """

    def __init__(self, highest: float | Literal["auto"] | None = "auto") -> None:
        if isinstance(highest, str):
            if highest != "auto":
                raise ValueError(f"highest: {highest!r} given, allowed is a number above 0, 'auto' or None")
            self.highest: float | Literal["auto"] | None = highest
        else:
            self.highest = None if highest is None else check_number("highest", highest, above=0.0, at_most=1e6)
        self._known: tuple[Scenario, npt.NDArray[np.float32]] | None = None  # of the last scenario: steps are many

    def space(self, scenario: Scenario) -> gym.spaces.Box[np.float32]:
        """From 0 to `highest`, or to queues that fill in every slot where that is less."""
        high = self._high(scenario).copy()
        return gym.spaces.Box(np.zeros_like(high), high, dtype=np.float32)

    def observe(self, scenario: Scenario, info: Info) -> npt.NDArray[np.float32]:
        """Divided in float64, then rounded, and clipped."""
        ratios = np.asarray(info["arrivals"], np.float64) / scenario.nominal_arrivals
        return np.minimum(ratios.astype(np.float32), self._high(scenario))

    def _high(self, scenario: Scenario) -> npt.NDArray[np.float32]:
        known = self._known
        if known is None or known[0] is not scenario:
            known = self._known = (scenario, self._found_high(scenario))
        return known[1]

    def _found_high(self, scenario: Scenario) -> npt.NDArray[np.float32]:
        full = (scenario.largest_arrivals / scenario.nominal_arrivals).astype(np.float32)
        if self.highest is None:
            return full
        if self.highest == "auto":
            return np.minimum(full, usual_highest(scenario).astype(np.float32))
        return np.minimum(full, np.float32(self.highest))


def usual_highest(scenario: Scenario) -> npt.NDArray[np.float64]:
    """Observations (n_slices,) that the load hardly exceeds: 10, or more where nominal traffic is small or load varies.

    It is 10 for every slice for which that is enough, so that scenarios share their spaces, and agents go from one to
    another. Enough is the mean at the highest load, 20 times its square root (as counts vary) and 20 packets.
    """
    nominal = scenario.nominal_arrivals
    peak = np.array([part.traffic.peak_over_mean for part in scenario.slices]) * nominal
    return np.maximum(10.0, (peak + 20.0 * np.sqrt(peak) + 20.0) / nominal)
