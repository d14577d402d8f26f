"""Scores of predictions: CRPS, likelihood by kernel density, Wasserstein distance, correlations."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from slicing_gym.extras import explained
from twin.data.checks import varies

FloatArray = npt.NDArray[np.float64]


def crps(samples: npt.ArrayLike, truth: npt.ArrayLike) -> FloatArray:
    """Continuous ranked probability score (n,) of L samples (n, L) for n values, in the values' unit.

    E|X - y| - E|X - X'| / 2 with the mean over different pairs, which makes it unbiased whatever L (Ferro 2014).
    """
    drawn, values = np.sort(np.asarray(samples, np.float64), axis=1), np.asarray(truth, np.float64)
    number = drawn.shape[1]
    if number < 2:
        raise ValueError(f"samples: {number} given for each value, allowed are 2 or more")
    ranks = 2.0 * np.arange(1, number + 1) - number - 1.0
    pairs = (drawn * ranks).sum(axis=1) / (number * (number - 1))
    score: FloatArray = np.abs(drawn - values[:, None]).mean(axis=1) - pairs
    return score


def density_nll(samples: npt.ArrayLike, below: npt.ArrayLike, above: npt.ArrayLike) -> FloatArray:
    """Negative log probability (n,) of bins, from L samples (n, L) smoothed by logistic kernels.

    The width of the kernels follows Silverman's rule; a hundredth of the probability is spread widely, so that a value
    that no sample comes near to costs much, but not everything.

    Args:
        samples: on a scale on which the history has mean 0 and variance 1.
        below: lower edge of each value's bin (n,), on that scale.
        above: upper edge (n,).
    """
    drawn = np.asarray(samples, np.float64)
    low, high = np.asarray(below)[:, None], np.asarray(above)[:, None]
    deviation = drawn.std(axis=1, keepdims=True)
    width = np.maximum(0.9 * deviation * drawn.shape[1] ** -0.2, 1e-3) * math.sqrt(3.0) / math.pi
    inside = (_sigmoid((high - drawn) / width) - _sigmoid((low - drawn) / width)).mean(axis=1)
    wide = (_sigmoid(high / 3.0) - _sigmoid(low / 3.0))[:, 0]
    score: FloatArray = -np.log(np.maximum(0.99 * inside + 0.01 * wide, 1e-300))
    return score


def wasserstein(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Wasserstein-1 distance of two sets of values, in the values' unit; exact (the area between their cdfs)."""
    with explained():
        from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(np.ravel(one), np.ravel(other)))


def r_squared(predicted: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Share of the variance that a prediction explains; nan where there is none."""
    values = np.asarray(truth, np.float64)
    return float(1.0 - ((np.asarray(predicted) - values) ** 2).mean() / values.var()) if varies(values) else math.nan


def rank_correlation(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Spearman's: the correlation of the ranks; nan where one of both does not vary."""
    with explained():
        from scipy.stats import spearmanr

    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if np.ptp(first) == 0.0 or np.ptp(second) == 0.0:
        return math.nan
    return float(spearmanr(first, second).statistic)


def _sigmoid(x: FloatArray) -> FloatArray:
    result: FloatArray = 0.5 * (1.0 + np.tanh(0.5 * x))
    return result
