"""What Algorithms 1 and 2 ask of a learner, and how a listener follows its decisions."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import gymnasium as gym
import numpy.typing as npt
from stable_baselines3.common.logger import Logger

from agents.packing import Arrays
from slicing_gym.transitions import Transitions

AnyEnv = gym.Env[Any, Any] | gym.vector.VectorEnv[Any, Any, Any]


class Experience(NamedTuple):
    """A decision that a learner took, and what came of it.

    Args:
        observation, next_observation: (n_slices,), as the learner saw them; the latter is never that of a reset.
        action: its number.
        reward: as the learner got it.
        terminated, truncated: whether the episode ended, and nothing or something would have come after it.
        info: of the step.
        reset_info: of the reset that followed; None within an episode.
        cell: in which it was taken, if the environment is a batch.
    """

    observation: npt.NDArray[Any]
    action: int
    reward: float
    next_observation: npt.NDArray[Any]
    terminated: bool
    truncated: bool
    info: dict[str, Any]
    reset_info: dict[str, Any] | None
    cell: int = 0


class DecisionListener(Protocol):
    """Is called for every decision that a learner takes; in a batch for those of a step in the order of the cells."""

    def on_start(self, reset_info: dict[str, Any], cell: int = 0) -> None:
        """The learner begins to act; `reset_info` is the info of the last reset. In a batch it is called for each cell.

        Where there is but one cell, `cell` is not given.
        """

    def on_settled(self) -> None:
        """A step and what was learned from it are behind, or the first one is to come: a moment for checkpoints."""

    def on_decision(self, experience: Experience) -> None:
        """A decision was taken; nothing was learned from it yet."""


class Learner(Protocol):
    """Whoever learns by deciding; Algorithms 1 and 2 ask no more of it.

    Attributes:
        logger: of Stable-Baselines3, for TensorBoard.
        num_decisions: taken so far in all environments, since learning last began again.
    """

    logger: Logger

    @property
    def num_decisions(self) -> int:
        """Decisions taken so far."""

    @property
    def can_recall(self) -> bool:
        """Whether it has `recall`."""

    def predict(
        self, observation: Any, state: Any = ..., episode_start: Any = ..., deterministic: bool = ...
    ) -> tuple[Any, Any]:
        """Actions for observations, as in Stable-Baselines3."""

    def act_in(self, env: AnyEnv, seed: int) -> None:
        """Act in another environment, or batch of as many, from now on."""

    def learn(self, decisions: int, listener: DecisionListener | None = None, *, restart: bool = False) -> None:
        """Decide so often, and learn from it; `restart` lets schedules begin again."""

    def update(self, progress: float) -> None:
        """Learn once from what is remembered, this share of all updates being behind."""

    def remember(self, transitions: Transitions) -> None:
        """Learn from these, too."""

    def recall(self, number: int) -> Transitions:
        """A sample of what is remembered."""

    def forget(self) -> None:
        """Learn no more from what was seen so far."""

    def copy_from(self, other: Any, *, optimizer: bool = True) -> None:
        """Take over what another learner of the same kind has learned (equation 8)."""

    def state(self, replay: bool = True) -> tuple[dict[str, Any], Arrays]:
        """Everything that learning changes: builtin types, and arrays by name."""

    def restore(self, data: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to what `state` gave."""

    def save(self, file: io.BufferedIOBase) -> None:
        """Write what it has learned."""

    def digest(self) -> str:
        """A checksum of what it has learned and remembers."""
