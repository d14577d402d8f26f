"""Traffic as it was measured: drawn by its quantiles, replayed by the cell's random stream, held by files."""

from __future__ import annotations

import json
import math

import gymnasium as gym
import numpy as np
import pytest
from scipy import stats

from slicing_gym import Constant, Daily, Empirical, Scenario, Simulator, Trace, Traffic, distributions, draws, traffic
from slicing_gym.counter_rng import STREAM_PACKET_SIZE, cell_key, counter
from slicing_gym.distributions import parameter_row
from slicing_gym.measured import MOST_LEVELS, numbers

HEAVY = np.random.default_rng(0).lognormal(6.0, 1.8, 4000)
LEVELS = tuple((np.arange(1, 51) / 50).tolist())


def drawn(distribution: Empirical, number: int = 50_000) -> np.ndarray:
    row, key = parameter_row("empirical", distribution, 1.0), cell_key(9)
    return np.array([draws.draw(distribution.code, row, key, counter(STREAM_PACKET_SIZE, 0, i)) for i in range(number)])


def test_draws_are_those_of_the_samples():
    found = Empirical.of(HEAVY)
    numbers = drawn(found)
    assert stats.ks_2samp(numbers, HEAVY).statistic < 0.02
    assert found.mean == pytest.approx(HEAVY.mean(), rel=0.03)
    assert numbers.mean() == pytest.approx(found.mean, abs=4.5 * numbers.std() / math.sqrt(len(numbers)))
    assert numbers.max() <= found.largest == pytest.approx(HEAVY.max(), rel=1e-5)


def test_a_value_that_is_often_taken_is_often_drawn():
    numbers = drawn(Empirical.of([40.0] * 60 + [1500.0] * 40))
    assert (numbers == 40.0).mean() == pytest.approx(0.6, abs=0.02)
    assert (numbers == 1500.0).mean() == pytest.approx(0.4, abs=0.03)


def test_knots_are_evenly_spaced_if_nothing_is_said():
    assert Empirical((0.0, 1.0, 4.0)).shares == (0.0, 0.5, 1.0)
    assert Empirical((0.0, 1.0, 4.0)).mean == pytest.approx(0.25 + 1.25)


@pytest.fixture
def traced(small) -> Scenario:
    return small.replace(slices={"calls": {"traffic": {"active_users": Trace(LEVELS, window_decisions=20)}}})


def test_a_window_of_the_trace_is_an_episode(traced):
    """Consecutive levels within a window; which one is drawn by the cell."""
    traced = traced.replace(slices={"data": {"traffic": {"active_users": Trace(LEVELS, window_decisions=20)}}})
    simulator = Simulator(traced, range(300))
    levels = []
    for _ in range(40):
        simulator.advance([4, 4])
        levels.append(simulator.levels[:, :, 0])
    places = np.rint(np.array(levels) * 50).astype(int) - 1  # (40, 300, slices)
    np.testing.assert_array_equal(places[..., 0], places[..., 1])  # measured together, replayed together
    steps = np.diff(places[..., 0], axis=0) % 50
    assert (np.delete(steps, 19, axis=0) == 1).all()
    assert (steps[19] == 1).mean() < 0.1
    assert stats.chisquare(np.bincount(places[0, :, 0], minlength=50)).pvalue > 1e-3
    assert np.mean(levels) == pytest.approx(Trace(LEVELS).mean, abs=0.02)


def test_the_load_of_two_traces_is_that_of_their_product():
    one, other = Trace(LEVELS, 20), Trace(LEVELS[::-1], 20)
    both = Traffic(Constant(1.0), Constant(1.0), one, other)
    assert both.mean_load == pytest.approx(np.mean(np.multiply(LEVELS, LEVELS[::-1])))
    assert Traffic(Constant(1.0), Constant(1.0), one, Daily(0.5, 1.5)).mean_load == pytest.approx(one.mean)
    with pytest.raises(ValueError, match=r"intensity: Trace.* allowed is one of the same length"):
        _ = Traffic(Constant(1.0), Constant(1.0), one, Trace((1.0, 2.0))).mean_load


def test_an_environment_sees_the_levels_of_its_cell(traced):
    traced = traced.replace(decisions_per_episode=50)
    env, envs = (gym.make("SliceRAN-v0", scenario=traced), gym.make_vec("SliceRAN-v0", num_envs=3, scenario=traced))
    many, _ = envs.reset(seed=[5, 6, 7])
    one, _ = env.reset(seed=6)
    for _ in range(45):
        np.testing.assert_array_equal(one, many[1])
        one, *_ = env.step(3)
        many, *_ = envs.step([3, 3, 3])


def test_files_hold_long_traces_as_a_text(traced, tmp_path):
    long = Trace(tuple(np.random.default_rng(1).random(MOST_LEVELS).round(4).tolist()))
    scenario = traced.replace(
        slices={"data": {"traffic": {"active_users": long, "packet_size_byte": Empirical.of(HEAVY)}}}
    )
    text = json.dumps(scenario.to_dict())
    assert len(text) < 90_000
    assert Scenario.from_dict(json.loads(text)) == scenario
    assert 'levels": "0.02 0.04 0.06' in text
    assert len(repr(scenario)) < 2_000
    simulator = Simulator(scenario, [1])
    simulator.save(tmp_path / "cells.npz")
    np.testing.assert_array_equal(
        Simulator.load(tmp_path / "cells.npz").advance([4, 4]).arrivals, simulator.advance([4, 4]).arrivals
    )


@pytest.mark.parametrize("part", [Empirical((1.0, 2.0)), Empirical.of(HEAVY), Trace((0.5,)), Trace(LEVELS, 7)])
def test_plain_data_round_trip(part):
    kinds = distributions.DISTRIBUTIONS if isinstance(part, Empirical) else traffic.PROFILES
    assert traffic.from_dict("key", json.loads(json.dumps(traffic.to_dict(part))), kinds) == part


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Empirical((1.0,)), "values: 1 given, allowed is 2 to 512"),
        (lambda: Empirical((2.0, 1.0)), "values: 1.0 follows 2.0, allowed are rising numbers"),
        (lambda: Empirical((0.0, 0.0)), "values: all are 0"),
        (lambda: Empirical((-1.0, 0.0)), "values: -1.0 given"),
        (lambda: Empirical((1.0, 2.0), (0.0, 0.0)), "shares: 0.0 follows 0.0"),
        (lambda: Empirical((1.0, 2.0), (0.0, 0.9)), "shares: 0.0 to 0.9 given, allowed is 0 to 1"),
        (lambda: Empirical((1.0, 2.0), (0.0, 0.9, 1.0)), "shares: 3 given, allowed is 2 to 2"),
        (lambda: Empirical("1 2 x"), "values: could not convert string to float: 'x'"),
        (lambda: Empirical.of([]), "samples: none given"),
        (lambda: Empirical.of([1.0, math.nan]), "samples: none given, or not all finite"),
        (lambda: Trace(()), "levels: 0 given, allowed is 1 to 10000"),
        (lambda: Trace((1.0,) * 10_001), "levels: 10001 given"),
        (lambda: Trace((1.0,), 0), "window_decisions: 0 given, allowed is 1 to"),
        (
            lambda: numbers("levels", [], at_least=3, at_most=2),
            "levels: 0 given, allowed is none here: 3 or more, and 2",
        ),
        (lambda: Trace(1.0), "levels: 1.0 given, allowed is one of tuple, list, str"),
        (lambda: Traffic(Constant(1.0), Constant(1.0), Trace((0.0, 0.0))), "active_users: the level is always 0"),
        (lambda: Traffic(Constant(1.0), Constant(1.0), Trace((0.5, 1.5))), "active_users: 1.5 is the highest level"),
        (lambda: Traffic(Constant(1.0), Constant(1.0), intensity=Trace((0.0, 1.0))), "intensity: 0.0 is the lowest"),
    ],
)
def test_what_is_no_measurement_is_refused_by_name(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()
