"""What a run on the real environment shows and keeps: rounds in TensorBoard and in a CSV, progress, the history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.callbacks import BaseCallback

from experiments.tables import write_rows
from slicing_gym import Scenario
from twin import Recorder

REWARD_GOAL = 0.8
"""The reward at c_max that the paper counts the rounds to (Fig. 5)."""


class RoundMonitor(BaseCallback):
    """Counts real decisions and logs the mean of every round of them, over all calls of `learn` it is given to.

    TensorBoard tags: `round/reward`, `round/reward_at_c_max` (share of decisions with U at or above the final
    threshold), `round/utility`, `round/ssr_<slice>`, `round/spectral_efficiency`, `round/threshold`, against decisions
    taken.

    Args:
        scenario: length of a round and names of the slices.
        path: CSV with a row a round, written anew after each; the last may have fewer decisions.
        recorder: is told every decision, if given.
        on_decision: called after every decision, for instance to show progress.
        on_settled: called with the agent when a decision and what was learned from it are behind, before the next.
    """

    def __init__(
        self,
        scenario: Scenario,
        path: Path,
        recorder: Recorder | None = None,
        on_decision: Callable[[], object] | None = None,
        on_settled: Callable[[], object] | None = None,
    ) -> None:
        super().__init__()
        self._scenario = scenario
        self._path = path
        self._recorder = recorder
        self._on_decision = on_decision
        self._on_settled = on_settled
        self._pending: list[dict[str, float]] = []
        self.rounds: list[dict[str, float]] = []

    @property
    def round_utility(self) -> npt.NDArray[np.float64]:
        """Mean utility of each round so far (rounds,)."""
        return np.array([row["utility"] for row in self.rounds])

    @property
    def decisions(self) -> int:
        """Real decisions so far."""
        return int(sum(row["decisions"] for row in self.rounds)) + len(self._pending)

    def state(self) -> dict[str, list[dict[str, float]]]:
        """What `restore` goes back to, as plain data."""
        return {"rounds": self.rounds, "pending": self._pending}

    def restore(self, state: dict[str, list[dict[str, float]]]) -> None:
        """Go back to a state that `state` gave."""
        self.rounds, self._pending = list(state["rounds"]), list(state["pending"])

    def finish(self) -> None:
        """End a last round that was cut short."""
        if self._pending:
            self._end_round(self._pending)
            self._pending = []

    def _on_training_start(self) -> None:
        if self._recorder is not None and not self._recorder.knows(0):
            self._recorder.begin(0, self._reset_info())

    def _on_rollout_start(self) -> None:
        if self._on_settled is not None:
            self._on_settled()

    def _on_step(self) -> bool:
        for info, reward, done in zip(self.locals["infos"], self.locals["rewards"], self.locals["dones"], strict=True):
            self._pending.append(self._row(info, float(reward)))
            if self._recorder is not None:
                self._recorder.add(0, info)
                if done:
                    self._recorder.begin(0, self._reset_info())
            if self._on_decision is not None:
                self._on_decision()
        if len(self._pending) >= self._scenario.decisions_per_round:
            self._end_round(self._pending)
            self._pending = []
        return True

    def _reset_info(self) -> dict[str, Any]:
        """What the last reset told; only the innermost batch has it."""
        infos: list[dict[str, Any]] = self.training_env.unwrapped.reset_infos
        return infos[0]

    def _row(self, info: dict[str, Any], reward: float) -> dict[str, float]:
        """What is logged of a decision."""
        ssr = {f"ssr_{name}": float(info["ssr"][n]) for n, name in enumerate(self._scenario.slice_names)}
        return {
            "reward": reward,
            "reward_at_c_max": float(info["utility"] >= self._scenario.reward.threshold_end),
            "utility": float(info["utility"]),
            **ssr,
            "spectral_efficiency": float(info["spectral_efficiency"]),
            "threshold": float(info["threshold"]),
        }

    def _end_round(self, decisions: list[dict[str, float]]) -> None:
        """Send a round's means to TensorBoard and to the CSV."""
        means = {key: float(np.mean([row[key] for row in decisions])) for key in decisions[0]}
        self.rounds.append({"decisions": len(decisions), **means})
        for key, value in means.items():
            self.logger.record(f"round/{key}", value)
        self.logger.dump(self.num_timesteps)
        rows = [
            [number, row["decisions"], *(f"{row[key]:.6f}" for key in means)]
            for number, row in enumerate(self.rounds, start=1)
        ]
        write_rows(self._path, ["round", "decisions", *means], rows)
