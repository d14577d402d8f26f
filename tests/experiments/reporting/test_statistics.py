"""Means over seeds, and intervals that hold what they say."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.reporting.statistics import block_bootstrap, bootstrap_interval, estimate, interquartile_mean


def test_interval_is_students():
    mean, half = estimate([1.0, 2.0, 3.0, 4.0])
    assert mean == 2.5
    assert half == pytest.approx(3.1824 * np.sqrt(5 / 3) / 2, rel=1e-4)
    assert str(estimate([1.0])) == "1.000"


def test_interquartile_mean_is_that_of_the_middle_half():
    assert interquartile_mean([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 700.0]) == pytest.approx((2 + 3 + 4 + 5) / 4)
    assert interquartile_mean([3.0, 1.0, 2.0, 90.0, -50.0]) == pytest.approx(2.0)
    np.testing.assert_allclose(interquartile_mean(np.arange(12.0).reshape(4, 3)), [4.5, 5.5, 6.5])
    assert interquartile_mean([1.0, 2.0, 3.0, 4.0, np.inf]) == pytest.approx(3.0)


def test_bootstrap_interval_holds_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        band = bootstrap_interval(generator.normal(3.0, 1.0, 20), resamples=200, seed=1)
        held += bool(band.low <= 3.0 <= band.high)
    assert 0.87 <= held / 200 <= 0.99


def test_of_one_run_there_is_no_interval():
    alone = bootstrap_interval([3.25])
    assert alone.show(2) == "3.25"
    assert np.isnan([alone.low, alone.high]).all()
    assert bootstrap_interval([3.25, 3.25]).show(2) == "3.25 [3.25, 3.25]"


def test_bootstrap_of_curves_is_that_of_each_point_and_the_same_for_a_seed():
    curves = np.random.default_rng(0).normal(size=(6, 4))
    one, same = bootstrap_interval(curves, seed=3), bootstrap_interval(curves, seed=3)
    np.testing.assert_array_equal(one.low, same.low)
    assert one.value.shape == (4,)
    assert (one.low < one.value).all()
    assert (one.value < one.high).all()
    assert bootstrap_interval(curves[:, 1], seed=3).low == one.low[1]
    with pytest.raises(ValueError, match="values: none given"):
        bootstrap_interval([])


def test_blocks_that_belong_together_make_intervals_wider():
    """Decisions that come in stretches of one value are no more than as many values as stretches."""
    values = np.repeat(np.random.default_rng(0).normal(size=40), 25)
    run = np.zeros(1000, int)
    together = block_bootstrap(lambda chosen: values[chosen].mean(), run, block=25)
    apart = block_bootstrap(lambda chosen: values[chosen].mean(), run, block=1)
    assert together.mean == apart.mean == pytest.approx(values.mean())
    assert together.half_width > 3.0 * apart.half_width
