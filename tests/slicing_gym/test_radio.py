"""Rates of users: bound and attenuation of a layer, power spread over the carrier, and the NR carrier's numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from slicing_gym import Constant, Radio, Scenario, Simulator, Slice, Traffic, get_scenario
from tests.helpers.strategies import allocations, scenarios

NR = get_scenario("nr-8slices").radio


def one_user(radio: Radio, rate_sla_bps: float = 0.0, packet_byte: float = 1e9, users: int = 1) -> Scenario:
    """Users with endless packets in the first slice, and hardly anything in the other."""
    busy = Slice("busy", users, Traffic(Constant(1e-6), Constant(packet_byte)), rate_sla_bps, 1e-2)
    rest = Slice("rest", 1, Traffic(Constant(1e3), Constant(1.0)), 0.0, 1e-2)
    return Scenario("one", (busy, rest), radio)


def at_distance(radio: Radio, distance_m: float) -> Radio:
    """The cell with all users (nearly) that far from the mast."""
    return Radio(**{**vars(radio), "min_distance_m": distance_m, "cell_radius_m": distance_m * (1.0 + 1e-9)})


def mean_efficiency(radio: Radio, snr: float) -> float:
    """Spectral efficiency of all layers [bit/s/Hz], the mean over fading by quadrature."""
    most = math.inf if radio.max_spectral_efficiency is None else radio.max_spectral_efficiency

    def faded(gain: float) -> float:
        return math.exp(-gain) * min(radio.shannon_attenuation * math.log2(1.0 + gain * snr), most)

    binds = (2.0 ** (most / radio.shannon_attenuation) - 1.0) / snr if most < 100.0 else 60.0
    points = [binds] if binds < 60.0 else None
    return radio.multiplexing_gain * integrate.quad(faded, 0.0, 60.0, points=points, limit=200)[0]


def snr_over_carrier(radio: Radio, distance_m: float) -> float:
    """Mean SNR of a user when the power is spread over the carrier."""
    return 10.0 ** (radio.mean_snr_db_hz(distance_m) / 10.0) / radio.bandwidth_hz


@given(st.data())
def test_no_slice_is_more_efficient_than_its_layers_allow(data):
    scenario = data.draw(scenarios())
    radio = scenario.radio
    units = data.draw(allocations(scenario))
    interval = Simulator(scenario, [data.draw(st.integers(0, 1000))]).advance(units)
    if radio.max_spectral_efficiency is not None:
        share = np.array(units) * radio.resolution_hz / radio.bandwidth_hz
        most = radio.multiplexing_gain * radio.max_spectral_efficiency * share
        assert (interval.efficiency[0] <= most * (1.0 + 1e-9)).all()


def test_where_the_bound_always_binds_the_rate_is_the_bound():
    radio = Radio(resource_block_hz=200e3, max_spectral_efficiency=1e-3)  # 84 dB: fading never takes a user below it
    simulator = Simulator(one_user(radio), [0])
    simulator.warm_up()  # nobody has a packet in the very first slot
    efficiency = simulator.advance([60, 40]).efficiency[0, 0]
    assert efficiency == pytest.approx(radio.multiplexing_gain * 1e-3 * 0.6, rel=1e-9)


def test_attenuation_scales_all_rates():
    full, attenuated = (
        Simulator(one_user(Radio(shannon_attenuation=attenuation)), range(4)).advance([60, 40]).efficiency[:, 0]
        for attenuation in (1.0, 0.6)
    )
    np.testing.assert_allclose(attenuated, 0.6 * full, rtol=1e-12)


@pytest.mark.parametrize("users", [1, 3])
def test_power_spread_over_the_carrier_gives_every_user_the_same_snr(users):
    """Users who share the blocks are together as efficient as one who has them all: the SNR knows no bandwidth."""
    radio = at_distance(NR, 100.0)
    intervals = [Simulator(one_user(radio, users=users), range(10)).advance([182, 91]) for _ in range(2)]
    expected = mean_efficiency(radio, snr_over_carrier(radio, 100.0)) * 182 / 273
    # 10 cells x 400 slots, log2 of an exponential deviates by 1.85 bits
    slack = 4.5 * 1.85 * 4.0 * 0.6 / math.sqrt(4000 * users)
    assert np.mean([interval.efficiency[:, 0] for interval in intervals]) == pytest.approx(expected, abs=slack)


@pytest.mark.parametrize(("margin", "met"), [(0.999, True), (1.001, False)])
@pytest.mark.parametrize("packet_byte", [1.0, 1e3])
def test_no_packet_meets_a_rate_beyond_the_bound(margin, met, packet_byte):
    """Also where the queue is sure to drain within a slot, which the kernel settles without a rate."""
    radio = Radio(resource_block_hz=200e3, max_spectral_efficiency=2.0, shannon_attenuation=0.6)
    bound_bps = radio.multiplexing_gain * 2.0 * 60 * 200e3
    interval = Simulator(one_user(radio, margin * bound_bps, packet_byte), range(4)).advance([60, 40])
    assert (interval.delivered[:, 0] > 1000).all()
    assert (interval.successes[:, 0] == (interval.delivered[:, 0] if met else 0)).all()


def test_files_of_earlier_versions_load():
    plain = get_scenario("paper").to_dict()
    for name in ("max_spectral_efficiency", "shannon_attenuation", "uniform_power_density"):
        del plain["radio"][name]
    assert Scenario.from_dict(plain) == get_scenario("paper")


def test_a_bound_can_be_taken_off():
    nr = get_scenario("nr-8slices")
    assert nr.replace(radio={"max_spectral_efficiency": None}).radio.max_spectral_efficiency is None


@pytest.mark.parametrize(
    ("name", "units", "utilities", "successes"),
    [
        ("paper", (2, 90, 8), (7.827899525510894, 7.957159568056918), [111, 1702, 6]),
        ("gan-ddqn", (2, 17, 1), (7.611240895579325, 7.640265938754082), [607, 7671, 51]),
        ("flash-crowd", (1, 90, 9), (4.305927928175455, 4.052652467506911), [111, 106, 70]),
        ("drift", (5, 60, 35), (6.767598980653966, 4.31192567339559), [100, 1366, 139]),
    ],
)
def test_scenarios_without_bounds_are_what_they_were(name, units, utilities, successes):
    """Third interval of the cells of seeds 0 and 1, before there were bounds."""
    simulator = Simulator(name, [0, 1])
    interval = [simulator.advance(units) for _ in range(3)][-1]
    np.testing.assert_allclose(interval.utility, utilities, rtol=1e-12)
    assert interval.successes[0].tolist() == successes


def test_the_nr_carrier():
    """273 blocks of 360 kHz over eight slices, and a link budget that a radio reader believes."""
    scenario = get_scenario("nr-8slices")
    assert (scenario.num_units, scenario.num_slices, scenario.num_allocations) == (273, 8, 20_218_614_631_344)
    assert (scenario.radio.bandwidth_hz, scenario.radio.interval_s) == (pytest.approx(98.28e6), pytest.approx(0.2))
    edge, centre = (10.0 * math.log10(snr_over_carrier(NR, distance_m)) for distance_m in (289.0, 35.0))
    assert edge == pytest.approx(-5.0, abs=0.1)
    assert centre == pytest.approx(30.8, abs=0.1)


@pytest.mark.parametrize(("distance_m", "expected"), [(289.0, 0.865), (100.0, 8.98), (35.0, 22.6)])
def test_spectral_efficiency_on_the_nr_carrier(distance_m, expected):
    """Four layers at the cell's edge, between, and near the mast [bit/s/Hz]: by quadrature and as simulated."""
    radio = at_distance(NR, distance_m)
    assert mean_efficiency(radio, snr_over_carrier(radio, distance_m)) == pytest.approx(expected, rel=5e-3)
    simulator = Simulator(one_user(radio), range(20))
    simulated = np.mean([simulator.advance([272, 1]).efficiency[:, 0] for _ in range(5)]) * 273 / 272
    assert simulated == pytest.approx(expected, abs=4.5 * 1.85 * 2.4 / math.sqrt(20 * 5 * 400))
