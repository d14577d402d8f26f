"""What slices offer and need, against the traffic's means and against cells that hold so many units."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.describe import fewest_units_for_ssr, offered_bps
from experiments.describe.load import mean_offered_bps, slice_loads
from slicing_gym import Constant, Daily, Exponential, Scenario, Simulator, Slice, Traffic, get_scenario


def test_the_mean_load_is_users_times_size_over_gap():
    volte, _, urllc = mean_offered_bps(get_scenario("paper"))
    assert volte == pytest.approx(46 * 40 * 8 / 0.080)  # 184 kbit/s
    assert urllc == pytest.approx(8 * 19_200 * 8 / 0.180)  # 6.83 Mbit/s


def test_what_is_offered_does_not_depend_on_what_the_link_carries():
    weak = get_scenario("paper-1mhz").replace(radio={"transmit_power_dbm": -200.0})
    strong = offered_bps(get_scenario("paper-1mhz"), [0, 1], 30)
    assert np.array_equal(offered_bps(weak, [0, 1], 30), strong)
    assert strong.shape == (60, 3)
    assert strong.mean(axis=0) == pytest.approx(mean_offered_bps(get_scenario("paper-1mhz")), rel=0.1)


@pytest.mark.parametrize(
    ("part", "packets"),
    [
        ({"packet_size_byte": Constant(1e12)}, 20.0),
        ({"interarrival_s": Constant(1e-3)}, 200.0),
    ],
    ids=["huge packets", "all users at once"],
)
def test_all_that_is_sent_is_offered(part, packets):
    """However large packets are, and however many users send in a slot: 46 users, an interval of 0.2 s."""
    steady = {"interarrival_s": Constant(1e-2), "packet_size_byte": Constant(1.0), **part}
    scenario = get_scenario("paper-1mhz").replace(slices={"volte": {"traffic": steady}})
    sent = offered_bps(scenario, [0], 5)[1:, 0] * 0.2 / 8.0 / steady["packet_size_byte"].mean
    assert sent == pytest.approx(46 * packets)


def test_the_load_follows_the_profile():
    noon = get_scenario("paper-1mhz").replace(slices={"volte": {"traffic": {"active_users": Daily(0.1, 1.0, 40.0)}}})
    volte = offered_bps(noon, [0], 40)[:, 0]
    assert volte[:5].mean() > 4.0 * volte[18:23].mean()


def test_the_fewest_units_reach_the_ssr_and_one_less_does_not():
    scenario, seeds = get_scenario("paper-1mhz"), [0, 1]
    fewest = fewest_units_for_ssr(scenario, seeds, 20, 0.99)
    assert None not in fewest
    cells = Simulator(scenario, seeds)
    ssr = np.mean([each.ssr for each in cells.what_if_slices(intervals=20)], axis=(0, 1))  # (slices, units)
    for of_slice, units in zip(ssr, fewest, strict=True):
        assert of_slice[units - 1] >= 0.99
        assert units == 1 or of_slice[units - 2] < 0.99


def test_a_starved_slice_reaches_nothing():
    """Its queues are full and nothing joins, so that its SSR alone would be 1."""
    film = Slice("film", 3, Traffic(Constant(0.01), Constant(1e12)), rate_sla_bps=0.0, latency_sla_s=0.1)
    call = Slice("call", 3, Traffic(Exponential(0.01), Constant(40.0)), rate_sla_bps=0.0, latency_sla_s=0.1)
    scenario = Scenario("starved", (film, call), get_scenario("paper-1mhz").radio)
    assert Simulator(scenario, [0]).what_if([[19, 1]], intervals=3)[-1].ssr[0, 0] == 1.0
    assert fewest_units_for_ssr(scenario, [0], 3, 0.99) == [None, 1]
    (starved, _), _ = slice_loads(scenario, [0], 3, 0.99, 1)
    assert starved.carrying_units is starved.sla_units is starved.sla_bps is None


def test_units_that_carry_the_load_grow_with_it():
    scenario = get_scenario("nr-8slices")
    (_, gaming, *_), _ = slice_loads(scenario, [0], 1, 0.5, 1)
    twice = scenario.replace(slices={"gaming": {"num_users": 32}})
    (_, more, *_), _ = slice_loads(twice, [0], 1, 0.5, 1)
    # 42 Mbit/s of 200.5 Mbit/s in 273 units of one SNR: 57.2 units, and twice as many.
    assert (gaming.carrying_units, more.carrying_units) == (58, 115)
