"""Fits in closed form: arrivals and performance from a few decisions, in milliseconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.data.columns import Column
from twin.data.layout import Layout
from twin.models.operations import Floats
from twin.models.parameters import Parameters
from twin.models.per_slice.basis import LOAD_KNOTS, load_place
from twin.models.per_slice.regression import Posterior
from twin.models.per_slice.slices import BOUNDED, TOTAL, ColumnPrior, SliceRegressions
from twin.models.settings import TransitionSettings
from twin.runtime.arrays import Scaler
from twin.runtime.encoding import Encoded, from_scale, ranked_variables, standardised, to_scale
from twin.runtime.model import TwinModel
from twin.runtime.per_slice import read_slices
from twin.runtime.performance import SAMPLES, hats, slice_reader, unit_hats

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

STANDARD = ColumnPrior(smooth=1.0, left_over=0.3, linear=1.0, noise=0.3)
"""Of any other column of a slice; its scale is a standard deviation of the history."""

KNOT_ROWS = 4.0
"""Decisions that the noise over all of them is worth at each knot of a table of the noise."""

KEPT = 0.3
"""What a decision that a twin kept counts when it is calibrated, compared with a fresh one."""


@dataclass(frozen=True)
class Rows:
    """Decisions that a closed form looks at.

    Args:
        features: (n, F).
        measured: what the interval brought (n, V).
        weights: how much each counts (n,).
    """

    features: Floats
    measured: FloatArray
    weights: FloatArray

    @classmethod
    def of(cls, encoded: Encoded) -> Rows:
        """All decisions of a history."""
        return cls(encoded.features, encoded.measured, np.ones(len(encoded.measured)))

    def with_kept(self, model: TwinModel) -> Rows:
        """These and, counting less, those of the windows that a model kept.

        What a decision of a window brought is among the features of the next.
        """
        width, scaler = model.rehearsal.shape[2], model.scaler
        pairs = np.concatenate([model.rehearsal[:, :-1], model.rehearsal[:, 1:]], axis=2).reshape(-1, 2 * width)
        pairs = np.unique(pairs, axis=0)  # windows of a short history overlap
        following = pairs[:, width : width + model.layout.num_variables].astype(np.float64)
        measured = from_scale(scaler, following * scaler.seen_spread + scaler.seen_center)
        return Rows(
            np.ascontiguousarray(np.concatenate([pairs[:, :width], self.features])),
            np.concatenate([measured, self.measured]),
            np.concatenate([np.full(len(pairs), KEPT), self.weights]),
        )


def solve_arrivals(settings: TransitionSettings, scaler: Scaler, rows: Rows, slices: int) -> Parameters:
    """The parameters of a transition that has a closed form."""
    arrivals = standardised(scaler, rows.measured)[:, :slices]
    one = settings.solve(rows.features, arrivals, rows.weights)
    return {f"members.{number}.{name}": array for number in range(settings.members) for name, array in one.items()}


def solve_performance(layout: Layout, scaler: Scaler, rows: Rows, seed: int) -> Parameters:
    """Samples of the posterior of regressions slice by slice, and their noise, as `SliceStepper` reads them."""
    regressed = _Regressed(layout, scaler, rows)
    generator = np.random.default_rng([seed, len(rows.features)])
    slices, columns = layout.scenario.num_slices, len(layout.columns)
    width = regressed.regressions.basis.width
    weights = np.zeros((slices, width, SAMPLES, columns))
    noise = np.zeros((slices, columns, regressed.hats.shape[2], regressed.hats.shape[3]))
    for k, column in enumerate(layout.columns):
        if column.per_slice:
            for n in range(slices):
                solved, scale = regressed.own(k, n), regressed.scale(k, n)
                weights[n, :, :, k] = _samples(solved.posterior, generator, regressed.widening(solved, [n])).T / scale
                noise[n, k] = regressed.noise(solved, n) / scale**2
        else:
            solved, scale = regressed.total(k), regressed.scale(k, 0)
            drawn = _samples(solved.posterior, generator, regressed.widening(solved, range(slices))) / scale
            weights[:, :, :, k] = drawn.reshape(SAMPLES, slices, width).transpose(1, 2, 0)
            noise[:, k] = np.stack([regressed.noise(solved, n) for n in range(slices)]) / scale**2
    if layout.idle is not None:  # units that belong to nobody bring nothing
        weights[layout.idle] = 0.0
    return {
        "weights": weights.reshape(slices, width, -1).astype(np.float32),
        "offset": regressed.offset.astype(np.float32),
        "noise": noise.astype(np.float32),
    }


@dataclass(frozen=True)
class _Solved:
    """A regression, and what it leaves of the n decisions it has seen.

    Args:
        posterior: of its weights.
        residuals: values less what is expected (n,).
        variance: of what is expected (n,).
    """

    posterior: Posterior
    residuals: FloatArray
    variance: FloatArray

    @classmethod
    def of(cls, posterior: Posterior, features: FloatArray, values: FloatArray) -> _Solved:
        """On features (n, width) and values (n,)."""
        return cls(posterior, values - features @ posterior.mean, posterior.deviation(features) ** 2)


class _Regressed:
    """Regressions of all columns on the features of slices; column k is that of the layout."""

    def __init__(self, layout: Layout, scaler: Scaler, rows: Rows) -> None:
        self._layout, self._weights = layout, rows.weights
        slices, number = layout.scenario.num_slices, len(rows.features)
        self._scaler = scaler
        units, loads = np.ones((number, slices), np.int64), np.zeros((number, slices))
        left_over = np.zeros((number, slices))
        read_slices(slice_reader(layout), scaler, np.ascontiguousarray(rows.features), units, loads, left_over)
        self._values = self._modelled(rows.measured)
        own = [k for k, column in enumerate(layout.columns) if column.per_slice]
        cell = [k for k, column in enumerate(layout.columns) if not column.per_slice]
        self._number = {k: i for group in (own, cell) for i, k in enumerate(group)}
        self.regressions = SliceRegressions(layout.num_units, slices, len(own), len(cell))
        parts = [self.regressions.basis.features(units[:, n], loads[:, n], left_over[:, n]) for n in range(slices)]
        self._features = parts
        root = np.sqrt(rows.weights)[:, None]
        for n, (moments, part) in enumerate(zip(self.regressions.own, parts, strict=True)):
            values = np.stack([self._of(k, n) for k in own], axis=1) if own else np.zeros((number, 0))
            moments.add(root * part, root * values)
        totals = np.stack([self._of(k, 0) for k in cell], axis=1) if cell else np.zeros((number, 0))
        self._units = units
        used = [np.zeros_like(part) if n == layout.idle else part for n, part in enumerate(parts)]
        self._together = np.concatenate(used, axis=1)
        self.regressions.total.add(root * self._together, root * totals)
        axis = unit_hats(layout)[units - 1]  # (n, S, U)
        self.hats = axis[..., None] * hats(load_place(loads), LOAD_KNOTS)[:, :, None, :]  # (n, S, U, B)

    def _modelled(self, measured: FloatArray) -> FloatArray:
        """Values (n, P) as they are regressed: ratios less 1, sums as they are, all else standardised.

        `offset` is what 0 means there, and `_scales` what a standard deviation of the history is.
        """
        scaler, slices = self._scaler, self._layout.scenario.num_slices
        values, center, spread = to_scale(scaler, measured), scaler.center.copy(), scaler.spread.copy()
        by_rank = ranked_variables(scaler)
        values[:, by_rank] = standardised(scaler, measured)[:, by_rank]
        center[by_rank], spread[by_rank] = 0.0, 1.0
        values, center, spread = values[:, slices:], center[slices:], spread[slices:]
        base, unit = np.zeros(values.shape[1]), np.ones(values.shape[1])
        for v, (_, column) in enumerate(self._layout.variables[slices:]):
            if _is_ratio(column):
                base[v] = 1.0
            elif column.per_slice:
                base[v], unit[v] = center[v], spread[v]
        self.offset, self._scales = (base - center) / spread, spread / unit
        found: FloatArray = (values - base) / unit
        return found

    def _place(self, k: int, n: int) -> int:
        """The performance variable of column k, of slice n if each has one."""
        column = self._layout.columns[k]
        first: int = self._layout.place(column.name).start - self._layout.scenario.num_slices
        return first + n if column.per_slice else first

    def _of(self, k: int, n: int) -> FloatArray:
        found: FloatArray = self._values[:, self._place(k, n)]
        return found

    def scale(self, k: int, n: int) -> float:
        """A standard deviation of the history, as the column is regressed."""
        return float(self._scales[self._place(k, n)])

    def own(self, k: int, n: int) -> _Solved:
        """Of a column of slice n."""
        prior = BOUNDED if _is_ratio(self._layout.columns[k]) else STANDARD
        found = self.regressions.own_posterior(n, self._number[k], prior)
        return _Solved.of(found, self._features[n], self._of(k, n))

    def total(self, k: int) -> _Solved:
        """Of a column of the cell."""
        found = self.regressions.total_posterior(self._number[k], TOTAL)
        return _Solved.of(found, self._together, self._of(k, 0))

    def widening(self, solved: _Solved, slices: Iterable[int]) -> float:
        """By how much samples lie further apart for what the form lacks, by the units of these slices.

        What the posterior leaves out is the mean square by which residuals with equal units lie off zero. That is the
        lack of fit of an analysis of variance (Draper and Smith 1998, section 2.1), beyond what the noise within equal
        units explains.
        """
        lacking = sum(_lack_of_fit(solved.residuals, self._units[:, n]) for n in slices)
        return float(np.sqrt(1.0 + lacking / solved.variance.mean()))

    def noise(self, solved: _Solved, n: int) -> FloatArray:
        """The variance around what is expected at the knots (U, B) of slice n.

        Means of squared residuals, made larger by what the fit itself took of them; the noise over all decisions is the
        prior (inverse gamma).
        """
        found = solved.posterior
        squares = solved.residuals**2 / (1.0 - np.minimum(solved.variance / found.noise**2, 0.9))
        near = self.hats[:, n] * self._weights[:, None, None]
        summed = np.tensordot(squares, near, 1)
        variance: FloatArray = (KNOT_ROWS * found.noise**2 + summed) / (KNOT_ROWS + near.sum(axis=0))
        return variance


def _lack_of_fit(residuals: FloatArray, units: IntArray) -> float:
    """Variance of residuals (n,) between numbers of units (n,), less what the variance within them explains."""
    counts = np.bincount(units)
    sums, squares = (np.bincount(units, values) for values in (residuals, residuals**2))
    told = counts > 1
    counts, sums, squares = counts[told], sums[told], squares[told]
    if len(counts) == 0:
        return 0.0
    within = np.maximum(squares - sums**2 / counts, 0.0) / (counts - 1)
    return max(float((sums**2 / counts - within).sum() / counts.sum()), 0.0)


def _samples(found: Posterior, generator: np.random.Generator, widening: float) -> FloatArray:
    """Weights (SAMPLES, width) with exactly the posterior's mean, and on average `widening` times its deviation."""
    drawn = np.stack([found.sample(generator) for _ in range(SAMPLES)])
    apart: FloatArray = (drawn - drawn.mean(axis=0)) * np.sqrt(SAMPLES / (SAMPLES - 1)) * widening
    return found.mean + apart


def _is_ratio(column: Column) -> bool:
    """Whether the column is a ratio between 0 and 1 of each slice, as the SSR."""
    return column.per_slice and (column.lower, column.upper, column.transform) == (0.0, 1.0, "identity")
