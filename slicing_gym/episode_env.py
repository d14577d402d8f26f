"""One cell as a Gymnasium `Env`: episodes, actions, info and pictures, whatever the backend is."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from slicing_gym.backend import Backend
from slicing_gym.exclusive import Exclusive
from slicing_gym.observation import MeasuredInfo
from slicing_gym.references import reference_runs
from slicing_gym.render import FRAMES_PER_S, EpisodeView
from slicing_gym.reward import threshold
from slicing_gym.space_spec import RENDER_MODES, EpisodeMixin, SpaceSpec, check_options, check_render_mode

Observation = npt.NDArray[np.float32]


class SlicingEnv(EpisodeMixin, gym.Env[Observation, Any]):
    """An episode of decisions on one cell of a `Backend`; subclasses say which backend.

    Args:
        space_spec: scenario, observer, reward and action codec.
        decisions, render_mode: see `SliceRANEnv`.
    """

    metadata = {  # noqa: RUF012  # declared so by Gymnasium
        "render_modes": list(RENDER_MODES),
        "render_fps": FRAMES_PER_S,
    }

    def __init__(self, space_spec: SpaceSpec, decisions: int, render_mode: str | None) -> None:
        self.space_spec = space_spec
        self.scenario = self.space_spec.scenario
        self._episode_steps = self.scenario.decisions_per_episode
        self.observation_space = self.space_spec.observation_space
        self.action_space = self.space_spec.action_space
        self.render_mode = check_render_mode(render_mode)
        self.decisions = decisions
        self._backend: Backend | None = None
        self._step_in_episode: int | None = None  # None: a reset is due
        self._view: EpisodeView | None = None
        self._exclusive = Exclusive(self.name)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; see "Starting State". There are no `options`.

        Raises:
            ValueError: options are given.
            RuntimeError: another thread is using the environment.
        """
        check_options(options, ())
        with self._exclusive:
            super().reset(seed=seed, options=options)
            observation, info = self._reset(seed)
        if self.render_mode == "human":
            self.render()
        return observation, info

    def _reset(self, seed: int | None) -> tuple[Observation, dict[str, Any]]:
        if seed is not None:
            self._decisions = self._first_decision
        if seed is not None or self._backend is None:
            self._backend = self._make_backend([int(self.np_random.integers(2**63)) if seed is None else seed])
        measured = MeasuredInfo(self._backend.begin_episode().info())
        observation = self.space_spec.observations(measured)[0].copy()
        self._step_in_episode = 0
        info = _info_of_one({**measured, "threshold": threshold(self.scenario.reward, [self._decisions])})
        if self.render_mode is not None:
            if self._view is None:
                self._view = EpisodeView(self.space_spec, self.render_mode, self.metadata["render_fps"])
            (compared,) = reference_runs(self._backend, np.zeros(1, np.int64), self.reference_allocations)
            self._view.begin(info, compared, self.policy_name)
        return observation, info

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Hold an allocation for one decision interval.

        Raises:
            gymnasium.error.InvalidAction: the action is not in the action space.
            gymnasium.error.ResetNeeded: before the first reset, or after the end of an episode.
            RuntimeError: another thread is using the environment.
        """
        with self._exclusive:
            result = self._step(action)
        if self.render_mode == "human":
            self.render()
        return result

    def _step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        if self._backend is None or self._step_in_episode is None:
            raise gym.error.ResetNeeded(f"{self.name}: call reset() before step(); no episode is under way")
        units = self.space_spec.units(self.space_spec.check_action(action)[None])
        measured = MeasuredInfo(self._backend.advance(units).info())
        observation = self.space_spec.observations(measured)[0].copy()
        thresholds = threshold(self.scenario.reward, [self._decisions])
        info = _info_of_one({**measured, "threshold": thresholds})
        reward = float(self._rewards(measured, thresholds)[0])
        self._decisions += 1
        self._step_in_episode += 1
        truncated = self._step_in_episode >= self._episode_steps or bool(self._broken_off(measured)[0])
        if truncated:
            self._step_in_episode = None
        if self._view is not None:
            self._view.add(info)
        return observation, reward, False, truncated, info

    def render(self) -> npt.NDArray[np.uint8] | None:
        """The episode so far: a picture uint8 (height, width, 3), or None when it is shown in a window."""
        if self.render_mode is None:
            gym.logger.warn("render() does nothing without a render_mode; gym.make(..., render_mode='rgb_array')")
            return None
        if self._view is None:
            raise gym.error.ResetNeeded(f"{self.name}: call reset() before render()")
        with self._exclusive:
            return self._view.draw()

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._view is not None:
            self._view.close()
            self._view = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the window, which cannot be copied; a copy opens its own at its next reset."""
        with self._exclusive:
            return {**self.__dict__, "_view": None}


def _info_of_one(arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """The info of the one cell; numbers as numpy's float64, which is a float that has a shape and a type, too."""
    return {key: array[0] if array.ndim > 1 else np.float64(array[0]) for key, array in arrays.items()}
