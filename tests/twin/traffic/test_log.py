"""Logs of traffic: what they refuse, as histories without decisions and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.helpers.traffic import traffic_log
from twin import inspect_log
from twin.data import LogMapping, read_log
from twin.traffic import TrafficLog, traffic_of

PASSIVE = "tests/data/logs/07_passive.csv"
DECIDED = "tests/data/logs/01_decided.csv"
IDLE = "tests/data/logs/09_idle_rest.csv"


def test_a_history_without_decisions_and_back():
    log = traffic_log(30, volumes=False)
    history = log.history()
    assert len(history) == 58  # the last interval of a run is only an outcome
    assert len(np.unique(history.allocation, axis=0)) == 1
    assert history.columns == ()
    found = traffic_of(history)
    assert (found.slices, found.period_s, found.unit) == (log.slices, pytest.approx(0.25), "packets")
    for name in ("run", "interval", "packets"):
        np.testing.assert_array_equal(getattr(found, name), getattr(log, name))


def test_gaps_in_a_history_stay_gaps():
    history = traffic_log(30, volumes=False).history()
    part = history.take(np.array([0, 1, 3, 4, 40]))  # one interval between the first two sequences is seen by both
    found = traffic_of(part)
    assert found.interval.tolist() == [0, 1, 2, 3, 4, 5, 11, 12]
    assert found.run.tolist() == [0] * 6 + [1] * 2


def test_volumes_are_arrivals_where_packets_are_not_known():
    log = traffic_log(30, packets=False)
    assert log.unit == "byte"
    np.testing.assert_array_equal(log.packets_of("embb", 500.0), log.volume_byte[:, 0] / 500.0)
    found = traffic_of(log.history())
    assert found.packets is None
    np.testing.assert_array_equal(found.volume_byte, np.rint(log.volume_byte))


def test_one_slice_is_enough():
    whole = traffic_log(30, volumes=False)
    log = replace(whole, slices=("embb",), packets=whole.packets[:, :1])
    assert log.history().scenario.num_slices == 2
    assert log.history().arrivals[:, 1].max() == 0
    assert traffic_of(log.history()).slices == ("embb",)


def test_sizes_count_as_often_as_packets_had_them():
    log = TrafficLog(("a",), 1.0, [0, 0, 0], [0, 1, 2], [[3.0], [0.0], [1.0]], [[300.0], [0.0], [900.0]])
    assert sorted(log.packet_sizes("a")) == [100.0, 100.0, 100.0, 900.0]
    assert len(traffic_log(2000).packet_sizes("embb", most=1000)) == pytest.approx(4000, rel=0.02)  # one an interval
    assert traffic_log(30, volumes=False).packet_sizes("embb") is None


def test_units_that_nobody_holds_send_nothing_and_are_no_slice():
    mapping = inspect_log(IDLE).proposal
    found = traffic_of(read_log(IDLE, mapping))
    log = traffic_of(IDLE, mapping, period_s=found.period_s)
    assert found.slices == log.slices == ("embb", "mtc", "urllc")
    np.testing.assert_array_equal(found.packets, log.packets)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slices": ("a", "a", "b")}, "slices: .* allowed are one or more different names"),
        ({"packets": None, "volume_byte": None}, "packets: None given and volume_byte: None"),
        ({"packets": np.full((60, 3), -1.0)}, "packets: -1.0 in row 0, slice 'embb', allowed are 0"),
        ({"packets": np.ones((60, 2))}, r"packets: shape \(60, 2\) given, allowed is \(60, 3\)"),
        ({"volume_byte": np.full((60, 3), np.nan)}, "volume_byte: nan in row 0"),
        ({"period_s": 0.0}, "period_s: 0.0 given, allowed is above 0"),
        ({"interval": np.zeros(60, int)}, "interval: 0 of run 0 occurs twice"),
    ],
)
def test_what_is_no_traffic_is_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(traffic_log(30), **changes)


def mapping(**changes) -> LogMapping:
    """Of the passive log."""
    given = {"interval": "t", "slice": "slice", "slices": ["embb", "mtc", "urllc"], "arrivals": "pkts"}
    return LogMapping.from_dict({**given, "performance": {"bytes": {"unit": "byte"}}, **changes})


def test_a_passive_log_is_read_by_its_mapping():
    log = traffic_of(PASSIVE, mapping(), period_s=0.5)
    assert (len(log), log.slices, log.period_s) == (160, ("embb", "mtc", "urllc"), 0.5)
    assert log.packets[0].tolist() == [61.0, 43.0, 34.0]
    assert log.volume_byte[0].tolist() == [6954.0, 56029.0, 40800.0]
    alone = traffic_of(PASSIVE, mapping(performance={}, unused=["bytes"]), period_s=0.5)
    assert alone.volume_byte is None
    np.testing.assert_array_equal(alone.packets, log.packets)


def test_slices_of_like_names_stay_apart():
    table = pd.read_csv(PASSIVE).replace({"slice": {"embb": "a b", "mtc": "a-b"}})
    assert traffic_of(table, inspect_log(table).proposal, period_s=1.0).slices == ("a_b", "a_b_2", "urllc")


def test_volumes_may_be_a_logs_arrivals():
    given = mapping(arrivals="bytes", performance={}, unused=["pkts"])
    log = traffic_of(PASSIVE, given, period_s=0.5, volume_byte="bytes")
    assert (log.packets, log.unit) == (None, "byte")
    assert log.volume_byte[0].tolist() == [6954.0, 56029.0, 40800.0]


def test_a_log_of_decisions_has_traffic_too():
    """With the length of its intervals, where its times say it; slices called as names cannot be get some."""
    time = {"column": "t", "unit": "ms", "period": 1}
    given = mapping(interval=None, time=time, performance={}, unused="rest")
    log = traffic_of(DECIDED, given)
    assert log.period_s == pytest.approx(1e-3)
    assert log.packets[0].tolist() == [61.0, 43.0, 34.0]
    numbers = pd.DataFrame({"t": [0, 0, 1, 1], "slice": [1, 2, 1, 2], "pkts": [3, 4, 5, 6]})
    named = traffic_of(numbers, mapping(slices=[1, 2], performance={}), period_s=1.0)
    assert (named.slices, named.packets.tolist()) == (("slice_1", "slice_2"), [[3.0, 4.0], [5.0, 6.0]])


def test_what_a_mapping_does_not_say_is_asked_for():
    with pytest.raises(ValueError, match="period_s: not given, and 't' numbers the intervals"):
        traffic_of(PASSIVE, mapping())
    with pytest.raises(ValueError, match="volume_byte: unknown name 'byte'; did you mean 'bytes'"):
        traffic_of(PASSIVE, mapping(), period_s=1.0, volume_byte="byte")
    with pytest.raises(ValueError, match="mapping: None given, allowed is a LogMapping"):
        traffic_of(PASSIVE)
