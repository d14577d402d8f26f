"""Recording a history while an agent of Stable-Baselines3 learns."""

from __future__ import annotations

from collections.abc import Sequence

from stable_baselines3.common.callbacks import BaseCallback

from slicing_gym import Scenario
from twin.columns import PERFORMANCE, Column
from twin.history import History
from twin.recorder import Recorder


class HistoryCallback(BaseCallback):
    """Records every decision of `agent.learn(..., callback=HistoryCallback())`.

    Args:
        columns: see `Recorder`.
    """

    def __init__(self, columns: Sequence[Column] = PERFORMANCE) -> None:
        super().__init__()
        self._columns = tuple(columns)
        self._recorder: Recorder | None = None

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
        starts = self.model._last_episode_starts
        for cell, info in enumerate(self.training_env.reset_infos):
            if starts is None or starts[cell]:
                self._recorder.begin(cell, info)

    def _on_step(self) -> bool:
        assert self._recorder is not None
        for cell, (info, done) in enumerate(zip(self.locals["infos"], self.locals["dones"], strict=True)):
            if self._recorder.knows(cell):  # else its round began before the recording: wait for the next
                self._recorder.add(cell, info)
            if done:  # SB3's batches reset at once, and keep what the reset told
                self._recorder.begin(cell, self.training_env.reset_infos[cell])
        return True
