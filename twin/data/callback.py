"""Recording a history while an agent of Stable-Baselines3 learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from slicing_gym import Scenario
from twin.data.columns import PERFORMANCE, Column
from twin.data.history import History
from twin.data.recorder import Recorder


class HistoryCallback(BaseCallback):
    """Records every decision of `agent.learn(..., callback=HistoryCallback())`.

    Given to several calls of `learn`, it goes on where it was. An episode that was under way when it was first given,
    or that went on without it, is left out, because its beginning is not known.

    Args:
        columns: see `Recorder`.
    """

    def __init__(self, columns: Sequence[Column] = PERFORMANCE) -> None:
        super().__init__()
        self._columns = tuple(columns)
        self._recorder: Recorder | None = None
        self._began: dict[int, Mapping[str, Any]] = {}  # what the last reset of a cell returned
        self._seen: tuple[object, int] | None = None  # the agent, and its steps when this last looked

    def history(self) -> History:
        """What was recorded so far, over all calls of `learn`.

        Raises:
            ValueError: nothing was.
        """
        if self._recorder is None:
            raise ValueError("recorder: no decision was recorded")
        return self._recorder.history()

    def _on_training_start(self) -> None:
        if self._recorder is None:
            scenario: Scenario = self.training_env.get_attr("scenario")[0]
            self._recorder = Recorder(scenario, self._columns)
        goes_on = self._seen == (self.model, self.model.num_timesteps)
        for cell, info in enumerate(self._reset_infos()):
            if self.model.num_timesteps == 0:  # Stable-Baselines3 has just reset
                self._begin(cell, info)
            elif not goes_on:
                self._recorder.forget(cell)
                self._began[cell] = info
            elif not self._is_known(cell, info):  # reset between two calls
                self._begin(cell, info)

    def _on_step(self) -> bool:
        assert self._recorder is not None
        resets = self._reset_infos()
        for cell, (info, done) in enumerate(zip(self.locals["infos"], self.locals["dones"], strict=True)):
            if self._recorder.knows(cell):
                self._recorder.add(cell, info)
            if done:  # SB3's batches reset at once, and keep what the reset returned
                self._begin(cell, resets[cell])
        self._seen = (self.model, self.model.num_timesteps)
        return True

    def _reset_infos(self) -> Sequence[Mapping[str, Any]]:
        """The infos of each cell's last reset; only the innermost batch has it."""
        infos: Sequence[Mapping[str, Any]] = self.training_env.unwrapped.reset_infos
        return infos

    def _begin(self, cell: int, info: Mapping[str, Any]) -> None:
        assert self._recorder is not None
        self._recorder.begin(cell, info)
        self._began[cell] = info

    def _is_known(self, cell: int, info: Mapping[str, Any]) -> bool:
        """Whether the episode in `cell` is the one that began last."""
        assert self._recorder is not None
        last = self._began[cell]
        return all(np.array_equal(last[key], info[key]) for key in self._recorder.keys)
