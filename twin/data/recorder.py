"""Recording a history while an agent acts: wrappers of the scalar and the batched environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper

from slicing_gym import Scenario
from slicing_gym.errors import unknown_name
from slicing_gym.exclusive import OwnArrays
from twin.data.columns import PERFORMANCE, Column
from twin.data.history import History

BLOCKED = Column("blocked", resolution=1.0, whole=True, transform="sqrt", unit="users")
"""Users of a slice whose next packet waits for room at the end of an interval, a count."""

QUEUED = Column("queued", resolution=1.0, whole=True, transform="sqrt", unit="packets")
"""Packets in a slice's queues at the end of an interval, a count."""


class Recorder:
    """Gathers the decisions of some cells; each episode is a run.

    Args:
        scenario: of the network.
        columns: what to keep of each decision's `info`, in addition to arrivals and allocation.

    Attributes:
        keys: what it reads of an `info`.
    """

    def __init__(self, scenario: Scenario, columns: Sequence[Column] = PERFORMANCE) -> None:
        self.scenario = scenario
        self.columns = tuple(columns)
        self.keys = ("arrivals", "allocation", *(column.name for column in self.columns))
        self._rows: dict[str, list[Any]] = {name: [] for name in _ROW_FIELDS}
        self._measured: dict[str, list[Any]] = {column.name: [] for column in self.columns}
        self._next_run = 0
        self._at: dict[int, tuple[int, int, npt.NDArray[np.int64]]] = {}  # cell: run, interval, arrivals

    def __len__(self) -> int:
        """Decisions recorded."""
        return len(self._rows["run"])

    def begin(self, cell: int, info: Mapping[str, Any]) -> None:
        """An episode begins in `cell`; `info` is what its reset returned.

        Raises:
            ValueError: it lacks a column that is to be recorded.
        """
        for key in self.keys:
            if key not in info:
                raise ValueError(unknown_name("columns", key, info))
        self._at[cell] = (self._next_run, 0, np.array(info["arrivals"], np.int64))
        self._next_run += 1

    def knows(self, cell: int) -> bool:
        """Whether an episode has begun in `cell`."""
        return cell in self._at

    def forget(self, cell: int) -> None:
        """What comes of the episode in `cell` is not known any more; the next that begins there is recorded again."""
        self._at.pop(cell, None)

    def add(self, cell: int, info: Mapping[str, Any]) -> None:
        """A decision was taken in `cell`; `info` is what its step returned.

        Raises:
            ValueError: no episode was begun there.
        """
        if not self.knows(cell):
            raise ValueError(f"recorder: no episode has begun in cell {cell}; reset the recorded environment first")
        run, interval, arrivals = self._at[cell]
        following = np.array(info["arrivals"], np.int64)
        for name, value in zip(_ROW_FIELDS, (run, interval, info["allocation"], arrivals, following), strict=True):
            self._rows[name].append(np.array(value, np.int64))
        for column in self.columns:
            self._measured[column.name].append(np.array(info[column.name], np.float64))
        self._at[cell] = (run, interval + 1, following)

    def history(self) -> History:
        """What was recorded so far.

        Raises:
            ValueError: nothing was.
        """
        if not len(self):
            raise ValueError("recorder: no decision was recorded")
        arrays = {name: np.array(values) for name, values in self._rows.items()}
        order = np.lexsort((arrays["interval"], arrays["run"]))
        return History(
            scenario=self.scenario,
            run=arrays["run"][order],
            interval=arrays["interval"][order],
            allocation=arrays["allocation"][order],
            arrivals=arrays["arrivals"][order],
            next_arrivals=arrays["next_arrivals"][order],
            performance={name: np.array(values)[order] for name, values in self._measured.items()},
            columns=self.columns,
        )

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of what was recorded and of the episodes under way, by name; `restore` goes back to it."""
        rows = {f"row.{name}": np.array(values) for name, values in self._rows.items()}
        measured = {f"measured.{name}": np.array(values) for name, values in self._measured.items()}
        at = [[cell, run, interval, *arrivals] for cell, (run, interval, arrivals) in self._at.items()]
        width = 3 + self.scenario.num_slices
        under_way = np.array(at, np.int64).reshape(-1, width)
        return {**rows, **measured, "under_way": under_way, "next_run": np.array(self._next_run)}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that `state` of a recorder of the same columns gave."""
        self._rows = {name: list(state[f"row.{name}"]) for name in self._rows}
        self._measured = {name: list(state[f"measured.{name}"]) for name in self._measured}
        self._next_run = int(state["next_run"])
        self._at = {int(row[0]): (int(row[1]), int(row[2]), row[3:].copy()) for row in state["under_way"]}


_ROW_FIELDS = ("run", "interval", "allocation", "arrivals", "next_arrivals")


class RecordHistory(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Records what passes through a scalar environment; `wrapper.recorder.history()` gives it.

    Args:
        env: `SliceRAN-v0` or `SliceTwin-v0`, wrapped or not.
        columns: see `Recorder`.
    """

    def __init__(self, env: gym.Env[Any, Any], columns: Sequence[Column] = PERFORMANCE) -> None:
        RecordConstructorArgs.__init__(self, columns=columns)
        gym.Wrapper.__init__(self, env)
        self.recorder = Recorder(env.get_wrapper_attr("scenario"), columns)

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        """As the environment's."""
        observation, info = self.env.reset(**arguments)
        self.recorder.begin(0, info)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """As the environment's."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.recorder.add(0, info)
        return observation, reward, terminated, truncated, info


class RecordHistoryVector(OwnArrays, VectorWrapper):
    """Records what passes through a batched environment, whatever its autoreset mode.

    Args:
        env: the native batch, or Gymnasium's own (`SyncVectorEnv`, `AsyncVectorEnv`), wrapped or not.
        columns: see `Recorder`.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], columns: Sequence[Column] = PERFORMANCE) -> None:
        super().__init__(env)
        self.recorder = Recorder(_scenario_of(env.unwrapped), columns)
        self._mode = AutoresetMode(env.metadata["autoreset_mode"])
        self._over = np.zeros(env.num_envs, np.bool_)

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        """As the environment's."""
        observations, info = self.env.reset(**arguments)
        for cell in np.flatnonzero(info["_arrivals"]).tolist():  # with a mask, not of all
            self._begin(cell, info)
            self._over[cell] = False
        return observations, info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """As the environment's."""
        observations, rewards, terminations, truncations, info = self.env.step(actions)
        ended = np.asarray(terminations | truncations)
        for cell in range(self.num_envs):
            if self._mode is AutoresetMode.NEXT_STEP and self._over[cell]:
                self._begin(cell, info)
            elif self._mode is AutoresetMode.SAME_STEP and ended[cell]:
                self._add(cell, info["final_info"])
                self._begin(cell, info)
            else:
                self._add(cell, info)
        self._over = ended.copy()
        return observations, rewards, terminations, truncations, info

    def _begin(self, cell: int, info: Mapping[str, Any]) -> None:
        self.recorder.begin(cell, self._of_cell(info, cell))

    def _add(self, cell: int, info: Mapping[str, Any]) -> None:
        self.recorder.add(cell, self._of_cell(info, cell))

    def _of_cell(self, info: Mapping[str, Any], cell: int) -> dict[str, Any]:
        """What is recorded of one cell's info; wrappers below may have put in what has no rows."""
        return {key: info[key][cell] for key in self.recorder.keys if key in info}


def _scenario_of(env: VectorEnv[Any, Any, Any]) -> Scenario:
    """The scenario of a batch; Gymnasium's own batches ask their environments."""
    scenario = env.get_attr("scenario")[0] if isinstance(env, AsyncVectorEnv | SyncVectorEnv) else env.scenario  # type: ignore[attr-defined]
    if not isinstance(scenario, Scenario):
        raise TypeError(f"env: its scenario {scenario!r} is no Scenario")
    return scenario
