"""The autoregression in closed form: between climatology and persistence, and what its step computes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from twin.models import AutoregressiveSettings

SETTINGS = AutoregressiveSettings()


def series(persistence, number, seed=0, size=1.0):
    """Standardised arrivals (n, 1) of one slice, and those that followed."""
    generator, values = np.random.default_rng(seed), [0.0]
    for _ in range(number):
        values.append(persistence * values[-1] + size * generator.normal())
    found = np.array(values)
    return found[:-1, None].astype(np.float32), found[1:, None]


@pytest.mark.parametrize("persistence", [0.0, 0.6, 1.0])
def test_many_decisions_tell_the_persistence_and_the_spread(persistence):
    before, after = series(persistence, 4000)
    found = SETTINGS.solve(before, after, np.ones(4000))
    assert found["persistence"][0] == pytest.approx(persistence, abs=0.03)
    assert math.exp(found["log_scale"][0]) * math.pi / math.sqrt(3.0) == pytest.approx(1.0, abs=0.03)


def test_a_few_decisions_are_between_the_prior_and_what_they_say():
    """Against least squares around the means, the prior as a decision more: two from the mean, half of it kept."""
    before, after = series(1.0, 8)
    means = before.mean(), after.mean()
    x, y = np.append(before[:, 0] - means[0], 2.0), np.append(after[:, 0] - means[1], 2.0 * 0.5)
    found = SETTINGS.solve(before, after, np.ones(8))
    assert found["persistence"][0] == pytest.approx(x @ y / (x @ x), abs=1e-5)
    assert found["center"][0] + found["persistence"][0] * means[0] == pytest.approx(means[1], abs=1e-5)


def test_arrivals_that_never_change_keep_a_spread():
    found = SETTINGS.solve(np.zeros((8, 1), np.float32), np.zeros((8, 1)), np.ones(8))
    assert 0.05 < math.exp(found["log_scale"][0]) < 0.5


def test_decisions_count_as_much_as_their_weights_say():
    before, after = series(0.7, 30)
    twice = SETTINGS.solve(np.repeat(before, 2, axis=0), np.repeat(after, 2, axis=0), np.ones(60))
    weighted = SETTINGS.solve(before, after, np.full(30, 2.0))
    for name, values in twice.items():
        np.testing.assert_allclose(weighted[name], values, rtol=1e-5)


def test_the_step_writes_location_and_scale():
    weights = SETTINGS.step_arrays(
        {
            "center": np.array([0.5, 0.0], np.float32),
            "persistence": np.array([0.5, 1.0], np.float32),
            "log_scale": np.array([-1.0, -2.0], np.float32),
        }
    )
    raw, features = np.full((3, 1, 5), np.nan, np.float32), np.array([[0, 0], [2, 4], [9, 9]], np.float32)
    SETTINGS.step(
        weights, 0, np.array([1]), features, np.zeros((3, 1, 0), np.float32), np.zeros(3, int), raw, raw[0, 0]
    )
    assert raw[1, 0].tolist() == [0.0, 1.5, 4.0, -1.0, -2.0]
    assert np.isnan(raw[[0, 2]]).all()


@pytest.mark.parametrize("key", ["members", "components"])
def test_there_is_one_of_it(key):
    with pytest.raises(ValueError, match=rf"transition.{key} \(of autoregressive\): 2 given"):
        AutoregressiveSettings(**{key: 2})
