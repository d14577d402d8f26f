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
from slicing_gym.exclusive import Exclusive, OwnArrays
from slicing_gym.observation import MeasuredInfo
from slicing_gym.references import reference_runs
from slicing_gym.render import FRAMES_PER_S, EpisodeView
from slicing_gym.reward import threshold
from slicing_gym.space_spec import EpisodeMixin, SpaceSpec, check_options, check_render_mode
from slicing_gym.threads import check_threads

MAX_ENVS = 2**24
"""Most cells in a batch: each has its queues and streams, some kilobytes at the least."""

BoolArray = npt.NDArray[np.bool_]
Observations = npt.NDArray[np.float32]


class SlicingVectorEnv(OwnArrays, EpisodeMixin, VectorEnv[Observations, npt.NDArray[Any], npt.NDArray[Any]]):
    """Episodes of decisions on `num_envs` cells of a `Backend`; subclasses say which backend.

    Args:
        space_spec: scenario, observer, reward and action codec.
        num_envs, decisions, autoreset_mode, num_threads, render_mode, max_episode_steps: see `SliceRANVectorEnv`.
    """

    def __init__(
        self,
        num_envs: int,
        space_spec: SpaceSpec,
        decisions: int,
        autoreset_mode: AutoresetMode | str,
        num_threads: int,
        render_mode: str | None,
        max_episode_steps: int | None = None,
    ) -> None:
        self.num_envs = check_integer("num_envs", num_envs, at_least=1, at_most=MAX_ENVS)
        self.num_threads = check_threads(num_threads)
        self.render_mode = check_render_mode(render_mode, allowed=("rgb_array",))
        self.autoreset_mode = _autoreset_mode(autoreset_mode)
        self.metadata = {
            "render_modes": ["rgb_array"],
            "render_fps": FRAMES_PER_S,
            "autoreset_mode": self.autoreset_mode,
        }
        self.space_spec = space_spec
        self.scenario = self.space_spec.scenario
        self._episode_steps = self.scenario.decisions_per_episode
        if max_episode_steps is not None:
            self._episode_steps = min(
                self._episode_steps, check_integer("max_episode_steps", max_episode_steps, at_least=1)
            )
        self.single_observation_space = self.space_spec.observation_space
        self.single_action_space = self.space_spec.action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.decisions = decisions
        self._backend: Backend | None = None
        self._step_in_episode = np.zeros(self.num_envs, np.int64)
        self._over = np.zeros(self.num_envs, np.bool_)  # the episode ended in the last step
        self._last_observations = np.zeros((self.num_envs, *space_spec.observation_space.shape), np.float32)
        self._views: dict[int, EpisodeView] = {}  # of cells; empty without a render mode
        self._exclusive = Exclusive(self.name)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin an episode in every cell, or in those of `options["reset_mask"]` (bool (num_envs,)).

        Args:
            seed: None keeps the cells; s draws cell i from s + i; a sequence gives each cell its own (or None).
            options: may hold `reset_mask`, and nothing else.

        Raises:
            ValueError: as many seeds as cells are needed, and a mask of the form above; there are no other options.
            RuntimeError: another thread is using the environment.
        """
        check_options(options, ("reset_mask",))
        with self._exclusive:
            super().reset(seed=seed if isinstance(seed, int) else None)
            return self._reset(seed, options)

    def _reset(
        self, seed: int | Sequence[int | None] | None, options: dict[str, Any] | None
    ) -> tuple[Observations, dict[str, Any]]:
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
            RuntimeError: another thread is using the environment.
        """
        with self._exclusive:
            return self._step(actions)

    def _step(self, actions: Any) -> tuple[Observations, npt.NDArray[np.float64], BoolArray, BoolArray, dict[str, Any]]:
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
            brought = {**measured, "threshold": thresholds}
            self._write_info(info, acting, brought)
            for row, cell in enumerate(acting if self._views else ()):
                self._views[int(cell)].add({key: array[row] for key, array in brought.items()})
            at_end = self._step_in_episode[acting] >= self._episode_steps
            truncations[acting] = at_end | self._broken_off(measured)
        self._over = truncations.copy()
        if truncations.any() and self.autoreset_mode is AutoresetMode.SAME_STEP:
            info = self._same_step_reset(truncations, info)
        return self._last_observations.copy(), rewards, np.zeros(self.num_envs, np.bool_), truncations, info

    def render(self) -> tuple[npt.NDArray[np.uint8], ...] | None:
        """The episodes so far: a picture uint8 (height, width, 3) of each cell; None without a render mode."""
        if self.render_mode is None:
            gym.logger.warn("render() does nothing without a render_mode; gym.make_vec(..., render_mode='rgb_array')")
            return None
        if not self._views:
            raise gym.error.ResetNeeded(f"{self.name}: call reset() before render()")
        with self._exclusive:
            pictures = [view.draw() for view in self._views.values()]
        return tuple(picture for picture in pictures if picture is not None)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """An attribute, once for each cell, as Gymnasium's own batches have it.

        Raises:
            AttributeError: there is no such attribute.
            NotImplementedError: it is a method: the cells are no environments of their own that could be called.
        """
        value = getattr(self, name)
        if callable(value):
            raise NotImplementedError(
                f"call: {name!r} asked of a batch whose cells are no environments with args {args} and {kwargs}; "
                "allowed are attributes, and gym.make_vec(..., vectorization_mode='sync') makes environments"
            )
        return (value,) * self.num_envs

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """An attribute, once for each cell; see `call`."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of all cells; they have it in common.

        Args:
            name: of the attribute.
            values: the value, or a list or tuple of it, one per cell.

        Raises:
            ValueError: another number of values than cells, or values that differ.
        """
        if isinstance(values, list | tuple):
            if len(values) != self.num_envs or any(value != values[0] for value in values):
                raise ValueError(
                    f"values: {values!r} given for {name!r}, allowed is one value, or the same for each of the "
                    f"{self.num_envs} cells, which have it in common"
                )
            values = values[0]
        setattr(self, name, values)

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
        if self.render_mode is not None:
            for cell in range(self.num_envs):
                self._views.setdefault(cell, EpisodeView(self.space_spec, self.render_mode, FRAMES_PER_S))
            compared = reference_runs(self._backend, cells, self.reference_allocations)
            for cell, references in zip(cells.tolist(), compared, strict=True):
                self._views[cell].begin({key: array[cell] for key, array in info.items()}, references, self.policy_name)
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

    def __getstate__(self) -> dict[str, Any]:
        """Without the pictures, which cannot be copied; a copy begins its own at its next reset."""
        with self._exclusive:
            return {**self.__dict__, "_views": {}}

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
