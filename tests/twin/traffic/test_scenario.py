"""Scenarios of a log: the load that reaches the simulator is that of the log."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

from slicing_gym import Constant, Empirical, Scenario, Trace, get_scenario
from slicing_gym.measured import MOST_LEVELS
from tests.helpers.traffic import traffic_log
from twin.traffic import replay, scenario_from_log

BASE = get_scenario("paper-1mhz").replace(decisions_per_episode=100)


def loads(scenario, cells=20):
    """Packets a second that reach the cells, of all intervals (n, S)."""
    found = replay(scenario, tuple(range(cells)))
    return found.arrived.reshape(-1, scenario.num_slices) / scenario.radio.interval_s


@pytest.mark.parametrize("scale", [1.0, {"embb": 20.0, "mtc": 3.0}])
def test_the_load_is_that_of_the_log(scale):
    log = traffic_log()
    scenario = scenario_from_log(log, BASE, scale=scale)
    factors = np.array([scale.get(name, 1.0) for name in log.slices]) if isinstance(scale, dict) else scale
    wanted, found = log.packets * factors / log.period_s, loads(scenario)
    np.testing.assert_allclose(scenario.nominal_arrivals / scenario.radio.interval_s, wanted.mean(axis=0), rtol=0.01)
    np.testing.assert_allclose(found.mean(axis=0), wanted.mean(axis=0), rtol=0.06)
    np.testing.assert_allclose(found.std(axis=0)[[0, 2]], wanted.std(axis=0)[[0, 2]], rtol=0.12)


def test_intervals_follow_one_another_as_in_the_log():
    """The log's slow wave is there: neighbours are as alike as in the log."""
    log = traffic_log(volumes=False)
    found = replay(scenario_from_log(log, BASE), (3,)).arrived[0, :, 0]
    alike = [np.corrcoef(values[:-1], values[1:])[0, 1] for values in (found, log.packets[:, 0])]
    assert alike[0] == pytest.approx(alike[1], abs=0.1)
    assert alike[1] > 0.8


def test_a_radio_of_the_logs_period_keeps_the_packets_of_an_interval():
    log = traffic_log()
    scenario = scenario_from_log(log, BASE.replace(radio={"slots_per_interval": 500}))
    np.testing.assert_allclose(scenario.nominal_arrivals, log.packets.mean(axis=0), rtol=0.01)


def test_sizes_are_those_of_the_log():
    log = traffic_log()
    sizes = [part.traffic.packet_size_byte for part in scenario_from_log(log, BASE).slices]
    assert all(isinstance(size, Empirical) for size in sizes)
    means = log.volume_byte.sum(axis=0) / log.packets.sum(axis=0)
    np.testing.assert_allclose([size.mean for size in sizes], means, rtol=0.02)
    own = scenario_from_log(log, BASE, packet_size_byte={"mtc": Constant(64.0)}).slices[1].traffic.packet_size_byte
    assert own == Constant(64.0)


def test_volumes_alone_become_packets_of_one_size():
    log = traffic_log(packets=False)
    scenario = scenario_from_log(log, BASE, packet_size_byte={"embb": Constant(1000.0)})
    offered = replay(scenario).offered_bps
    np.testing.assert_allclose(offered, 8.0 * log.volume_byte.mean(axis=0) / log.period_s, rtol=0.02)
    assert scenario.slices[2].traffic.packet_size_byte == Constant(1500.0)


def test_promises_of_slices_of_the_same_name_and_ones_own():
    base = BASE.replace(slices={"urllc": {"ssr_weight": 3.0}})
    slices = scenario_from_log(traffic_log(), base, sla={"embb": {"rate_sla_bps": 5e6}}).slices
    assert [part.rate_sla_bps for part in slices] == [5e6, 0.0, base.slices[2].rate_sla_bps]
    assert [part.latency_sla_s for part in slices] == [0.01, 0.01, 0.001]
    assert [part.ssr_weight for part in slices] == [1.0, 1.0, 3.0]


def test_the_reward_is_u_unless_a_kind_is_named():
    base = BASE.replace(reward={"kind": "shaped", "threshold_start": 1.0, "threshold_end": 9.0, "se_weight": 0.02})
    made = scenario_from_log(traffic_log(), base)
    assert made.reward == replace(base.reward, kind="utility")
    env = gym.make("SliceRAN-v0", scenario=made)
    env.reset(seed=0)
    _, reward, *_, info = env.step(0)
    assert reward == info["utility"] > 0.0
    assert scenario_from_log(traffic_log(), base, reward=None).reward == base.reward
    assert scenario_from_log(traffic_log(), made, reward="shaped").reward == base.reward


def test_users_and_gaps_may_be_given():
    log = traffic_log(volumes=False)
    given = scenario_from_log(log, BASE, users={"embb": 7}, interarrival_s={"urllc": Constant(0.1)})
    assert given.slices[0].num_users == 7
    assert given.slices[2].traffic.interarrival_s == Constant(0.1)
    assert given.slices[2].num_users == np.ceil(log.packets[:, 2].max() * 0.2 / 0.25 / 2)
    found = loads(given)
    np.testing.assert_allclose(found.mean(axis=0), log.packets.mean(axis=0) / 0.25, rtol=0.06)


def test_a_long_log_is_held_in_windows():
    log = traffic_log(8_000, volumes=False)
    scenario = scenario_from_log(log, BASE)
    levels = scenario.slices[0].traffic.active_users
    assert isinstance(levels, Trace)
    assert len(levels.levels) == MOST_LEVELS
    users = np.array(levels.levels) * scenario.slices[0].num_users
    np.testing.assert_allclose(users, np.rint(users), atol=0.01)  # short numbers, of which users are made again
    assert max(len(str(level)) for level in levels.levels) <= 8
    assert scenario.nominal_arrivals[0] == pytest.approx(log.packets[:, 0].mean() * 0.8, rel=0.02)
    assert Scenario.from_dict(scenario.to_dict()) == scenario


def test_full_queues_are_warned_of():
    with pytest.warns(UserWarning, match=r"slices\.embb: full queues keep \d+% of its packets out"):
        scenario_from_log(traffic_log(), BASE, scale={"embb": 2_000.0})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": {"emb": 1.0}}, "scale: unknown name 'emb'; did you mean 'embb'"),
        ({"scale": 0.0}, "scale.embb: 0.0 given, allowed is above 0"),
        ({"sla": {"embb": {"rate_bps": 1.0}}}, "sla.embb: unknown name 'rate_bps'; did you mean 'rate_sla_bps'"),
        ({"users": {"embb": 0}}, "users.embb: 0 given"),
        (
            {"users": {"embb": 2}, "interarrival_s": {"embb": Constant(0.2)}},
            r"users\.embb: 2 given, at its peak .* \d+ users",
        ),
        ({"users": {"embb": 1}, "scale": 100.0}, r"users\.embb: 1 given, each would send .* or more"),
        ({"reward": "utilty"}, r"reward\.kind: unknown name 'utilty'; did you mean 'utility'"),
        ({"base": "papper"}, "unknown name 'papper'"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        scenario_from_log(traffic_log(), **{"base": BASE, **arguments})


def test_a_slice_that_sent_nothing_is_refused():
    log = traffic_log(volumes=False)
    silent = replace(log, packets=log.packets * [1, 0, 1])
    with pytest.raises(ValueError, match=r"slices\.mtc: it sent nothing in the log"):
        scenario_from_log(silent, BASE)
