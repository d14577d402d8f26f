"""Laws that hold in any scenario, and the published figures of the paper's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicing_gym import (
    SCENARIOS,
    Constant,
    Exponential,
    Radio,
    Scenario,
    Simulator,
    Slice,
    Traffic,
    allocation_table,
    even_split,
    get_scenario,
)
from tests.helpers.oracle import OracleCell
from tests.helpers.strategies import allocations, scenarios


@given(st.data())
def test_packets_are_conserved_and_figures_are_in_range(data):
    scenario = data.draw(scenarios())
    simulator = Simulator(scenario, [data.draw(st.integers(0, 1000))])
    arrived = delivered = np.zeros(scenario.num_slices)
    for _ in range(5):
        interval = simulator.advance(data.draw(allocations(scenario)))
        arrived = arrived + interval.arrivals[0]
        delivered = delivered + interval.delivered[0]
        np.testing.assert_array_equal(arrived, delivered + interval.queued[0])
        assert (interval.successes <= interval.delivered).all()
        assert ((interval.ssr >= 0.0) & (interval.ssr <= 1.0)).all()
        assert np.isfinite(interval.utility).all()
        assert (interval.spectral_efficiency >= 0.0).all()
        capacity = scenario.radio.queue_capacity
        users = np.array([part.num_users for part in scenario.slices])
        assert (interval.queued[0] <= capacity * users).all()
        assert (interval.blocked[0] * capacity <= interval.queued[0]).all()
        assert (interval.arrivals[0] <= scenario.largest_arrivals).all()
        if data.draw(st.booleans()):
            arrived = arrived - simulator.clear()[0]  # what a reset throws away is counted too


@given(st.data())
def test_no_slice_gets_more_blocks_than_it_holds(data):
    """Checked on the reference implementation, which counts what it schedules; test_oracle.py compares the kernel."""
    scenario = data.draw(scenarios())
    units = data.draw(allocations(scenario))
    scheduled = OracleCell(scenario, 0).advance(units).most_blocks
    held = np.array(units) * scenario.radio.resolution_hz / scenario.radio.resource_block_hz
    assert (np.array(scheduled) <= held + 1e-9).all()


@given(st.data())
def test_arrivals_do_not_depend_on_the_allocation_while_no_queue_is_full(data):
    scenario = data.draw(scenarios())
    roomy = scenario.replace(radio={"queue_capacity": 2000})
    one, other = Simulator(roomy, [3]), Simulator(roomy, [3])
    for _ in range(3):
        first = one.advance(data.draw(allocations(roomy)))
        second = other.advance(data.draw(allocations(roomy)))
        np.testing.assert_array_equal(first.arrivals, second.arrivals)


def test_full_queues_do_couple_demand_to_the_allocation():
    starved, fed = Simulator("paper", [0]), Simulator("paper", [0])
    arrivals = [
        [s.advance(units).arrivals[0, 1] for _ in range(5)] for s, units in ((starved, [98, 1, 1]), (fed, [1, 98, 1]))
    ]
    assert sum(arrivals[0]) < 0.97 * sum(arrivals[1])


def same_users(num_users, blocks, latency_sla_s=1e-2, packet_byte=1e9):
    """Users with endless packets, at (nearly) one place, sharing so many blocks with nobody else's."""
    part = Slice("many", num_users, Traffic(Constant(1e-6), Constant(packet_byte)), 0.0, latency_sla_s)
    rest = Slice("rest", 1, Traffic(Constant(1e3), Constant(1.0)), 0.0, 1e-2)
    radio = Radio(
        bandwidth_hz=(blocks + 1) * 180e3,
        resolution_hz=180e3,
        slots_per_interval=2520,
        cell_radius_m=10.0001,
        min_distance_m=10.0,
    )
    return Scenario("same", (part, rest), radio)


@pytest.mark.parametrize(("num_users", "blocks"), [(7, 3), (7, 7), (7, 10), (70, 9), (5, 1), (64, 65)])
def test_round_robin_is_fair(num_users, blocks):
    scenario = same_users(num_users, blocks)
    simulator = Simulator(scenario, [0])
    simulator.advance([blocks, 1])
    sent = 8e9 - simulator.state()["head_bits"][0, :num_users]
    assert sent.min() > 0.0
    assert sent.max() / sent.min() < 1.1  # alike but for fading: some 2520 x blocks / users draws each


def test_a_packet_takes_at_least_a_slot():
    tiny = same_users(3, 6, latency_sla_s=0.5e-3, packet_byte=1.0)
    interval = Simulator(tiny, [0]).advance([6, 1])
    # Everybody has blocks in every slot and a packet is done in its arrival slot, which counts as one.
    assert interval.successes[0, 0] == interval.delivered[0, 0] == interval.arrivals[0, 0] > 0


@pytest.mark.parametrize(("latency_sla_s", "in_time"), [(0.5e-3, False), (0.9e-3, False), (1e-3, True), (2e-3, True)])
def test_a_packet_done_in_its_second_slot_took_two(latency_sla_s, in_time):
    # 6 blocks carry about 330 kbit a slot, fading moves that by a fifth or so: 500 kbit take two slots.
    scenario = same_users(1, 6, latency_sla_s, packet_byte=500e3 / 8)
    rare = scenario.replace(slices={"many": {"traffic": {"interarrival_s": Constant(0.01)}}})
    interval = Simulator(rare, [0]).advance([6, 1])
    assert interval.delivered[0, 0] > 50
    assert interval.successes[0, 0] == (interval.delivered[0, 0] if in_time else 0)


def test_efficiency_is_that_of_the_formula():
    """A user with endless data: SE = share x M x E[log2(1 + g SNR)], the mean over exponential g by quadrature."""
    from scipy import integrate

    scenario = same_users(1, 50)
    simulator = Simulator(scenario, range(20))
    mean = np.mean([simulator.advance([50, 1]).spectral_efficiency for _ in range(5)])
    radio = scenario.radio
    loss_db = 145.4 + 37.5 * np.log10(0.010)
    snr = 10 ** ((46.0 + 20.0 - loss_db + 174.0) / 10) / (50 * 180e3)
    expected, _ = integrate.quad(lambda g: np.exp(-g) * np.log2(1.0 + g * snr), 0.0, 60.0)
    share = 50 * 180e3 / radio.bandwidth_hz
    # 20 cells x 5 intervals x 2520 slots; log2 of an exponential has a deviation of 1.85 bits
    assert mean == pytest.approx(
        share * radio.multiplexing_gain * expected, rel=4.5 * 1.85 / expected / np.sqrt(252_000)
    )


PUBLISHED = [
    # scenario, allocation, U, deviation between cells, slack for the deviation of the published mean and ours
    ("paper", [33, 33, 34], 5.32, 0.01),
    ("paper", [1, 94, 5], 8.07, 0.05),
    ("paper", [1, 98, 1], 7.62, 0.06),
    ("paper", [5, 6, 89], 3.46, 0.01),
    ("gan-ddqn at 200 kHz", [33, 33, 34], 5.29, 0.02),
]


@pytest.mark.parametrize(("name", "units", "expected", "deviation"), PUBLISHED)
def test_published_utilities(name, units, expected, deviation):
    gan = get_scenario("gan-ddqn").replace(radio={"resolution_hz": 200e3})
    simulator = Simulator(get_scenario("paper") if name == "paper" else gan, range(8))
    utilities = np.mean([simulator.advance(units).utility for _ in range(60)], axis=0)
    # Two means of 8 cells, and the rounding of the published one.
    spread = max(deviation, utilities.std(ddof=1))
    assert utilities.mean() == pytest.approx(expected, abs=3.0 * spread * np.sqrt(2 / 8) + 0.005)


def test_published_details():
    simulator = Simulator("paper", range(8))
    intervals = [simulator.advance([1, 98, 1]) for _ in range(60)]
    assert np.mean([interval.ssr[:, 2] for interval in intervals]) == pytest.approx(0.37, abs=0.03)
    np.testing.assert_allclose(np.mean([i.arrivals for i in intervals], axis=(0, 1)), [115.0, 1752.0, 8.9], rtol=0.01)
    simulator = Simulator("paper", range(8))
    efficiency = np.mean([simulator.advance([1, 94, 5]).spectral_efficiency for _ in range(60)])
    assert efficiency == pytest.approx(507, abs=5)
    simulator = Simulator("paper", range(8))
    video = np.mean([simulator.advance([5, 6, 89]).ssr[:, 1] for _ in range(60)])
    assert video == pytest.approx(0.96, abs=0.01)


def test_published_figures_of_random_actions():
    table = allocation_table(100, 3)
    simulator = Simulator("paper", range(8))
    generator = np.random.default_rng(0)
    utilities = np.array([simulator.advance(table[generator.integers(4851, size=8)]).utility for _ in range(1000)])
    assert utilities.mean() == pytest.approx(5.28, abs=0.05)
    assert (utilities >= 7.5).mean() == pytest.approx(0.031, abs=0.006)


@pytest.mark.parametrize("name", SCENARIOS)
def test_nominal_arrivals_are_the_mean_arrivals(name):
    scenario = get_scenario(name).replace(radio={"queue_capacity": 1000})
    simulator = Simulator(scenario, range({"flash-crowd": 300, "drift": 300, "nr-8slices": 32}.get(name, 8)))
    units, means = even_split(scenario.num_units, scenario.num_slices), []
    for _ in range(10 if name in ("flash-crowd", "drift", "gan-ddqn") else 200):
        means.append(simulator.advance(units).arrivals / scenario.nominal_arrivals)
    per_cell = np.mean(means, axis=0)
    error = per_cell.std(axis=0, ddof=1) / np.sqrt(len(per_cell))
    np.testing.assert_array_less(np.abs(per_cell.mean(axis=0) - 1.0), 4.0 * error + 0.02)


def test_traffic_that_never_comes_is_satisfied():
    quiet = Slice("quiet", 3, Traffic(Exponential(1e6), Constant(100.0)), 1e6, 1e-2)
    scenario = Scenario("quiet", (quiet, Slice("other", 1, quiet.traffic, 1e6, 1e-2)))
    interval = Simulator(scenario, [0]).advance([50, 50])
    assert interval.ssr.tolist() == [[1.0, 1.0]]
    assert interval.utility.tolist() == [2.0]
