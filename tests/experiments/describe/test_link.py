"""The link of a cell against numbers computed by hand, and against the simulator."""

from __future__ import annotations

import math

import numpy as np
import pytest

from experiments.describe import Link, free_space_loss_db, link_budget
from slicing_gym import Choice, Constant, Radio, Scenario, Simulator, Slice, Traffic, get_scenario


def test_the_link_budget_of_the_paper_is_that_of_its_table():
    """At the edge: 145.4 + 37.5 log10(0.04) dB; 46 dBm and 20 dB of gain over -174 dBm/Hz in 180 kHz."""
    nearest, *_, edge = link_budget(get_scenario("paper"))
    assert (nearest.distance_m, edge.distance_m) == (1.0, pytest.approx(40.0))
    assert nearest.path_loss_db == pytest.approx(145.4 - 37.5 * 3.0)  # 32.9
    assert edge.path_loss_db == pytest.approx(92.977, abs=1e-3)
    assert edge.unit_snr_db == pytest.approx(46.0 + 20.0 - 92.977 + 174.0 - 52.553, abs=1e-3)  # 94.47
    assert edge.band_snr_db == pytest.approx(edge.unit_snr_db - 10.0 * math.log10(111))  # 111 blocks
    # At such an SNR fading costs Euler's constant over ln 2 of the logarithm.
    bits = edge.unit_snr_db / 10.0 * math.log2(10.0) - np.euler_gamma / math.log(2.0)
    assert edge.unit_efficiency == pytest.approx(64.0 * math.log10(2.0) * bits, rel=1e-3)
    assert edge.rate_bps == pytest.approx(111 * 180e3 * edge.band_efficiency)


def test_quartiles_are_those_of_users_uniform_over_the_area():
    budget = link_budget(get_scenario("paper"))
    assert [each.nearer for each in budget] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert budget[2].distance_m == pytest.approx(math.sqrt((1.0 + 1600.0) / 2.0))


def test_power_that_is_spread_over_the_carrier_gives_one_snr():
    edge = link_budget(get_scenario("nr-8slices"))[-1]
    assert edge.unit_snr_db == edge.band_snr_db == pytest.approx(-5.0, abs=0.05)
    assert edge.unit_efficiency == pytest.approx(0.866, abs=2e-3)  # as docs/results/nr-8slices.md


def test_no_layer_carries_more_than_the_cap():
    capped = get_scenario("paper").replace(radio={"multiplexing_gain": 2.0, "max_spectral_efficiency": 7.4})
    assert [each.unit_efficiency for each in link_budget(capped)] == [pytest.approx(14.8)] * 5


def test_free_space_is_that_of_friis():
    assert free_space_loss_db(1.0, 2e9) == pytest.approx(38.46, abs=0.01)
    assert free_space_loss_db(1000.0, 2.4e9) == pytest.approx(100.05, abs=0.01)


def test_a_unit_below_a_block_carries_nothing():
    small = get_scenario("paper").replace(radio={"resolution_hz": 100e3})
    assert Link(small).blocks(1) == 0
    assert Link(small).rate_bps(40.0, 0) == Link(small).capacity_bps(0) == 0.0


def test_rates_and_capacity_are_those_of_the_simulator():
    """One user, always queued, who stands between two rings that are next to each other: SE is the rate over W."""
    busy = Traffic(Constant(1e-4), Choice((1e9,)))
    one = Slice("one", 1, busy, rate_sla_bps=0.0, latency_sla_s=1.0)
    other = Slice("other", 1, Traffic(Constant(1e6), Choice((1.0,))), rate_sla_bps=0.0, latency_sla_s=1.0)
    radio = Radio(min_distance_m=99.9, cell_radius_m=100.1, max_spectral_efficiency=20.0, uniform_power_density=True)
    scenario = Scenario("one", (one, other), radio)
    cell = Simulator(scenario, [3])
    cell.advance([99, 1])
    measured = np.mean([cell.advance([99, 1]).efficiency[0, 0] for _ in range(20)]) * radio.bandwidth_hz
    link = Link(scenario)
    assert link.rate_bps(100.0, link.most_blocks) == pytest.approx(measured, rel=0.005)
    assert link.capacity_bps(link.most_blocks) == pytest.approx(measured, rel=0.005)


def test_capacity_gives_all_users_the_same_rate():
    """Half of the users at one SNR and half at another share time such that each gets the harmonic mean."""
    link = Link(get_scenario("nr-8slices"))
    distances = [link.distance_m(each) for each in np.linspace(0.0005, 0.9995, 1000)]
    rates = link.efficiency(distances, link.band_blocks) * 273 * 360e3
    assert link.capacity_bps(link.band_blocks) == pytest.approx(1.0 / (1.0 / rates).mean(), rel=1e-3)
