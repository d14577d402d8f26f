"""What happens while a learner learns: a listener hears of it, curves are written, updates are as many as is meant."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit

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


def decisions_between_updates(model: OffPolicyAlgorithm, num_envs: int) -> int:
    """Decisions after which a batch of so many cells can have taken as many updates as one cell.

    Raises:
        ValueError: it is updated by episodes, which a batch does not end together.
    """
    frequency: Any = model.train_freq  # a TrainFreq, once the model is made
    if frequency.unit is TrainFrequencyUnit.STEP:
        return math.lcm(frequency.frequency, num_envs)
    if num_envs > 1:
        raise ValueError(f"num_envs: {num_envs} given, allowed is 1 for an agent that is updated by episodes")
    return 1


@contextmanager
def as_often(model: OffPolicyAlgorithm, wanted: bool) -> Iterator[None]:
    """Let an agent in a batch take as many gradient steps a decision as its settings say for one cell.

    `train_freq` f and `gradient_steps` g are g steps every f decisions: a batch of n cells takes g lcm(f, n) / f of
    them every lcm(f, n) decisions, which are lcm(f, n) / n steps of the batch. As many as decisions (-1) are so anyway.

    Args:
        model: the agent.
        wanted: without it, they are counted by steps of the batch.
    """
    given: Any = model.train_freq  # a TrainFreq, once the model is made
    cells = model.n_envs
    if not wanted or cells == 1:
        yield
        return
    between = decisions_between_updates(model, cells)
    times = between // given.frequency if model.gradient_steps > 0 else 1
    train = model.train
    vars(model)["train"] = lambda gradient_steps, batch_size: train(times * gradient_steps, batch_size)
    model.train_freq = TrainFreq(between // cells, TrainFrequencyUnit.STEP)  # type: ignore[assignment]  # once made
    try:
        yield
    finally:
        model.train_freq = given
        vars(model).pop("train")


class Listening(BaseCallback):
    """Calls a listener for each of a learner's decisions.

    Args:
        listener: is called.
    """

    def __init__(self, listener: DecisionListener) -> None:
        super().__init__()
        self._listener = listener

    def _on_training_start(self) -> None:
        infos = self._reset_infos()
        if len(infos) == 1:
            self._listener.on_start(infos[0])
            return
        for cell, info in enumerate(infos):
            self._listener.on_start(info, cell)

    def _on_rollout_start(self) -> None:
        self._listener.on_settled()

    def _on_step(self) -> bool:
        model: Any = self.model
        normalize = model._vec_normalize_env
        before, after, rewards = model._last_obs, self.locals["new_obs"], self.locals["rewards"]
        if normalize is not None:  # replay buffers hold what VecNormalize was given
            before, after = model._last_original_obs, normalize.get_original_obs()
            rewards = normalize.get_original_reward()
        actions, dones, reset_infos = self.locals["buffer_actions"], self.locals["dones"], self._reset_infos()
        for cell, info in enumerate(self.locals["infos"]):
            following, over = after[cell], bool(dones[cell])
            if over:
                following = info["terminal_observation"]
                if normalize is not None:
                    following = normalize.unnormalize_obs(following)
            truncated = bool(over and info.get("TimeLimit.truncated", False))
            self._listener.on_decision(
                Experience(
                    observation=np.array(before[cell]),
                    action=int(actions[cell]),
                    reward=float(rewards[cell]),
                    next_observation=np.array(following),
                    terminated=over and not truncated,
                    truncated=truncated,
                    info=info,
                    reset_info=reset_infos[cell] if over else None,
                    cell=cell,
                )
            )
        return True

    def _reset_infos(self) -> list[dict[str, Any]]:
        """The infos of the last resets, one per cell; only the innermost batch has them."""
        infos: list[dict[str, Any]] = self.training_env.unwrapped.reset_infos
        return infos
