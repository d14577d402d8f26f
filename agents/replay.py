"""Replay buffers for any off-policy agent of Stable-Baselines3: a random generator of their own, rewards centred."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common import buffers
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

from slicing_gym.errors import check_integer, check_number
from slicing_gym.exclusive import OwnArrays
from slicing_gym.transitions import Transitions

_Floats = npt.NDArray[np.floating[Any]]


class ReplayBuffer(OwnArrays, buffers.ReplayBuffer):
    """Transitions, sampled uniformly with replacement.

    Any agent of Stable-Baselines3 that has a replay buffer takes it:
    `DQN(..., replay_buffer_class=ReplayBuffer, replay_buffer_kwargs={"seed": 0, "centering": {}})`.

    Args:
        buffer_size, observation_space, action_space, device, n_envs: given by the agent.
        seed: of `generator`, which draws the samples. Agents of this package share their own generator instead.
        centering: None leaves rewards as they are. A dict centres them: from the first sample on, the mean of the
            rewards stored by then is subtracted from every sampled reward. The dict keeps it under "mean"; the agent's
            file holds it, since it is one of the agent's `replay_buffer_kwargs`. Centring changes no ordering of
            policies where episodes do not terminate, as ours do not; values then begin near their mean (Naik et al.
            2024).
        arguments: of Stable-Baselines3's `ReplayBuffer`.

    Attributes:
        generator: draws the samples.
    """

    def __init__(
        self, *args: Any, seed: int | None = None, centering: dict[str, float] | None = None, **arguments: Any
    ) -> None:
        super().__init__(*args, **arguments)
        if self.optimize_memory_usage:
            raise ValueError("optimize_memory_usage: True given, allowed is False; next observations are stored, too")
        self.generator = np.random.default_rng(seed)
        self.centering = centering

    @property
    def mean_reward(self) -> float | None:
        """What is subtracted from rewards, once it is known."""
        return None if self.centering is None else self.centering.get("mean")

    @mean_reward.setter
    def mean_reward(self, mean: float | None) -> None:
        if self.centering is None:
            if mean is not None:
                raise ValueError(f"mean_reward: {mean!r} given, but this buffer does not centre rewards")
        elif mean is None:
            self.centering.pop("mean", None)
        else:
            self.centering["mean"] = float(mean)

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """A batch of transitions; the last one of a truncated episode is not a terminal one."""
        if self.centering is not None and self.mean_reward is None:
            self.mean_reward = float(self._normalize_reward(self.rewards[: self.size()], env).mean())
        return self._get_samples(self._draw(batch_size), env)

    def _draw(self, number: int) -> npt.NDArray[np.int64]:
        """Numbers (number,) of stored transitions."""
        return self.generator.integers(self.size() * self.n_envs, size=number)

    def _get_samples(self, batch_inds: npt.NDArray[Any], env: VecNormalize | None = None) -> ReplayBufferSamples:
        """The transitions of these numbers: of batch row `number // n_envs`, environment `number % n_envs`."""
        row, cell = np.divmod(batch_inds, self.n_envs)
        rewards = self._normalize_reward(self.rewards[row, cell][:, None], env)
        return self._samples(row, cell, row, rewards, env)

    def _samples(
        self,
        row: npt.NDArray[np.int64],
        cell: npt.NDArray[np.int64],
        last_row: npt.NDArray[np.int64],
        rewards: npt.NDArray[Any],
        env: VecNormalize | None,
        weights: npt.NDArray[np.float32] | None = None,
    ) -> ReplayBufferSamples:
        """A batch that begins in the rows (n,) and ends in `last_row`.

        Its rewards (n, 1) are centred; `weights` (n, 1) says how many each of them holds, discounted, if not one.
        """
        dones = self.dones[last_row, cell] * (1.0 - self.timeouts[last_row, cell])
        parts: tuple[npt.NDArray[Any], ...] = (
            self._normalize_obs(self.observations[row, cell], env),  # type: ignore[assignment]
            self.actions[row, cell],
            self._normalize_obs(self.next_observations[last_row, cell], env),
            dones[:, None],
            rewards,
        )
        batch = ReplayBufferSamples(*(torch.as_tensor(part, device=self.device) for part in parts))
        mean: Any = self.mean_reward
        if mean is None:
            return batch
        if weights is not None:
            mean = torch.as_tensor(mean * weights, device=self.device)
        return batch._replace(rewards=batch.rewards - mean)

    def recall(self, number: int) -> Transitions:
        """A sample of single decisions, as they were stored: not centred, and of one decision whatever `n_steps`."""
        return _single_decisions(self, *np.divmod(self._draw(number), self.n_envs))

    def add_all(self, transitions: Transitions) -> None:
        """Add decisions at once, to the buffer of a single environment.

        Raises:
            ValueError: it is a batch's buffer, or they do not fit in.
        """
        number = len(transitions.rewards)
        room = 0 if self.full else self.buffer_size - self.pos
        if self.n_envs != 1 or number > room:
            raise ValueError(f"rewards: {number} given, there is room for {room} of one environment")
        self.break_off()
        rows = slice(self.pos, self.pos + number)
        last, terminal = ends_of(transitions)
        self.observations[rows, 0], self.next_observations[rows, 0] = transitions[0], transitions[3]
        self.actions[rows, 0, 0], self.rewards[rows, 0] = transitions.actions, transitions.rewards
        self.dones[rows, 0], self.timeouts[rows, 0] = last, last & ~terminal
        self.pos += number
        if self.pos == self.buffer_size:
            self.full, self.pos = True, 0

    def break_off(self) -> None:
        """Mark what was stored last as the end of an episode that was broken off: what is stored next is of another."""
        break_off(self)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of what is stored, by name; arrays (rows, n_envs, ...) up to the last that was written."""
        arrays = {name: getattr(self, name)[: self.size()].copy() for name in _ARRAYS}
        return {**arrays, "pos": np.array(self.pos), "full": np.array(self.full)}

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that `state` of a buffer of the same size gave.

        Raises:
            ValueError: it is that of a buffer of another size, or of another number of environments.
        """
        size = len(state["rewards"])
        for name in _ARRAYS:
            own, given = getattr(self, name).shape, state[name].shape
            if given[1:] != own[1:] or size > own[0]:
                raise ValueError(
                    f"{name}: shape {given} given, allowed is (rows, {', '.join(map(str, own[1:]))}), at "
                    f"most {own[0]} rows"
                )
        for name in _ARRAYS:
            getattr(self, name)[:size] = state[name]
        self.pos, self.full = int(state["pos"]), bool(state["full"])


class NStepReplayBuffer(ReplayBuffer):
    """Returns over several decisions: r_0 + gamma r_1 + ..., up to the end of the episode or what was stored last.

    Args:
        n_steps: decisions in a return.
        gamma: the agent's discount.
        arguments: of `ReplayBuffer`.
    """

    def __init__(self, *args: Any, n_steps: int = 3, gamma: float = 0.99, **arguments: Any) -> None:
        super().__init__(*args, **arguments)
        self.n_steps = check_integer("n_steps", n_steps, at_least=1)
        self.gamma = check_number("gamma", gamma, at_least=0.0, at_most=1.0)

    def _get_samples(self, batch_inds: npt.NDArray[Any], env: VecNormalize | None = None) -> ReplayBufferSamples:
        row, cell = np.divmod(batch_inds, self.n_envs)
        rows = (row[:, None] + np.arange(self.n_steps)) % self.buffer_size  # (batch, n_steps)
        columns = cell[:, None]
        over = (self.dones[rows, columns] > 0.0) | (self.timeouts[rows, columns] > 0.0)
        over |= rows == (self.pos - 1) % self.buffer_size  # what was stored last: the row after it is older, or empty
        over[:, -1] = True
        length = over.argmax(axis=1) + 1  # (batch,) decisions in each return
        weights = self.gamma ** np.arange(self.n_steps) * (np.arange(self.n_steps) < length[:, None])
        rewards = self._normalize_reward(self.rewards[rows, columns], env)
        returns = (rewards * weights).sum(axis=1, keepdims=True).astype(np.float32)
        discounts = (self.gamma ** length[:, None]).astype(np.float32)
        last_row = rows[np.arange(len(rows)), length - 1]
        held = weights.sum(axis=1, keepdims=True).astype(np.float32)
        batch = self._samples(row, cell, last_row, returns, env, held)
        return batch._replace(discounts=torch.as_tensor(discounts, device=self.device))


def check_same(buffer: buffers.BaseBuffer, wanted: buffers.BaseBuffer | None) -> None:
    """Refuse a buffer of other environments than those that an agent learns in.

    Args:
        buffer: that was loaded.
        wanted: the agent's own; None: it has none yet, and takes any.

    Raises:
        ValueError: the number of environments, the observations or the actions differ.
    """
    for what in () if wanted is None else ("n_envs", "obs_shape", "action_space"):
        given, own = getattr(buffer, what), getattr(wanted, what)
        if given != own:
            raise ValueError(
                f"path: a replay buffer with {what}={given} given, allowed is {own}, as of the environments of this "
                "agent; load the agent with as many of the same: DQN.load(..., env=...)"
            )


def can_recall(buffer: object) -> bool:
    """Whether `recall` knows a replay buffer: one of Stable-Baselines3 or a subclass, but for those of dicts."""
    return isinstance(buffer, buffers.ReplayBuffer) and not isinstance(buffer, buffers.DictReplayBuffer)


def recall(buffer: object, number: int) -> Transitions:
    """See `ReplayBuffer.recall`; from buffers of Stable-Baselines3 they are drawn by NumPy's global generator.

    With `optimize_memory_usage` the row that will be overwritten next is left out, as in Stable-Baselines3: its
    observation is already that of another decision. What the buffer does not tell from a terminal decision
    (`handle_timeout_termination=False`) is recalled as one.

    Raises:
        ValueError: it is a buffer of dicts or of another kind, or empty.
    """
    if not isinstance(buffer, buffers.ReplayBuffer) or not can_recall(buffer):
        raise ValueError(
            f"replay_buffer: a {type(buffer).__name__} given, allowed to recall from are the ReplayBuffer of "
            "Stable-Baselines3 and its subclasses, but for those of dicts"
        )
    if not buffer.size():
        raise ValueError(f"number: {number} given, allowed is 0, since the replay buffer is empty")
    if isinstance(buffer, ReplayBuffer):
        return buffer.recall(number)
    first, rows = 0, buffer.size()
    if buffer.optimize_memory_usage and buffer.full:
        first, rows = buffer.pos + 1, rows - 1
    row, cell = np.divmod(np.random.randint(rows * buffer.n_envs, size=number), buffer.n_envs)  # noqa: NPY002
    return _single_decisions(buffer, (first + row) % buffer.buffer_size, cell)


def _single_decisions(
    buffer: buffers.ReplayBuffer, row: npt.NDArray[np.int64], cell: npt.NDArray[np.int64]
) -> Transitions:
    """What is stored in these rows (n,) of these environments (n,)."""
    if buffer.optimize_memory_usage:
        following = buffer.observations[(row + 1) % buffer.buffer_size, cell]
    else:
        following = buffer.next_observations[row, cell]
    return Transitions(
        buffer.observations[row, cell],
        buffer.actions[row, cell, 0],
        buffer.rewards[row, cell],
        following,
        terminal=(buffer.dones[row, cell] * (1.0 - buffer.timeouts[row, cell])).astype(np.bool_),
    )


def remember(buffer: Any, transitions: Transitions) -> None:
    """Put decisions into the replay buffer of a single environment; the inverse of `recall`.

    Rows that do not follow each other are marked so: returns over several decisions end there.

    Raises:
        ValueError: they do not fit in, or the buffer could not tell that they do not follow each other.
    """
    if isinstance(buffer, ReplayBuffer):
        buffer.add_all(transitions)
        return
    room = 0 if buffer.full else buffer.buffer_size - buffer.pos
    if buffer.n_envs != 1 or len(transitions.rewards) > room:
        raise ValueError(f"rewards: {len(transitions.rewards)} given, there is room for {room} of one environment")
    if buffer.optimize_memory_usage:
        raise ValueError(
            "replay_buffer: optimize_memory_usage=True given, allowed is False to remember what others saw"
        )
    last, terminal = ends_of(transitions)
    if transitions.last is None and not buffer.handle_timeout_termination:
        if getattr(buffer, "n_steps", 1) > 1:
            raise ValueError(
                "replay_buffer: handle_timeout_termination=False given, allowed is True to remember single decisions "
                "for returns over several"
            )
        last = terminal  # a row that only ends here would count as terminal
    break_off(buffer)
    for row, (observation, action, reward, following, *_) in enumerate(zip(*transitions[:4], strict=True)):
        info = {"TimeLimit.truncated": bool(last[row] and not terminal[row])}
        action, reward, done = np.array([action]), np.array([reward]), np.array([last[row]])
        buffer.add(np.asarray(observation)[None], np.asarray(following)[None], action, reward, done, [info])


def break_off(buffer: buffers.ReplayBuffer) -> None:
    """See `ReplayBuffer.break_off`; for any buffer that tells truncated episodes from others."""
    if buffer.size() and buffer.handle_timeout_termination:
        going_on = buffer.dones[buffer.pos - 1] == 0.0
        buffer.dones[buffer.pos - 1, going_on] = buffer.timeouts[buffer.pos - 1, going_on] = 1.0


def ends_of(transitions: Transitions) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which rows are not continued by the next one, and after which nothing comes: bool (n,) each."""
    number = len(transitions.rewards)
    last = np.ones(number, np.bool_) if transitions.last is None else transitions.last.copy()
    terminal = np.zeros(number, np.bool_) if transitions.terminal is None else transitions.terminal
    last[-1:] = True
    return last | terminal, terminal


_ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
