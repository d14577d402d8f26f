"""The replay buffer: Stable-Baselines3's, with a random generator of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common import buffers
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize


class ReplayBuffer(buffers.ReplayBuffer):
    """Transitions, sampled uniformly with replacement by `generator`, which the agent shares with it.

    Args:
        arguments: of Stable-Baselines3's `ReplayBuffer`.
    """

    generator: np.random.Generator

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """A batch of transitions; of truncated rounds the last is not a terminal one."""
        size = self.buffer_size if self.full else self.pos
        number = self.generator.integers(size * self.n_envs, size=batch_size)
        return self._get_samples(number, env)

    def _get_samples(self, batch_inds: npt.NDArray[Any], env: VecNormalize | None = None) -> ReplayBufferSamples:
        """The transitions of these numbers: of batch row `number // n_envs`, environment `number % n_envs`."""
        row, cell = np.divmod(batch_inds, self.n_envs)
        dones = self.dones[row, cell] * (1.0 - self.timeouts[row, cell])
        parts: tuple[npt.NDArray[Any], ...] = (
            self._normalize_obs(self.observations[row, cell], env),  # type: ignore[assignment]
            self.actions[row, cell],
            self._normalize_obs(self.next_observations[row, cell], env),
            dones[:, None],
            self._normalize_reward(self.rewards[row, cell][:, None], env),
        )
        return ReplayBufferSamples(*(torch.as_tensor(part, device=self.device) for part in parts))

    def add_all(
        self,
        observations: npt.ArrayLike,
        actions: npt.ArrayLike,
        rewards: npt.ArrayLike,
        next_observations: npt.ArrayLike,
    ) -> None:
        """Add n transitions at once, none of them terminal, to the buffer of a single environment.

        Args:
            observations: (n, n_slices).
            actions: (n,).
            rewards: (n,).
            next_observations: (n, n_slices).

        Raises:
            ValueError: it is a batch's buffer, or they do not fit in.
        """
        number = len(np.asarray(rewards))
        if self.n_envs != 1 or self.full or self.pos + number > self.buffer_size:
            room = self.buffer_size - self.pos
            raise ValueError(f"rewards: {number} given, there is room for {room} of one environment")
        rows = slice(self.pos, self.pos + number)
        self.observations[rows, 0], self.next_observations[rows, 0] = observations, next_observations
        self.actions[rows, 0, 0], self.rewards[rows, 0] = actions, rewards
        self.dones[rows] = self.timeouts[rows] = 0.0
        self.pos += number
        if self.pos == self.buffer_size:
            self.full, self.pos = True, 0

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of what is stored, by name; arrays (rows, n_envs, ...) up to the last that was written."""
        size = self.buffer_size if self.full else self.pos
        arrays = {name: getattr(self, name)[:size].copy() for name in _ARRAYS}
        return {**arrays, "pos": np.array(self.pos), "full": np.array(self.full)}

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that `state` of a buffer of the same size gave."""
        size = len(state["rewards"])
        for name in _ARRAYS:
            getattr(self, name)[:size] = state[name]
        self.pos, self.full = int(state["pos"]), bool(state["full"])


_ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
