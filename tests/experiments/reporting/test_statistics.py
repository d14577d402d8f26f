"""Means over seeds, and intervals that hold what they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from experiments.reporting.statistics import (
    block_bootstrap,
    bootstrap_interval,
    estimate,
    interquartile_mean,
    over_few_seeds,
    performance_profile,
    probability_of_improvement,
    until_shortest,
)
from experiments.reporting.style import over_seeds


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


def test_a_single_block_has_no_interval():
    found = block_bootstrap(lambda chosen: float(np.arange(20.0)[chosen].mean()), np.zeros(20, int), block=25)
    assert found.mean == 9.5
    assert np.isnan(found.half_width)


def test_resamples_at_once_are_those_one_by_one():
    """Also of curves so long that they are drawn in several goes."""
    for shape in ((3,), (5, 4), (6, 400)):
        values, generator = np.random.default_rng(2).normal(size=shape), np.random.default_rng(0)
        one_by_one = [interquartile_mean(values[generator.integers(shape[0], size=shape[0])]) for _ in range(2000)]
        low, high = np.quantile(np.array(one_by_one), [0.025, 0.975], axis=0, method="nearest")
        found = bootstrap_interval(values)
        np.testing.assert_allclose([found.low, found.high], [low, high], rtol=1e-12)


def test_another_statistic_has_its_own_interval():
    values = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert bootstrap_interval(values).value == 1.0
    assert bootstrap_interval(values, statistic=lambda drawn: drawn.mean(axis=0)).value == 0.75


def test_what_is_infinite_is_shown_as_asked():
    found = bootstrap_interval([1.0, 2.0, np.inf])
    assert found.show(1) == "inf [1.0, inf]"
    assert found.show(1, ">5") == ">5 [1.0, >5]"


def test_probability_of_improvement_is_that_of_mann_and_whitney():
    generator = np.random.default_rng(0)
    one, two = generator.integers(0, 6, 9).astype(float), generator.integers(0, 5, 9).astype(float)  # with ties
    found = probability_of_improvement(one, two)
    assert found.value == pytest.approx(stats.mannwhitneyu(one, two).statistic / 81)
    assert found.low < found.value < found.high
    assert probability_of_improvement(two, one).value == pytest.approx(1.0 - found.value)
    assert probability_of_improvement(one, one).value == 0.5
    assert probability_of_improvement([1.0], [0.0]).show(2) == "1.00"
    assert probability_of_improvement([3.0, 4.0], [0.0, 5.0]).show(2) == "0.50"  # nor of two seeds
    assert probability_of_improvement([3.0, 4.0, 5.0], [1.0, 2.0, 2.5]).show(2) == "1.00 [1.00, 1.00]"
    np.testing.assert_array_equal(probability_of_improvement([3.0, 4.0], [1.0, np.inf])[0], 0.5)


def test_performance_profile_is_the_share_of_runs_that_reach_a_score():
    reached = performance_profile([1.0, 2.0, 4.0], [0.0, 1.0, 1.5, 4.0, 5.0])
    np.testing.assert_allclose(reached.mean(axis=0), [1.0, 1.0, 2 / 3, 1 / 3, 0.0])


def test_curves_end_where_the_shortest_does():
    found = until_shortest([np.arange(3.0), np.arange(5.0)])
    np.testing.assert_array_equal(found, [[0.0, 1.0, 2.0]] * 2)


def test_pictures_say_how_many_seeds_in_words_that_fit():
    assert over_seeds(1) == over_seeds(1, 1) == "one seed"
    assert over_seeds(5) == "5 seeds, 95 % intervals"
    assert over_seeds(5, 1, intervals="shaded") == "1 to 5 seeds, shaded"


def test_what_is_called_an_interval_of_few_seeds_is_said_to_be_their_range():
    assert [float(each) for each in bootstrap_interval([7.0, 9.0])] == [8.0, 7.0, 9.0]
    assert [float(each) for each in bootstrap_interval([7.0, 9.0, 8.0])] == [8.0, 7.0, 9.0]
    assert [float(each) for each in bootstrap_interval([7.0, 9.0, 8.0, 10.0])] == [8.5, 7.0, 10.0]
    assert float(bootstrap_interval([7.0, 9.0, 8.0, 10.0, 6.0]).high) < 10.0
    assert over_few_seeds([5, 2]) == "; of 2 seeds their range"
    assert over_few_seeds([1, 5, 10]) == ""
    assert over_few_seeds([3, 2]) == "; of 2 or 3 seeds their range"
    assert over_seeds(2, 5) == "2 to 5 seeds, 95 % intervals; of 2 seeds their range"
    assert over_seeds(2, intervals="shaded") == "2 seeds, shaded; of 2 seeds their range"
