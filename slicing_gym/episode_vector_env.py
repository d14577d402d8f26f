"""Many cells as a Gymnasium `VectorEnv`: episodes, autoreset, masks and seeds, whatever the backend is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from slicing_gym.backend import Backend
from slicing_gym.errors import check_integer, unknown_name
from slicing_gym.observation import MeasuredInfo
from slicing_gym.reward import threshold
from slicing_gym.space_spec import EpisodeMixin, SpaceSpec, check_render_mode

BoolArray = npt.NDArray[np.bool_]
Observations = npt.NDArray[np.float32]


class SlicingVectorEnv(EpisodeMixin, VectorEnv[Observations, npt.NDArray[Any], npt.NDArray[Any]]):
    """Episodes of decisions on `num_envs` cells of a `Backend`; subclasses say which backend.

    Args:
        space_spec: scenario, observer, reward and action codec.
        num_envs, decisions, autoreset_mode, num_threads, render_mode: see `SliceRANVectorEnv`.
    """

    def __init__(
        self,
        num_envs: int,
        space_spec: SpaceSpec,
        decisions: int,
        autoreset_mode: AutoresetMode | str,
        num_threads: int,
        render_mode: str | None,
    ) -> None:
        self.num_envs = check_integer("num_envs", num_envs, at_least=1)
        self.num_threads = check_integer("num_threads", num_threads, at_least=1)
        self.render_mode = check_render_mode(render_mode, allowed=())
        self.autoreset_mode = _autoreset_mode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self.space_spec = space_spec
        self.scenario = self.space_spec.scenario
        self.single_observation_space = self.space_spec.observation_space
        self.single_action_space = self.space_spec.action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.decisions = decisions
        self._backend: Backend | None = None
        self._step_in_episode = np.zeros(self.num_envs, np.int64)
        self._over = np.zeros(self.num_envs, np.bool_)  # the episode ended in the last step
        self._last_observations = np.zeros((self.num_envs, *space_spec.observation_space.shape), np.float32)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin an episode in every cell, or in those of `options["reset_mask"]` (bool (num_envs,)).

        Args:
            seed: None keeps the cells; s draws cell i from s + i; a sequence gives each cell its own (or None).
            options: may hold `reset_mask`.

        Raises:
            ValueError: as many seeds as cells are needed, and a mask of the form above.
        """
        super().reset(seed=seed if isinstance(seed, int) else None)
        seeds = self._seeds(seed)
        mask = self._reset_mask(options)
        if mask.all() and None not in seeds:
            self._decisions = self._first_decision
        if self._backend is None:
            drawn = [int(self.np_random.integers(2**63)) if each is None else each for each in seeds]
            self._backend = self._make_backend(drawn)
        else:
            fresh = [(i, each) for i, each in enumerate(seeds) if each is not None and mask[i]]
            self._backend.redraw(np.array([i for i, _ in fresh], np.int64), [each for _, each in fresh])
        info = self._begin_episodes(mask)
        return self._last_observations.copy(), info

    def step(self, actions: Any) -> tuple[Observations, npt.NDArray[np.float64], BoolArray, BoolArray, dict[str, Any]]:
        """Hold an allocation in every cell for one decision interval.

        Raises:
            gymnasium.error.InvalidAction: actions of a wrong shape or type, or out of range.
            gymnasium.error.ResetNeeded: before the first reset; with autoreset disabled, after the end of an episode.
        """
        if self._backend is None:
            raise gym.error.ResetNeeded(f"{self.name}: call reset() before step()")
        if self._over.any() and self.autoreset_mode is AutoresetMode.DISABLED:
            raise gym.error.ResetNeeded(f"{self.name}: cells {np.flatnonzero(self._over).tolist()} need a reset")
        chosen = self.space_spec.check_actions(actions, self.num_envs)
        resetting = self._over.copy()
        info = self._begin_episodes(resetting) if resetting.any() else {}
        acting = np.flatnonzero(~resetting)
        rewards = np.zeros(self.num_envs)
        truncations = np.zeros(self.num_envs, np.bool_)
        if len(acting):
            measured = MeasuredInfo(self._backend.advance(self.space_spec.units(chosen[acting]), acting).info())
            thresholds = threshold(self.scenario.reward, self._decisions + np.arange(len(acting)))
            rewards[acting] = self._rewards(measured, thresholds)
            self._decisions += len(acting)
            self._step_in_episode[acting] += 1
            self._last_observations[acting] = self.space_spec.observations(measured)
            self._write_info(info, acting, {**measured, "threshold": thresholds})
            at_end = self._step_in_episode[acting] >= self.scenario.decisions_per_episode
            truncations[acting] = at_end | self._broken_off(measured)
        self._over = truncations.copy()
        if truncations.any() and self.autoreset_mode is AutoresetMode.SAME_STEP:
            info = self._same_step_reset(truncations, info)
        return self._last_observations.copy(), rewards, np.zeros(self.num_envs, np.bool_), truncations, info

    def render(self) -> None:
        """Nothing: render a scalar environment."""
        gym.logger.warn(f"render() does nothing in the batched {self.name}; render a scalar one")

    def _same_step_reset(self, mask: BoolArray, info: dict[str, Any]) -> dict[str, Any]:
        """Begin new episodes where `mask`; the info of the finished ones moves to `final_obs` and `final_info`."""
        final_observations = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(mask):
            final_observations[i] = self._last_observations[i].copy()
        final: dict[str, Any] = {}
        self._write_info(final, np.flatnonzero(mask), {k: v[mask] for k, v in info.items() if not k.startswith("_")})
        begun = self._begin_episodes(mask)
        for key, array in begun.items():
            if not key.startswith("_"):
                info[key][mask] = array[mask]
        return {
            **info,
            "final_obs": final_observations,
            "_final_obs": mask.copy(),
            "final_info": final,
            "_final_info": mask.copy(),
        }

    def _begin_episodes(self, mask: BoolArray) -> dict[str, Any]:
        """Begin an episode in the cells of `mask`; return their info."""
        assert self._backend is not None
        cells = np.flatnonzero(mask)
        measured = MeasuredInfo(self._backend.begin_episode(cells).info())
        self._step_in_episode[cells] = 0
        self._over[cells] = False
        self._last_observations[cells] = self.space_spec.observations(measured)
        info: dict[str, Any] = {}
        thresholds = threshold(self.scenario.reward, np.full(len(cells), self._decisions))
        self._write_info(info, cells, {**measured, "threshold": thresholds})
        return info

    def _write_info(
        self, info: dict[str, Any], cells: npt.NDArray[np.int64], part: dict[str, npt.NDArray[Any]]
    ) -> None:
        """Lay the info of some cells into that of all, with Gymnasium's masks."""
        for key, array in part.items():
            if key not in info:
                info[key] = np.zeros((self.num_envs, *array.shape[1:]), array.dtype)
                info[f"_{key}"] = np.zeros(self.num_envs, np.bool_)
            info[key][cells] = array
            info[f"_{key}"][cells] = True

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        """One seed a cell, or None where the cell stays."""
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int | np.integer):
            return [int(seed) + i for i in range(self.num_envs)]
        if not isinstance(seed, Sequence):
            raise TypeError(f"seed: {seed!r} given, allowed is None, an integer, or a list of them")
        if len(seed) != self.num_envs:
            raise ValueError(f"seed: {len(seed)} given, allowed are {self.num_envs}, one a cell")
        return list(seed)

    def _reset_mask(self, options: dict[str, Any] | None) -> BoolArray:
        """Which cells a reset is for."""
        mask = (options or {}).get("reset_mask")
        if mask is None or self._backend is None:
            return np.ones(self.num_envs, np.bool_)
        if (
            not isinstance(mask, np.ndarray)
            or mask.shape != (self.num_envs,)
            or mask.dtype != np.bool_
            or not mask.any()
        ):
            raise ValueError(
                f"options['reset_mask']: {mask!r} given, allowed is a bool array ({self.num_envs},), not all False"
            )
        return mask


def _autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    """The mode of that value."""
    if isinstance(mode, AutoresetMode):
        return mode
    values = {each.value: each for each in AutoresetMode}
    if mode not in values:
        raise ValueError(unknown_name("autoreset_mode", mode, values))
    return values[mode]
