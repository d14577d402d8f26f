"""What each slice brings, learned from a few decisions: regressions of its own columns and of those of the cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.models.per_slice.basis import SliceBasis
from twin.models.per_slice.regression import Moments, Posterior, posterior

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ColumnPrior:
    """What is believed of a column before anything is seen, in units of `scale`.

    Args:
        smooth: standard deviation of a slice's values, smooth in its units and its load.
        left_over: of the effect of what was left unserved.
        linear: of what all units bring, as far as that grows in proportion to the units.
        noise: standard deviation of a value around what is expected, at first.
    """

    smooth: float
    left_over: float
    linear: float
    noise: float


BOUNDED = ColumnPrior(smooth=0.7, left_over=0.3, linear=0.0, noise=0.04)
"""Of a ratio between 0 and 1 such as the SSR; its scale is 1."""

TOTAL = ColumnPrior(smooth=0.04, left_over=0.04, linear=1.0, noise=0.06)
"""Of a sum over the slices such as the SE; its scale is the size of the values seen."""


class SliceRegressions:
    """Regressions of what S slices bring on their own units, loads and what they left unserved.

    Columns of a slice have a regression each. A column of the cell is known as the sum over the slices alone, so its
    regression has the features of all slices side by side (an additive model), whose terms are found together.

    Args:
        num_units: units that are shared out.
        num_slices: S.
        own: columns that each slice has a value of.
        totals: columns of the cell.
    """

    def __init__(self, num_units: int, num_slices: int, own: int = 1, totals: int = 1) -> None:
        self.basis = SliceBasis(num_units, num_slices)
        self.own = [Moments(self.basis.width, own) for _ in range(num_slices)]
        self.total = Moments(self.basis.width * num_slices, totals)

    def add(
        self, units: IntArray, loads: FloatArray, left_over: FloatArray, own: FloatArray, totals: FloatArray
    ) -> None:
        """Intervals: units, loads and what was left over (n, S), own values (n, S, own) and totals (n, totals)."""
        parts = [self.basis.features(units[:, n], loads[:, n], left_over[:, n]) for n in range(len(self.own))]
        for moments, features, values in zip(self.own, parts, np.moveaxis(own, 1, 0), strict=True):
            moments.add(features, values)
        self.total.add(np.concatenate(parts, axis=1), totals)

    def fade(self, factor: float) -> None:
        """Let all that was seen count so much less."""
        for moments in (*self.own, self.total):
            moments.fade(factor)

    def own_posterior(self, n: int, column: int, prior: ColumnPrior, noise_ratio: float | None = None) -> Posterior:
        """Of a slice's column; the noise as in `posterior`."""
        return posterior(self.own[n], column, self._scales(prior, 1.0), prior.noise, noise_ratio)

    def total_posterior(self, column: int, prior: ColumnPrior, noise_ratio: float | None = None) -> Posterior:
        """Of a column of the cell; the weights of the slices one after the other."""
        scale = self.total_scale(column)
        scales = np.tile(self._scales(prior, scale), len(self.own))
        return posterior(self.total, column, scales, prior.noise * scale, noise_ratio)

    def total_scale(self, column: int) -> float:
        """The size of the values of a column of the cell."""
        return max(float(np.sqrt(self.total.squares[column] / max(self.total.count, 1e-12))), 1e-6)

    def _scales(self, prior: ColumnPrior, scale: float) -> FloatArray:
        return scale * np.repeat([prior.smooth, prior.left_over, prior.linear], self.basis.groups)

    def evaluate(self, weights: FloatArray, loads: FloatArray, left_over: FloatArray) -> FloatArray:
        """What weights say of 1 to M units.

        Args:
            weights: of each row and slice (k, S, width).
            loads: (k, S).
            left_over: (k, S), or (k, S, M) of each number of units its own.

        Returns:
            Values (k, S, M). A batch has the bits of its rows.
        """
        basis = self.basis
        first, second = basis.groups[0], basis.groups[0] + basis.groups[1]
        load = basis.load(loads)  # (k, S, B)
        smooth = weights[..., :first].reshape(*weights.shape[:-1], basis.units.shape[1], load.shape[-1])
        along = (smooth * load[..., None, :]).sum(axis=-1)  # (k, S, A)
        left = left_over if left_over.ndim == loads.ndim + 1 else left_over[..., None]
        found: FloatArray = (basis.units * along[..., None, :]).sum(axis=-1)
        found += left * (basis.units * weights[..., None, first:second]).sum(axis=-1)
        found += basis.share * (weights[..., second:] * load).sum(axis=-1)[..., None]
        return found

    def state(self) -> dict[str, FloatArray]:
        """All that was seen, by name."""
        parts = {f"own.{n}": moments for n, moments in enumerate(self.own)} | {"total": self.total}
        return {f"{key}.{name}": array for key, moments in parts.items() for name, array in moments.state().items()}

    def restore(self, state: dict[str, FloatArray]) -> None:
        """Go back to what `state` gave."""
        for key, moments in ({f"own.{n}": each for n, each in enumerate(self.own)} | {"total": self.total}).items():
            prefix = f"{key}."
            moments.restore({name.removeprefix(prefix): a for name, a in state.items() if name.startswith(prefix)})
