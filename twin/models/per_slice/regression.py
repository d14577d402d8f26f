"""Bayesian linear regression in closed form: what was seen as sums, the posterior of the weights, samples of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slicing_gym.exclusive import OwnArrays
from slicing_gym.extras import explained

FloatArray = npt.NDArray[np.float64]

PRIOR_ROWS = 10.0
"""Rows of data that the prior of the noise is worth."""


class Moments(OwnArrays):
    """All that a regression needs to know of the rows it has seen: sums of their products.

    Args:
        width: features of a row.
        columns: values that are regressed on the same features.

    Attributes:
        products: sum of the outer products of the features (width, width).
        cross: sum of features times values (columns, width).
        squares: sum of the values' squares (columns,).
        count: of rows.
    """

    def __init__(self, width: int, columns: int) -> None:
        self.products = np.zeros((width, width))
        self.cross = np.zeros((columns, width))
        self.squares = np.zeros(columns)
        self.count = 0.0

    def add(self, features: FloatArray, values: FloatArray) -> None:
        """Rows of features (n, width) and values (n, columns)."""
        self.products += features.T @ features
        self.cross += values.T @ features
        self.squares += (values**2).sum(axis=0)
        self.count += len(features)

    def fade(self, factor: float) -> None:
        """Let all that was seen count so much less."""
        self.products *= factor
        self.cross *= factor
        self.squares *= factor
        self.count *= factor

    def state(self) -> dict[str, FloatArray]:
        """Copies of the sums by name."""
        return {
            "products": self.products.copy(),
            "cross": self.cross.copy(),
            "squares": self.squares.copy(),
            "count": np.array([self.count]),
        }

    def restore(self, state: dict[str, npt.NDArray[np.float64]]) -> None:
        """Go back to what `state` gave."""
        self.products, self.cross, self.squares = (state[name].copy() for name in ("products", "cross", "squares"))
        self.count = float(state["count"][0])


@dataclass(frozen=True)
class Posterior:
    """The weights of a regression: normal, with this mean, and the inverse of factor @ factor.T as covariance.

    Args:
        mean: (width,).
        factor: lower triangular (width, width), in units of the weights' prior.
        scales: prior standard deviations (width,).
        noise: standard deviation of a value around what is expected.
    """

    mean: FloatArray
    factor: FloatArray
    scales: FloatArray
    noise: float

    def sample(self, generator: np.random.Generator, spread: float = 1.0) -> FloatArray:
        """Weights (width,) drawn at random, `spread` times as far from their mean as they are likely to be."""
        drawn = generator.standard_normal(len(self.mean))
        return self.mean + spread * self.scales * _solved(self.factor, drawn, transposed=True)

    def deviation(self, features: FloatArray) -> FloatArray:
        """The standard deviation (n,) of what is expected for features (n, width)."""
        whitened = _solved(self.factor, (features * self.scales).T)
        found: FloatArray = np.sqrt((whitened**2).sum(axis=0))
        return found


def posterior(
    moments: Moments, column: int, scales: FloatArray, noise: float, noise_ratio: float | None = None
) -> Posterior:
    """The posterior of the weights of one column.

    Args:
        moments: of the rows.
        column: number of it.
        scales: standard deviation of each weight a priori (width,); 0 leaves the feature out.
        noise: what the standard deviation of a value around what is expected is taken to be at first.
        noise_ratio: what it was found to be a few rows before, over that; None: it is found from the rows now, which
            takes a solution more.
    """
    if noise_ratio is None:
        noise_ratio = find_noise_ratio(moments, column, _posterior(moments, column, scales, noise).mean, noise)
    return _posterior(moments, column, scales, noise_ratio * noise)


def find_noise_ratio(moments: Moments, column: int, mean: FloatArray, noise: float) -> float:
    """The standard deviation of the rows around what is expected, over `noise`, which is worth some rows.

    It is a tenth at least: rows that do not differ would else be believed to the last digit, and be more than the
    factors can resolve.
    """
    squares = moments.squares[column] - 2.0 * mean @ moments.cross[column] + mean @ moments.products @ mean
    variance = PRIOR_ROWS + max(float(squares), 0.0) / noise**2
    return max(float(np.sqrt(variance / (PRIOR_ROWS + moments.count))), 0.1)


def _posterior(moments: Moments, column: int, scales: FloatArray, noise: float) -> Posterior:
    precision: FloatArray = moments.products * np.outer(scales, scales) / noise**2
    precision[np.diag_indices_from(precision)] += 1.0
    factor = np.asarray(np.linalg.cholesky(precision), np.float64)
    half = _solved(factor, scales * moments.cross[column] / noise**2)
    return Posterior(scales * _solved(factor, half, transposed=True), factor, scales, noise)


def _solved(factor: FloatArray, values: FloatArray, transposed: bool = False) -> FloatArray:
    """The solution of factor @ x = values, or of factor.T @ x = values."""
    with explained():
        from scipy.linalg import solve_triangular  # of the extra `train`, which fitting needs too

    found: FloatArray = solve_triangular(factor, values, lower=True, trans=int(transposed), check_finite=False)
    return found
