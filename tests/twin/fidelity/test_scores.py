"""Scores against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from twin.fidelity.scores import crps, density_nll, r_squared, rank_correlation, wasserstein


def test_crps_is_that_of_the_normal_distribution():
    """Gneiting and Raftery (2007), equation 21."""
    generator = np.random.default_rng(0)
    truth = np.array([-1.0, 0.0, 0.5, 3.0])
    closed = truth * (2.0 * stats.norm.cdf(truth) - 1.0) + 2.0 * stats.norm.pdf(truth) - 1.0 / np.sqrt(np.pi)
    np.testing.assert_allclose(crps(generator.normal(size=(4, 40_000)), truth), closed, atol=0.02)
    few = crps(generator.normal(size=(4 * 20_000, 5)), np.repeat(truth, 20_000)).reshape(4, -1).mean(axis=1)
    np.testing.assert_allclose(few, closed, atol=0.02)  # unbiased with five samples too
    with pytest.raises(ValueError, match="samples: 1 given"):
        crps(np.zeros((3, 1)), np.zeros(3))


def test_density_is_nearly_that_of_the_samples():
    generator = np.random.default_rng(0)
    truth = np.linspace(-2.0, 2.0, 9)
    found = density_nll(generator.normal(size=(9, 5000)), truth - 0.05, truth + 0.05)
    exact = -np.log(stats.norm.cdf(truth + 0.05) - stats.norm.cdf(truth - 0.05))
    np.testing.assert_allclose(found, exact, atol=0.12)
    far = density_nll(np.zeros((1, 10)), [20.0], [20.1])
    assert np.isfinite(far[0])
    assert far[0] > 8.0


def test_distances_and_correlations():
    generator = np.random.default_rng(1)
    sample = generator.normal(size=5000)
    assert wasserstein(sample, sample + 0.7) == pytest.approx(0.7)
    assert wasserstein(sample, 2.0 * sample) == pytest.approx(np.abs(sample).mean())  # sorted alike, so pair by pair
    assert wasserstein([0.0, 1.0], [[0.0], [0.0], [3.0]]) == pytest.approx(1.0 / 6.0 + 2.0 / 3.0)
    assert rank_correlation([1, 2, 3, 4], [1, 2, 40, 30]) == pytest.approx(1.0 - 6.0 * 2.0 / (4 * 15))
    assert rank_correlation([1, 1, 2], [3, 3, 5]) == pytest.approx(1.0)  # equal values share a rank
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5)))
    assert np.isnan(r_squared(np.zeros(45), np.full(45, 0.3)))  # whose mean is not quite 0.3
    assert r_squared([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == 1.0
    assert r_squared([2.0, 2.0, 2.0], [1.0, 2.0, 3.0]) == 0.0
