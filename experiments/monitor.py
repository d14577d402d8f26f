"""What a training run shows: round means in TensorBoard, in a CSV, and a progress bar that costs no extra."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.callbacks import BaseCallback

from slicing_gym import Scenario


class RoundMonitor(BaseCallback):
    """Logs the mean of every round of real decisions.

    TensorBoard tags: `round/reward`, `round/reward_at_c_max` (share of decisions with U at or above the final
    threshold), `round/utility`, `round/ssr_<slice>`, `round/spectral_efficiency`, `round/threshold`, against decisions
    taken.

    Args:
        scenario: length of a round and names of the slices.
        path: CSV to which every round adds a row; the last may have fewer decisions.
    """

    def __init__(self, scenario: Scenario, path: Path) -> None:
        super().__init__()
        self._scenario = scenario
        self._path = path
        self._pending: list[dict[str, float]] = []
        self.rounds: list[dict[str, float]] = []

    @property
    def round_utility(self) -> npt.NDArray[np.float64]:
        """Mean utility of each round so far (rounds,)."""
        return np.array([row["utility"] for row in self.rounds])

    def _on_step(self) -> bool:
        for info, reward in zip(self.locals["infos"], self.locals["rewards"], strict=True):
            self._pending.append(self._row(info, float(reward)))
        length = self._scenario.decisions_per_round
        while len(self._pending) >= length:
            finished, self._pending = self._pending[:length], self._pending[length:]
            self._end_round(finished)
        return True

    def _on_training_end(self) -> None:
        if self._pending:  # a last round that was cut short
            self._end_round(self._pending)
            self._pending = []

    def _row(self, info: dict[str, Any], reward: float) -> dict[str, float]:
        """What is logged of a decision."""
        ssr = {f"ssr_{name}": float(info["ssr"][n]) for n, name in enumerate(self._scenario.slice_names)}
        return {
            "reward": reward,
            "reward_at_c_max": float(info["utility"] >= self._scenario.reward.threshold_end),
            "utility": info["utility"],
            **ssr,
            "spectral_efficiency": info["spectral_efficiency"],
            "threshold": info["threshold"],
        }

    def _end_round(self, decisions: list[dict[str, float]]) -> None:
        """Send a round's means to TensorBoard and to the CSV."""
        means = {key: float(np.mean([row[key] for row in decisions])) for key in decisions[0]}
        self.rounds.append(means)
        for key, value in means.items():
            self.logger.record(f"round/{key}", value)
        self.logger.dump(self.num_timesteps)
        with self._path.open("a", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if len(self.rounds) == 1:
                writer.writerow(["round", "decisions", *means])
            writer.writerow([len(self.rounds), len(decisions), *(f"{value:.6f}" for value in means.values())])
