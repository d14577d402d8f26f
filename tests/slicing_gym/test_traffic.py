from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from slicing_gym import (
    Choice,
    Constant,
    Daily,
    Drift,
    Empirical,
    Exponential,
    Jumps,
    Lomax,
    Simulator,
    Steady,
    Traffic,
    Uniform,
    distributions,
    draws,
    traffic,
)
from slicing_gym.counter_rng import STREAM_PACKET_SIZE, cell_key, counter
from slicing_gym.distributions import MAX_PARAMETERS

DISTRIBUTIONS = {
    "constant": (Constant(3.0), None),
    "uniform": (Uniform(1.0, 4.0), stats.uniform(1.0, 3.0)),
    "exponential": (Exponential(2.0), stats.expon(scale=2.0)),
    "truncated exponential": (Exponential(2.0, maximum=3.0), stats.expon(scale=2.0)),
    "lomax": (Lomax(3.0, 2.0), stats.lomax(3.0, scale=2.0)),
    "truncated lomax": (Lomax(1.2, 100.0, maximum=250.0), stats.lomax(1.2, scale=100.0)),
    "choice": (Choice((1.0, 2.0, 5.0)), None),
}


def sample(distribution, factor=1.0, n=50_000):
    parameters = np.zeros(MAX_PARAMETERS)
    values = distribution.parameters(factor)
    parameters[: len(values)] = values
    key = cell_key(9)
    return np.array(
        [draws.draw(distribution.code, parameters, key, counter(STREAM_PACKET_SIZE, 0, i)) for i in range(n)]
    )


def by_quadrature(survival, maximum, scale):
    """The integral of the survival function up to the maximum, over v with x = scale (e^v - 1): smooth at both ends."""
    end = math.log1p(maximum / scale)
    return quad(lambda v: survival(math.expm1(v)) * scale * math.exp(v), 0.0, end, epsrel=1e-12, limit=200)[0]


@given(st.floats(-17.0, 3.0), st.floats(-9.0, 9.0), st.floats(-9.0, 1.0))
@example(-17.0, 0.0, 0.0)  # Lomax(2, 1, maximum=1e-17)
def test_means_of_truncated_distributions_are_those_of_a_quadrature(maximum, scale, shape):
    scale, shape = 10.0**scale, 1.0 + 10.0**shape
    maximum = scale * 10.0**maximum
    found = Lomax(shape, scale, maximum).mean
    assert found == pytest.approx(
        by_quadrature(lambda x: math.exp(-shape * math.log1p(x)), maximum, scale), rel=1e-9, abs=0.0
    )
    assert 0.0 < found <= maximum * (1.0 + 1e-12)
    found = Exponential(scale, maximum).mean
    assert found == pytest.approx(by_quadrature(lambda x: math.exp(-x), maximum, scale), rel=1e-9, abs=0.0)


def test_a_maximum_so_far_beyond_the_scale_that_no_double_holds_their_ratio():
    found = Lomax(1.0 + 1e-9, 0.1, 1e308).mean
    assert found == pytest.approx(0.1 * math.log(10.0) * 309.0, rel=1e-5)  # the rate is next to none
    assert found == pytest.approx(Lomax(1.0 + 1e-9, 0.1, 1e306).mean, rel=0.01)


@given(st.floats(1e-12, 1e12), st.floats(-16.0, 20.0))
def test_the_mean_of_a_random_profile_is_that_of_a_quadrature(low, spread):
    high = min(low * (1.0 + 10.0**spread), 1e12)
    assume(high > low)
    width = math.log1p((high - low) / low)
    mean = quad(lambda v: low * math.exp(v * width), 0.0, 1.0, epsrel=1e-12)[0]
    assert Jumps(low, high).mean == pytest.approx(mean, rel=1e-7)


@pytest.mark.parametrize(
    "distribution",
    [
        Lomax(2, 1, maximum=1e-17),
        Exponential(1e12, maximum=5e-324),
        Uniform(0.0, 5e-324),
        Constant(5e-324),
        Choice((5e-324,)),
        Empirical((0.0, 5e-324)),
    ],
)
def test_gaps_and_sizes_that_no_counter_holds_are_refused(distribution):
    with pytest.raises(ValueError, match=r"^interarrival_s \(\w+\)\.mean: .* given, allowed is at least 1e-15"):
        Traffic(distribution, Constant(1.0))
    with pytest.raises(ValueError, match=r"^packet_size_byte \(\w+\)\.mean: "):
        Traffic(Constant(1.0), distribution)


def test_a_range_that_no_float_divides():
    assert math.isfinite(Jumps(5e-324, 1e12).mean)
    assert 0.0 < Jumps(5e-324, 1e12).mean < 1e12


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_drawn_as_described(name):
    distribution, law = DISTRIBUTIONS[name]
    drawn = sample(distribution)
    assert drawn.mean() == pytest.approx(distribution.mean, abs=4.5 * drawn.std() / math.sqrt(len(drawn)) + 1e-12)
    assert drawn.max() <= distribution.largest
    if law is not None:
        below = drawn[drawn < distribution.largest]
        top = law.cdf(distribution.largest)
        assert stats.kstest(below, lambda x: law.cdf(x) / top).pvalue > 1e-3
        assert len(below) / len(drawn) == pytest.approx(top, abs=4.5 * math.sqrt(top * (1 - top) / len(drawn)) + 1e-12)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_factor_changes_the_unit(name):
    distribution, _ = DISTRIBUTIONS[name]
    np.testing.assert_allclose(sample(distribution, 8.0, 100), 8.0 * sample(distribution, 1.0, 100), rtol=1e-12)


def test_choice_takes_every_value_equally_often():
    values, counts = np.unique(sample(Choice((1.0, 2.0, 5.0))), return_counts=True)
    assert values.tolist() == [1.0, 2.0, 5.0]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_daily_profile_peaks_where_it_says(small):
    profile = Daily(0.2, 1.0, period_decisions=20, peak=0.25)
    simulator = Simulator(small.replace(slices={"calls": {"traffic": {"active_users": profile}}}))
    levels = []
    for _ in range(40):
        simulator.advance([4, 4])
        levels.append(simulator.levels[0, 0, 0])
    assert np.argmax(levels[:20]) == 5
    assert levels[5] == pytest.approx(1.0)
    assert levels[15] == pytest.approx(0.2)
    np.testing.assert_allclose(levels[:20], levels[20:], atol=1e-12)
    assert np.mean(levels) == pytest.approx(profile.mean)


@pytest.mark.parametrize("profile", [Jumps(0.1, 1.0, mean_decisions=5.0), Drift(0.1, 1.0, knot_decisions=5.0)])
def test_random_profiles_have_their_mean_and_range(small, profile):
    simulator = Simulator(small.replace(slices={"calls": {"traffic": {"intensity": profile}}}), range(400))
    levels = []
    for _ in range(40):
        simulator.advance([4, 4])
        levels.append(simulator.levels[:, 0, 1])
    levels = np.array(levels)
    assert levels.min() >= 0.1
    assert levels.max() <= 1.0
    assert levels.mean() == pytest.approx(profile.mean, abs=4.5 * levels.mean(0).std() / 20)
    changes = (np.diff(levels, axis=0) != 0.0).mean()
    assert changes == pytest.approx(0.2 if isinstance(profile, Jumps) else 1.0, abs=0.02)


def test_a_day_begins_with_the_episode(small):
    """Warm-ups do not move the clock of the load, and the end of an episode, early or not, takes it to a whole one."""
    profile = Daily(0.2, 1.0, period_decisions=10, peak=0.0)
    simulator = Simulator(small.replace(slices={"calls": {"traffic": {"active_users": profile}}}))
    for decisions in (10, 10, 3, 0, 10):
        simulator.clear()
        simulator.warm_up()
        assert simulator.levels[0, 0, 0] == pytest.approx(1.0)
        for _ in range(decisions):
            simulator.advance([4, 4])
    assert simulator.levels[0, 0, 0] == pytest.approx(profile.low + 0.8 * 0.5 * (1 + math.cos(2 * math.pi * 0.9)))


@pytest.mark.parametrize("peak", [0.0, 0.25, 0.5])
def test_mean_load_of_two_cosines(peak):
    traffic = Traffic(Constant(1.0), Constant(1.0), Daily(0.1, 0.9, 20), Daily(0.5, 1.5, 20, peak))
    phases = 2 * np.pi * np.arange(20) / 20
    share, intensity = 0.5 + 0.4 * np.cos(phases), 1.0 + 0.5 * np.cos(phases - 2 * np.pi * peak)
    assert traffic.mean_load == pytest.approx((share * intensity).mean())


def test_inactive_users_send_nothing(small):
    half = small.replace(slices={"data": {"traffic": {"active_users": Steady(0.34)}}})  # 1 of 3
    simulator = Simulator(half, [0])
    for _ in range(50):
        simulator.warm_up()
    joined = simulator.state()["joined"][0]
    assert joined[5] > 100
    assert joined[6:].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(-1.0), "value: -1.0 given, allowed is above 0"),
        (lambda: Constant(float("nan")), "value: nan given"),
        (lambda: Constant("1"), "value: '1' is not a number"),
        (lambda: Uniform(2.0, 1.0), "high: 1.0 given, allowed is above 2.0"),
        (lambda: Exponential(0.0), "scale: 0.0 given"),
        (lambda: Exponential(1.0, maximum=-1.0), "maximum: -1.0 given"),
        (lambda: Lomax(1.0, 1.0), "shape: 1.0 given, allowed is above 1.0"),
        (lambda: Choice(()), "values: 0 given, allowed is 1 to 32"),
        (lambda: Daily(0.5, 0.5), "high: 0.5 given, allowed is above 0.5"),
        (lambda: Jumps(0.0, 1.0), "low: 0.0 given, allowed is above 0"),
        (lambda: Choice(3.0), "values: 3.0 given, allowed is one of tuple, list"),
        (lambda: Constant(1e300), r"value: 1e\+300 given, allowed is at most 1"),
        (lambda: Traffic(0.1, Constant(1.0)), "interarrival_s: 0.1 given, allowed is one of Constant, Uniform"),
        (lambda: Traffic(Constant(1.0), Constant(1.0), active_users=0.5), "active_users: 0.5 given, allowed is one of"),
        (lambda: Traffic(Constant(1.0), Constant(1.0), active_users=Steady(1.5)), "active_users: 1.5"),
        (
            lambda: Traffic(Constant(1.0), Constant(1.0), active_users=Steady(0.0)),
            "active_users: the level is always 0",
        ),
        (lambda: Traffic(Constant(1.0), Constant(1.0), intensity=Daily(0.0, 1.0)), "intensity: 0.0"),
    ],
)
def test_bad_traffic_is_refused_by_name(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_plain_data_round_trip():
    for parts, kinds in (
        ([d for d, _ in DISTRIBUTIONS.values()], distributions.DISTRIBUTIONS),
        ([Steady(0.5), Daily(0.1, 1.0), Jumps(0.1, 1.0), Drift(0.1, 1.0)], traffic.PROFILES),
    ):
        for part in parts:
            assert traffic.from_dict("key", traffic.to_dict(part), kinds) == part


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "expnential", "scale": 1.0}, "key.kind: unknown name 'expnential'; did you mean 'exponential'"),
        ({"kind": "constant", "valu": 1.0}, r"key \(constant\): unknown name 'valu'; did you mean 'value'"),
        ({"kind": "constant", "value": -1.0}, "key.value: -1.0 given"),
        (3.0, "key: 3.0 is not a mapping"),
    ],
)
def test_bad_plain_data_is_refused_by_name(data, message):
    with pytest.raises((ValueError, TypeError), match=message):
        traffic.from_dict("key", data, distributions.DISTRIBUTIONS)
