from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given

from slicing_gym import SCENARIOS, Constant, Radio, Reward, Scenario, Slice, Traffic, Uniform, get_scenario
from tests.helpers.strategies import scenarios


def test_paper_has_the_published_numbers():
    paper = get_scenario("paper")
    assert paper.num_units == 100
    assert paper.num_allocations == 4851
    assert [part.num_users for part in paper.slices] == [46, 46, 8]
    np.testing.assert_allclose(paper.nominal_arrivals, [115.0, 1751.4, 8.89], rtol=1e-3)
    assert paper.radio.interval_s == pytest.approx(0.2)
    assert paper.radio.multiplexing_gain == pytest.approx(19.27, abs=0.01)
    assert get_scenario("paper-1mhz").num_allocations == 171
    assert get_scenario("gan-ddqn").radio.interval_s == pytest.approx(1.0)


@pytest.mark.parametrize("name", SCENARIOS)
def test_preset_survives_json(name):
    scenario = get_scenario(name)
    assert scenario.name == name
    text = json.dumps(scenario.to_dict())
    assert Scenario.from_dict(json.loads(text)) == scenario


@given(scenarios())
def test_any_scenario_survives_json(scenario):
    assert Scenario.from_dict(json.loads(json.dumps(scenario.to_dict()))) == scenario


def test_replace_reaches_inside():
    paper = get_scenario("paper")
    changed = paper.replace(
        name="busy",
        radio={"resolution_hz": 400e3},
        slices={
            "urllc": {"num_users": 20, "traffic": {"interarrival_s": {"kind": "constant", "value": 0.1}}},
            "volte": None,
        },
        reward=Reward("utility"),
    )
    assert changed.slice_names == ("video", "urllc")
    assert changed.slices[1].num_users == 20
    assert changed.slices[1].traffic.interarrival_s == Constant(0.1)
    assert changed.slices[1].traffic.packet_size_byte == paper.slices[2].traffic.packet_size_byte
    assert changed.num_units == 50
    assert changed.reward.kind == "utility"
    assert paper == get_scenario("paper")
    assert paper.replace(slices=paper.slices[:2]).slice_names == ("volte", "video")
    both = paper.replace(slices=paper.slices[:2], reward={"se_weight": 0.5}, radio={"bandwidth_hz": 2e6})
    assert both.reward == dataclasses.replace(paper.reward, se_weight=0.5)
    assert both.radio == dataclasses.replace(paper.radio, bandwidth_hz=2e6)
    assert paper.replace(reward={"kind": "clip"}).reward == dataclasses.replace(paper.reward, kind="clip")


def test_the_old_name_of_the_length_of_an_episode_is_read_and_not_taken():
    """Files of earlier versions load; where the new name is there already, the old one is an error that says it."""
    paper = get_scenario("paper").replace(decisions_per_episode=7)
    plain = paper.to_dict()
    plain["decisions_per_round"] = plain.pop("decisions_per_episode")
    assert Scenario.from_dict(plain) == paper
    message = "scenario: unknown name 'decisions_per_round'; did you mean 'decisions_per_episode'"
    with pytest.raises(ValueError, match=message):
        paper.replace(decisions_per_round=5)
    with pytest.raises(ValueError, match=message):
        Scenario.from_dict({**paper.to_dict(), "decisions_per_round": 5})


def test_scenarios_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_scenario("paper").name = "other"  # type: ignore[misc]


ONE = Slice("one", 2, Traffic(Constant(0.1), Constant(100.0)), rate_sla_bps=1e6, latency_sla_s=1e-2)
TWO = dataclasses.replace(ONE, name="two")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: get_scenario("papr"), "scenario: unknown name 'papr'; did you mean 'paper'.*drift.*paper"),
        (lambda: get_scenario(3), "scenario: 3 is neither"),
        (lambda: Radio(resolution_hz=300e3), r"radio.resolution_hz: 300000.0 does not divide .*66.6667 units"),
        (lambda: Radio(bandwidth_hz=-1.0), "radio.bandwidth_hz: -1.0 given, allowed is above 0"),
        (lambda: Radio(bandwidth_hz=math.nan), "radio.bandwidth_hz: nan given"),
        (lambda: Radio(slots_per_interval=0), "radio.slots_per_interval: 0 given, allowed is 1 to"),
        (lambda: Radio(slots_per_interval=1.5), "radio.slots_per_interval: 1.5 is not a whole number"),
        (lambda: Radio(cell_radius_m=0.5), "radio.cell_radius_m: 0.5 given, allowed is above 1.0"),
        (lambda: Radio(transmit_power_dbm=math.inf), "radio.transmit_power_dbm: inf given"),
        (lambda: Radio(max_spectral_efficiency=0.0), "radio.max_spectral_efficiency: 0.0 given, allowed is at least"),
        (lambda: Radio(max_spectral_efficiency="7"), "radio.max_spectral_efficiency: '7' is not a number"),
        (lambda: Radio(shannon_attenuation=1.5), "radio.shannon_attenuation: 1.5 given, allowed is .*at most 1.0"),
        (lambda: Radio(uniform_power_density=1), "radio.uniform_power_density: 1 given, allowed is bool"),
        (lambda: dataclasses.replace(ONE, num_users=0), "slices.one.num_users: 0 given"),
        (lambda: dataclasses.replace(ONE, name="a b"), "slice name: 'a b'"),
        (lambda: dataclasses.replace(ONE, latency_sla_s=0.0), "slices.one.latency_sla_s: 0.0"),
        (lambda: dataclasses.replace(ONE, traffic=3), "slices.one.traffic: 3 given, allowed is Traffic"),
        (lambda: dataclasses.replace(ONE, latency_sla_s=1e16), "slices.one.latency_sla_s: 1e"),
        (lambda: Radio(resource_block_hz=1e-4), "radio.resource_block_hz: 0.0001 makes 2e"),
        (lambda: Radio(resource_block_hz=1e9), "radio.resource_block_hz: 1000000000.0 makes 0.02 blocks"),
        (lambda: Radio(min_distance_m=1e-9, path_loss_slope_db=300.0), "radio: SNR x bandwidth at 1e-09 m"),
        (lambda: Reward(se_weight=1e308), "reward.se_weight: 1e"),
        (lambda: Scenario("s", "ab"), "slices: 'ab' given, allowed is one of tuple, list"),
        (lambda: Scenario("s", ("a", "b")), "slices: 'a' given, allowed is Slice"),
        (lambda: Scenario("s", (ONE, TWO), radio={}), "radio: {} given, allowed is Radio"),
        (lambda: Scenario("s", (ONE, TWO), reward="clip"), "reward: 'clip' given, allowed is Reward"),
        (lambda: get_scenario("paper").replace(slices={"urllc": {"traffic": 3}}), "slices.urllc.traffic: 3 given"),
        (
            lambda: get_scenario("paper").replace(slices={"urllc": {"traffic": {"active_users": {"level": 1.5}}}}),
            "slices.urllc.traffic.active_users: 1.5",
        ),
        (
            lambda: get_scenario("paper").replace(slices={"urllc": {"traffic": {"interarrival_s": Constant(1e12)}}}),
            "slices.urllc.traffic: below 1e-9 packets",
        ),
        (lambda: Scenario("s", (ONE,)), "slices: 1 given, allowed are 2 or more"),
        (lambda: Scenario("s", (ONE, ONE)), "not all different"),
        (
            lambda: Scenario("s", (ONE, dataclasses.replace(TWO, latency_sla_s=1e-4))),
            "slices.two.latency_sla_s: 0.0001 s is below a slot",
        ),
        (lambda: Scenario("s", (ONE, TWO), Radio(bandwidth_hz=2e5)), "2 slices do not fit in 1 units"),
        (
            lambda: Scenario("s", tuple(dataclasses.replace(ONE, name=f"s{i}") for i in range(30))),
            r"100 units for 30 slices make \d+ allocations, allowed are .* 2\*\*62 = 4611686018427387904 allocations",
        ),
        (lambda: Scenario("", (ONE, TWO)), "name: ''"),
        (lambda: Scenario("s", (ONE, TWO), decisions_per_episode=0), "decisions_per_episode: 0"),
        (lambda: Reward("shapd"), "reward.kind: unknown name 'shapd'; did you mean 'shaped'"),
        (lambda: Reward(threshold_end=1.0), "reward.threshold_end: 1.0 given, allowed is at least 5.0"),
        (lambda: get_scenario("paper").replace(radoi={}), "scenario: unknown name 'radoi'; did you mean 'radio'"),
        (lambda: get_scenario("paper").replace(radio={"bandwith_hz": 1.0}), "radio: unknown name 'bandwith_hz'"),
        (lambda: get_scenario("paper").replace(slices={"urllc": {"users": 3}}), "slices.urllc: unknown name 'users'"),
        (
            lambda: get_scenario("paper").replace(slices={"urlc": {"num_users": 3}}),
            "slices: .*'urlc'; did you mean 'urllc'",
        ),
        (lambda: Scenario.from_dict({"name": "s", "slices": {"a": {"num_users": 3}}}), "slices.a: .* missing"),
        (lambda: Scenario.from_dict({"name": "s"}), "scenario.slices: None is not a mapping"),
    ],
)
def test_bad_scenario_is_refused_by_name(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_gap_of_mean_zero_cannot_be_built():
    with pytest.raises(ValueError, match=r"high: 0\.0 given"):
        Uniform(0.0, 0.0)
