"""One cell as a Gymnasium `Env`: rounds, actions, info and pictures, whatever the network behind them is."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from slicing_gym.interface import RENDER_MODES, Interface, Rules, check_render_mode
from slicing_gym.network import Measured, Network
from slicing_gym.render import RoundView
from slicing_gym.reward import threshold
from slicing_gym.scenario import Reward, Scenario

Observation = npt.NDArray[np.float32]


class SlicingEnv(Rules, gym.Env[Observation, np.int64]):
    """A round of decisions on one cell of a `Network`; subclasses say which network.

    Args:
        scenario, reward, decisions, render_mode: see `SliceRANEnv`.
    """

    metadata = {  # noqa: RUF012  # declared so by Gymnasium
        "render_modes": list(RENDER_MODES),
        "render_fps": 5,
    }

    def __init__(
        self, scenario: str | Scenario, reward: str | Reward | None, decisions: int, render_mode: str | None
    ) -> None:
        self.interface = Interface(scenario, reward)
        self.scenario = self.interface.scenario
        self.allocations = self.interface.allocations
        self.observation_space = self.interface.observation_space
        self.action_space = self.interface.action_space
        self.render_mode = check_render_mode(render_mode)
        self.decisions = decisions
        self._network: Network | None = None
        self._step_in_round: int | None = None  # None: a reset is due
        self._view: RoundView | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a round; see "Starting State". `options` is not used."""
        super().reset(seed=seed, options=options)
        if seed is not None:
            self._decisions = self._first_decision
        if seed is not None or self._network is None:
            self._network = self._make_network([int(self.np_random.integers(2**63)) if seed is None else seed])
        interval = self._network.begin_round()
        self._step_in_round = 0
        info = self._info(interval, threshold(self.scenario.reward, [self._decisions]))
        if self.render_mode is not None:
            if self._view is None:
                self._view = RoundView(self.scenario, self.render_mode, self.metadata["render_fps"])
            self._view.begin()
            if self.render_mode == "human":
                self.render()
        return self.interface.observe(interval.arrivals[0]), info

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold an allocation for one decision interval.

        Raises:
            gymnasium.error.InvalidAction: the action is not one of the allocations.
            gymnasium.error.ResetNeeded: before the first reset, or after the end of a round.
        """
        if self._network is None or self._step_in_round is None:
            raise gym.error.ResetNeeded(f"{self.name}: call reset() before step(); no round is under way")
        units = self.allocations[self.interface.check_action(action)]
        interval = self._network.advance(units)
        thresholds = threshold(self.scenario.reward, [self._decisions])
        info = self._info(interval, thresholds)
        reward = float(self._rewards(interval, thresholds)[0])
        self._decisions += 1
        self._step_in_round += 1
        truncated = self._step_in_round >= self.scenario.decisions_per_round or bool(self._broken_off(interval)[0])
        if truncated:
            self._step_in_round = None
        if self._view is not None:
            self._view.add(info)
            if self.render_mode == "human":
                self.render()
        return self.interface.observe(interval.arrivals[0]), reward, False, truncated, info

    def render(self) -> npt.NDArray[np.uint8] | None:
        """The round so far: a picture uint8 (height, width, 3), or None when it is shown in a window."""
        if self.render_mode is None:
            gym.logger.warn("render() does nothing without a render_mode; gym.make(..., render_mode='rgb_array')")
            return None
        if self._view is None:
            raise gym.error.ResetNeeded(f"{self.name}: call reset() before render()")
        return self._view.draw()

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._view is not None:
            self._view.close()
            self._view = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the window, which cannot be copied; a copy opens its own at its next reset."""
        return {**self.__dict__, "_view": None}

    def _info(self, interval: Measured, thresholds: npt.NDArray[np.float64]) -> dict[str, Any]:
        """The info of the one cell; numbers as floats."""
        arrays = {**interval.info(), "threshold": thresholds}
        return {key: array[0] if array.ndim > 1 else float(array[0]) for key, array in arrays.items()}
