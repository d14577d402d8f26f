"""What goes on while an agent of Stable-Baselines3 learns: its listener is called, its curves are written."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from agents.protocols import DecisionListener, Experience


class Curves(BaseCallback):
    """Writes what was recorded to the logger every so many decisions of a batch.

    Args:
        every: decisions between two points.
        first: where their steps begin.
    """

    def __init__(self, every: int, first: int) -> None:
        super().__init__()
        self._every, self._first = every, first
        self._rewards: list[float] = []

    def _on_training_start(self) -> None:
        self._since, self._before, self._written = time.perf_counter(), self.num_timesteps, self.num_timesteps

    def _on_step(self) -> bool:
        self._rewards.append(float(np.mean(self.locals["rewards"])))
        if self.num_timesteps - self._written >= self._every:
            self._write()
        return True

    def _on_training_end(self) -> None:
        if self._rewards:
            self._write()

    def _write(self) -> None:
        seconds = max(time.perf_counter() - self._since, 1e-9)
        self.logger.record("rollout/reward_mean", np.mean(self._rewards))
        self.logger.record("time/fps", (self.num_timesteps - self._before) / seconds)
        self.logger.dump(self._first + self.num_timesteps)
        self._rewards, self._written = [], self.num_timesteps


class Listening(BaseCallback):
    """Calls a listener for each of a learner's decisions.

    Args:
        listener: is called.
    """

    def __init__(self, listener: DecisionListener) -> None:
        super().__init__()
        self._listener = listener

    def _on_training_start(self) -> None:
        self._listener.on_start(self._reset_info())

    def _on_rollout_start(self) -> None:
        self._listener.on_settled()

    def _on_step(self) -> bool:
        model: Any = self.model
        normalize = model._vec_normalize_env
        before, after, rewards = model._last_obs, self.locals["new_obs"], self.locals["rewards"]
        if normalize is not None:  # replay buffers hold what VecNormalize was given
            before, after = model._last_original_obs, normalize.get_original_obs()
            rewards = normalize.get_original_reward()
        (info,), (done,) = self.locals["infos"], self.locals["dones"]
        following = after[0]
        if done:
            following = info["terminal_observation"]
            if normalize is not None:
                following = normalize.unnormalize_obs(following)
        truncated = bool(done and info.get("TimeLimit.truncated", False))
        self._listener.on_decision(
            Experience(
                observation=np.array(before[0]),
                action=int(self.locals["buffer_actions"][0]),
                reward=float(rewards[0]),
                next_observation=np.array(following),
                terminated=bool(done) and not truncated,
                truncated=truncated,
                info=info,
                reset_info=self._reset_info() if done else None,
            )
        )
        return True

    def _reset_info(self) -> dict[str, Any]:
        """The info of the last reset; only the innermost batch has it."""
        infos: list[dict[str, Any]] = self.training_env.unwrapped.reset_infos
        return infos[0]
