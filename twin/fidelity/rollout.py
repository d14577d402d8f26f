"""Free-running rollouts of a twin against its network: how errors grow, and how far distributions drift apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.data.checks import varies
from twin.fidelity.scores import FloatArray, crps, wasserstein


@dataclass(frozen=True)
class Rollout:
    """Free-running cells and what was measured under the same decisions (T intervals, N starting points, L copies).

    Args:
        twin: what the cells did (T, N, L, V).
        truth: what the network did (T, N, V).
        last: what was measured last before the cells ran freely (N, V).
        noise_floor: what copies of the network with resampled noise did (T, N, L', V), or None.
        past: the history (m, V), for climatology.
    """

    twin: FloatArray
    truth: FloatArray
    last: FloatArray
    noise_floor: FloatArray | None
    past: FloatArray

    def crps(self, v: int) -> dict[str, FloatArray]:
        """CRPS of variable v against the horizon (T,), by predictor; persistence predicts one value: its error."""
        generator = np.random.default_rng(v)
        picked = self.past[generator.integers(len(self.past), size=(self.truth.shape[1], 100)), v]
        scores = {
            "twin": [crps(self.twin[t, :, :, v], self.truth[t, :, v]).mean() for t in range(len(self.truth))],
            "persistence": np.abs(self.truth[:, :, v] - self.last[:, v]).mean(axis=1),
            "climatology": [crps(picked, now[:, v]).mean() for now in self.truth],
        }
        if self.noise_floor is not None:
            copies = self.noise_floor[..., v]
            scores["noise_floor"] = [crps(copies[t], self.truth[t, :, v]).mean() for t in range(len(self.truth))]
        return {who: np.asarray(values) for who, values in scores.items()}

    def marginal_distance(self, v: int, last: int) -> dict[str, float]:
        """Wasserstein distance of variable v over the `last` intervals from what was measured, by predictor.

        In standard deviations of the history. Climatology is the history itself: how far two samples of the same
        network are apart.
        """
        deviation = self.past[:, v].std() if varies(self.past[:, v]) else 1.0
        truth = self.truth[-last:, :, v].ravel()
        sets = {"twin": self.twin[-last:, :, :, v], "climatology": self.past[:, v]}
        if self.noise_floor is not None:
            sets["noise_floor"] = self.noise_floor[-last:, :, :, v]
        return {who: wasserstein(values.ravel(), truth) / deviation for who, values in sets.items()}

    def relative_mean(self, v: int, last: int) -> dict[str, float]:
        """Mean of variable v over the `last` intervals, over the history's, by predictor; nan where that is 0."""
        mean = float(self.past[:, v].mean()) or float("nan")
        sets = {"twin": self.twin[-last:, :, :, v]}
        if self.noise_floor is not None:
            sets["noise_floor"] = self.noise_floor[-last:, :, :, v]
        return {who: float(values.mean()) / mean for who, values in sets.items()}
