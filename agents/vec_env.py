"""A batch of Gymnasium as a batch of Stable-Baselines3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, VecEnvObs, VecEnvStepReturn

from slicing_gym.episode_vector_env import SlicingVectorEnv

_TAKE_A_MASK = (SlicingVectorEnv, SyncVectorEnv, AsyncVectorEnv)
"""Batches whose `reset` takes a `reset_mask`; others would start again everywhere when one episode ends."""


class GymnasiumVecEnv(VecEnv):
    """What `gym.make_vec("SliceRAN-v0", ...)` and `gym.make_vec("SliceTwin-v0", ...)` make, for agents of SB3.

    A finished episode is followed by the next in the same step, as SB3 wants it, whatever the batch's own autoreset
    mode: the last observation is in the info's `terminal_observation`.

    Args:
        envs: a batch that resets in the same step, or one of ours, or Gymnasium's Sync or Async.

    Raises:
        ValueError: another batch that does not reset in the same step.
    """

    def __init__(self, envs: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        mode = AutoresetMode(envs.metadata["autoreset_mode"])
        self._resets_itself = mode is AutoresetMode.SAME_STEP
        if not self._resets_itself and not isinstance(envs.unwrapped, _TAKE_A_MASK):
            raise ValueError(
                f"env: {envs} has the autoreset mode {mode.value!r}, allowed is 'SameStep' "
                "(SliceRAN, SliceTwin, SyncVectorEnv and AsyncVectorEnv may have any)"
            )
        self.envs = envs  # SB3's own __init__ asks it for its render mode
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)
        self._actions: npt.NDArray[Any] = np.zeros(self.num_envs, np.int64)

    def reset(self) -> VecEnvObs:
        """Begin an episode everywhere."""
        seeds = None if self._seeds[0] is None else [int(seed or 0) for seed in self._seeds]
        observations, info = self.envs.reset(seed=seeds)  # type: ignore[arg-type]  # a list is allowed, too
        self._reset_seeds()
        self.reset_infos = _by_cell(info, self.num_envs)
        return observations  # type: ignore[no-any-return]

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """See `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Take the actions."""
        observations, rewards, terminations, truncations, info = self.envs.step(self._actions)
        dones = terminations | truncations
        if not dones.any():
            return observations, rewards.astype(np.float32), dones, _by_cell(info, self.num_envs)
        if self._resets_itself:
            last = info["final_obs"]
            reset_infos = _by_cell({k: v for k, v in info.items() if "final" not in k}, self.num_envs)
            finished = _by_cell(info["final_info"], self.num_envs)
            infos = [own | finished[cell] if dones[cell] else own for cell, own in enumerate(reset_infos)]
        else:
            last, infos = observations, _by_cell(info, self.num_envs)
            observations, begun = self.envs.reset(options={"reset_mask": dones})
            reset_infos = _by_cell(begun, self.num_envs)
        for cell in np.flatnonzero(dones):
            infos[cell]["terminal_observation"] = last[cell]
            infos[cell]["TimeLimit.truncated"] = bool(truncations[cell] and not terminations[cell])
            self.reset_infos[cell] = reset_infos[cell]
        return observations, rewards.astype(np.float32), dones, infos

    def close(self) -> None:
        """Close the batch."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of the batch, once for each cell; one that only its cells have, of each cell."""
        batch = self.envs.unwrapped
        if isinstance(batch, SyncVectorEnv) and not hasattr(batch, attr_name):
            cells = batch.get_attr(attr_name)
            return [cells[cell] for cell in self._get_indices(indices)]
        value = getattr(batch, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the batch; cells have none of their own."""
        del indices
        setattr(self.envs.unwrapped, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """Not possible: the cells are no environments of their own."""
        raise NotImplementedError(f"env_method: {method_name!r} asked of a batch whose cells are no environments")

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Never: the cells are no environments of their own."""
        del wrapper_class
        return [False for _ in self._get_indices(indices)]


@contextmanager
def explained_bounds() -> Iterator[None]:
    """Inside, where Stable-Baselines3 compares spaces, observations that differ in their bounds alone are explained.

    Raises:
        ValueError: the spaces differ; the message says what to do, or is Stable-Baselines3's own.
    """
    try:
        yield
    except ValueError as error:
        if not _OTHER_BOUNDS.fullmatch(str(error)):
            raise
        raise ValueError(
            f"env: its observations have other bounds than the agent's: {str(error).partition(': ')[2]}; allowed are "
            "equal ones. observer=slicing_gym.ArrivalsObserver(highest=None) has those of agents of earlier "
            "versions, highest=10 those of every preset; or load without env and predict"
        ) from error


_OTHER_BOUNDS = re.compile(r"Observation spaces do not match: Box\(.*(\(\d+,\), \w+)\) != Box\(.*\1\)", re.DOTALL)
"""What Stable-Baselines3 says of two boxes of one shape and type."""


def _by_cell(info: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """A batch's info as one dict a cell, without the masks."""
    columns = {
        key: _by_cell(values, number) if isinstance(values, dict) else values
        for key, values in info.items()
        if not key.startswith("_")
    }
    return [{key: values[cell] for key, values in columns.items()} for cell in range(number)]
