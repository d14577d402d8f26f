"""Logs as operators' management systems export them: local time, volumes with units, delays, shares of the units."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from tests.helpers.operators import VOLUME, export, write_export
from twin import inspect_log, read_log
from twin.data.logs import LogMapping, LogWarning, read_intervals
from twin.inspection import to_check
from twin.inspection.roles import key_columns, tokens, volume_unit
from twin.traffic import traffic_of


@pytest.fixture
def log(tmp_path):
    return write_export(tmp_path / "oss.csv")


@pytest.mark.filterwarnings("ignore::twin.data.logs.LogWarning")
def test_the_proposal_reads_the_log_as_it_stands(log):
    found = inspect_log(log)
    keys = found.keys
    assert found.what == "allocation"
    assert keys["time"] == {"column": "Begin Time", "unit": "iso", "period": 900.0, "repeated_hour": True}
    assert (keys["slice"], keys["slices"]) == ("S-NSSAI", ["1-000001", "1-0000A2", "2-000001"])
    assert keys["arrivals"] == {"column": VOLUME, "unit": "Mbit", "packet_byte": 1500.0}
    assert keys["allocation"] == {"column": "RRM Dedicated Ratio [%]", "as": "percent"}
    assert keys["ssr"]["column"] == "dl_delay"
    medians = export().groupby("S-NSSAI")["DL Delay [ms]"].median()
    np.testing.assert_allclose(keys["ssr"]["at_most"], medians, rtol=0.02)
    assert keys["spectral_efficiency"] == {"column": "pdcp_volume_dl", "unit_bps": 1111.11, "users": 1}
    marked = to_check(found.mapping_yaml())
    assert [line.partition(":")[0] for line in marked] == ["ssr", "spectral_efficiency", "scenario"]
    assert "median delay" in marked[0]
    assert "one Mbit in 900 s" in marked[1]
    assert "bandwidth_hz / 100 as resolution_hz" in marked[2]
    history = read_log(log, found.proposal)
    assert len(history) == 117  # a gap costs the decision in it and the one for it
    volume = export()[VOLUME].to_numpy().reshape(-1, 3)
    np.testing.assert_allclose(history.arrivals[0], volume[0] * 1e6 / 12000, rtol=0, atol=0.51)
    assert history.spectral_efficiency[0] == pytest.approx(volume[1].sum() * 1e6 / 900 / 18e6, rel=1e-4)
    assert set(history.allocation.sum(axis=1)) == {100}


@pytest.mark.parametrize(
    ("rows", "proposed"), [((31, 100), "gap"), ((31, 34), "filled"), ((*range(31, 91, 6),), "filled")]
)
def test_rows_that_are_missing_rarely_and_singly_were_lost(rows, proposed):
    found = inspect_log(export().drop(index=list(rows)))
    (said,) = [str(each) for each in found.findings if each.key == "absent"]
    marked = [line for line in to_check(found.mapping_yaml()) if line.startswith("absent")]
    if proposed == "filled":
        assert said.startswith("slices come and go")
        assert found.keys["absent"][VOLUME] == 0
        assert not marked
        return
    assert said.startswith("rows of slices are missing in 2 of 120 intervals (2 of 1-0000A2)")
    assert found.keys["absent"] == "gap"
    assert marked[0].startswith("absent: 2 intervals lack a slice's row")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LogWarning)
        history = read_log(export().drop(index=list(rows)), found.proposal)
    assert "idle" not in history.scenario.slice_names
    assert len(history) == 119 - 4


def test_what_percents_leave_to_no_slice_is_said():
    table = export(intervals=60)
    table["RRM Dedicated Ratio [%]"] -= np.tile([10, 0, 0], 60)
    found = inspect_log(table)
    (said,) = [str(each) for each in found.findings if each.key == "idle"]
    assert said == "idle units: RRM Dedicated Ratio [%] adds up to 90, not to 100; 10 belong to nobody on average"


def test_the_uplink_is_taken_only_where_there_is_no_downlink():
    table = export(intervals=60)
    table.insert(3, "UL Delay [ms]", table["DL Delay [ms]"] * 2)
    table["Thp UL [Mbit/s]"] = table[VOLUME] / 900
    keys = inspect_log(table).keys
    assert keys["ssr"]["column"] == "dl_delay"
    assert keys["spectral_efficiency"]["column"] == "pdcp_volume_dl"
    uplink = inspect_log(table.drop(columns=["DL Delay [ms]"]).rename(columns={VOLUME: "UL Volume"})).keys
    assert uplink["ssr"]["column"] == "ul_delay"
    assert uplink["spectral_efficiency"] == {"column": "thp_ul", "unit_bps": 1e6, "users": 1}


@pytest.mark.parametrize(("unit", "bps"), [("MB/s", 8e6), ("Mb/s", 1e6), ("kbit/s", 1e3), ("kB/s", 8e3)])
def test_a_rate_in_bytes_is_eight_times_one_in_bits(unit, bps):
    table = export(intervals=60).rename(columns={VOLUME: "DL Packets"}).round({"DL Packets": 0})
    table[f"Thp DL [{unit}]"] = table["DL Packets"] / 900
    assert inspect_log(table).keys["spectral_efficiency"] == {"column": "thp_dl", "unit_bps": bps, "users": 1}


def test_a_users_throughput_is_no_load_of_the_band():
    """DRB.UEThpDl leaves out the time in which users have nothing to send; the volume has all that was carried."""
    table = export(intervals=60).rename(columns={VOLUME: "DRB.PdcpSduVolumeDL [Mbit]"})
    table["DRB.UEThpDl [kbit/s]"] = 1e5 / table["RRC Connected Users"].clip(lower=1)
    found = inspect_log(table)
    assert "by TS 28.552 what entered PDCP, so offered. An operator's" in found.report()
    rule = found.keys["spectral_efficiency"]
    assert rule == {"column": "drb_pdcpsduvolumedl", "unit_bps": 1111.11, "users": 1}
    assert found.keys["performance"]["DRB.PdcpSduVolumeDL [Mbit]"]["name"] == rule["column"]
    without = table.drop(columns="DRB.PdcpSduVolumeDL [Mbit]").assign(packets=range(180))
    assert "spectral_efficiency" not in inspect_log(without).keys


@pytest.mark.parametrize(("name", "unit", "bps"), [("PDCP_DL_VOL_MB", "MB", 8888.89), ("Vol_Mb_DL", "Mbit", 1111.11)])
def test_megabytes_as_a_word_of_a_name_are_to_be_checked(name, unit, bps):
    found = inspect_log(export(intervals=60).rename(columns={VOLUME: name}))
    assert found.keys["arrivals"] == {"column": name, "unit": unit, "packet_byte": 1500.0}
    assert found.keys["spectral_efficiency"]["unit_bps"] == bps
    assert to_check(found.mapping_yaml())[0].startswith(f"arrivals: the name may mean bytes or bits by {unit}")


def test_what_a_reader_has_to_know_stands_first(log):
    found = inspect_log(log)
    messages = {each.key: str(each) for each in found.findings}
    assert messages["summer_time"].startswith("Begin Time: 2026-10-25 02:00 to 02:45 stands twice because summer time")
    assert "1 line is not clean: 32 ('NIL' in PDCP Volume DL [Mbit])" in messages["cells"]
    assert "likely what was carried, not what was offered" in messages["carried"]
    assert not {"time_back", "pause", "no_reward"} & set(messages)


@pytest.mark.parametrize(("freq", "seconds"), [("1s", 1), ("15min", 900), ("h", 3600), ("D", 86400)])
def test_nominal_traffic_is_the_logs(freq, seconds):
    """A packet is a packet: what the scenario's slices send in an interval is the volume that was measured."""
    found = inspect_log(export("2026-06-01", 60, freq))
    sent = found.proposal.network
    assert sent.radio.interval_s == pytest.approx(seconds)
    size = np.array([part.traffic.packet_size_byte.value for part in sent.slices])
    measured = found.facts.grid.values[VOLUME]
    np.testing.assert_allclose(sent.nominal_arrivals * size * 8 / 1e6, np.nanmean(measured, axis=0), rtol=1e-3)


@pytest.mark.parametrize(("unit", "byte"), [("bit", 1 / 8), ("kB", 1e3), ("KiB", 1024), ("Mbit", 1.25e5)])
def test_a_volume_is_counted_in_packets(unit, byte):
    table = export(intervals=30)
    keys = {**inspect_log(table).keys, "arrivals": {"column": VOLUME, "unit": unit, "packet_byte": 1000 * byte}}
    read = read_intervals(table, LogMapping.from_dict({**keys, "allocation": None, "scenario": None, "unused": "rest"}))
    np.testing.assert_array_equal(read.arrivals.ravel(), np.rint(table[VOLUME] / 1000))
    traffic = traffic_of(table, read.mapping)
    np.testing.assert_allclose(traffic.volume_byte, read.arrivals * 1000 * byte)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"column": VOLUME, "unit": "mb"}, r"arrivals\.unit: unknown name 'mb'"),
        ({"column": VOLUME, "unit": "Mbit", "packet_byte": 0}, r"arrivals\.packet_byte: 0"),
        ({"column": VOLUME, "packet_byte": 100}, r"arrivals\.unit: missing, of which packet_byte: 100 makes packets"),
    ],
)
def test_rules_that_are_not_right_are_refused(rule, message):
    with pytest.raises(ValueError, match=message):
        LogMapping.from_dict({**inspect_log(export(intervals=30)).keys, "arrivals": rule})


@pytest.mark.parametrize(
    ("unit", "asked"),
    [
        ("Mb", "Mbit (megabit) or MB (megabyte)?"),
        ("mb", "Mbit (megabit) or MB (megabyte)?"),
        ("kb", "kbit (kilobit) or kB (kilobyte)?"),
        ("Gb", "Gbit (gigabit) or GB (gigabyte)?"),
        ("kbps", "kbit (kilobit) or kB (kilobyte) of an interval, not of a second?"),
        ("MB/s", "Mbit (megabit) or MB (megabyte) of an interval, not of a second?"),
        ("KB", "did you mean 'kB'?"),
        ("mbits", "did you mean 'Mbit'?"),
    ],
)
def test_of_a_unit_that_may_be_bits_or_bytes_both_are_offered(unit, asked):
    with pytest.raises(ValueError, match=re.escape(f"arrivals.unit: unknown name {unit!r}; {asked} (allowed: GB, ")):
        LogMapping.from_dict({**inspect_log(export(intervals=30)).keys, "arrivals": {"column": VOLUME, "unit": unit}})


def test_a_negative_volume_is_refused_though_it_is_a_performance_column_without_a_bound():
    table = export(intervals=30)
    table.loc[5, VOLUME] = -3.0
    keys = inspect_log(export(intervals=30)).keys
    keys["performance"][VOLUME] = {"name": "volume", "lower": None}
    keys["spectral_efficiency"]["column"] = "volume"
    mapping = LogMapping.from_dict(keys)
    assert mapping.columns()[VOLUME].lower == -np.inf
    with pytest.raises(ValueError, match=r"-3 in row 7, allowed are 0 to inf"):
        read_intervals(table, mapping)


def test_a_volume_without_a_unit_is_refused_with_the_rule_that_helps():
    table = export(intervals=30)
    mapping = LogMapping.from_dict({**inspect_log(table).keys, "arrivals": VOLUME})
    with pytest.raises(ValueError, match=r"name rules in the mapping \(arrivals\.unit, query\):") as refused:
        read_log(table, mapping)
    assert "is not a whole number (arrivals: {column: ..., unit: ...}, if it is a volume" in str(refused.value)


@pytest.mark.parametrize("name", ["Traffic Volume", "DRB.PdcpSduVolumeDL"])
@pytest.mark.parametrize("digits", [2, 0])
def test_a_volume_whose_name_says_no_unit_is_to_be_checked(name, digits):
    table = export(intervals=30).round({VOLUME: digits}).rename(columns={VOLUME: name})
    found = inspect_log(table)
    assert found.keys["arrivals"]["unit"] == "Mbit"
    assert to_check(found.mapping_yaml())[0].startswith("arrivals: the name says no unit")
    assert "spectral_efficiency" not in found.keys
    assert "of which to make spectral_efficiency: without them there is a twin, but no environment" in found.report()


def test_a_slice_without_a_delay_is_named():
    table = export(intervals=30)
    table.loc[table["S-NSSAI"] == "2-000001", "DL Delay [ms]"] = np.nan
    found = inspect_log(table)
    assert "ssr" not in found.keys
    lacks = next(str(each) for each in found.findings if each.key == "no_reward")
    assert lacks.startswith("DL Delay [ms] has no value of 2-000001, so nothing says what its SLA is (ssr): without")


def test_a_log_of_one_interval_has_a_time_but_only_one():
    table = export(intervals=1)
    table["Begin Time"] = pd.to_datetime(table["Begin Time"], dayfirst=True)
    found = inspect_log(table)
    assert "Begin Time has one time only, so this is no log of intervals" in found.report().splitlines()[0]
    assert "Begin Time has one time only, and a log of one interval has no decision" in str(found.findings[0])
    assert found.roles["Begin Time"] == "time"


def test_without_a_slice_column_that_is_what_comes_first():
    found = inspect_log(export(intervals=30).rename(columns={"S-NSSAI": "Kennung"}))
    assert found.findings[0].key == "mixed_slices"
    assert "; Kennung would tell them apart" in str(found.findings[0])
    assert "differs from" not in found.report()


@pytest.mark.parametrize("name", ["S-NSSAI", "S_NSSAI", "sNSSAI", "S NSSAI", "SNSSAI"])
def test_the_slice_has_its_3gpp_name_in_many_forms(name):
    assert tokens(f"cell_{name}") == ["cell", "snssai"]
    table = export(intervals=30).rename(columns={"S-NSSAI": name})
    assert tokens(name) == ["snssai"]
    found = inspect_log(table)
    assert key_columns(found.columns, "Begin Time") == {"slice": name}
    assert found.roles[name] == "slice"


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        (VOLUME, "Mbit"),
        ("vol (kbit)", "kbit"),
        ("dl_bytes", "byte"),
        ("Vol [MB]", "MB"),
        ("Vol [KB]", "kB"),
        ("Vol [Mb]", "Mbit"),
        ("Vol [kb]", "kbit"),
        ("Vol (Gb)", "Gbit"),
        ("Vol [mb]", None),  # whose bits or bytes nobody can tell
        ("Volume Mb", None),
        ("VOLUME_MB", None),
        ("x [ms]", None),
    ],
)
def test_units_of_volumes_are_read_from_names(name, unit):
    assert volume_unit(name) == unit


def test_megabits_in_short_are_no_megabytes():
    found = inspect_log(export(intervals=30).rename(columns={VOLUME: "PDCP Volume DL [Mb]"}))
    assert found.keys["arrivals"]["unit"] == "Mbit"
    assert found.keys["spectral_efficiency"]["unit_bps"] == 1111.11
    unsaid = inspect_log(export(intervals=30).rename(columns={VOLUME: "PDCP Volume DL Mb"}))
    assert to_check(unsaid.mapping_yaml())[0].startswith("arrivals: the name may mean bytes or bits by Mbit")


def test_texts_stand_in_the_order_of_the_log():
    table = export(intervals=30).assign(Kennung=[f"z{-number % 90:02}" for number in range(90)])
    assert "z00, z89, z88, z87 and 86 more" in inspect_log(table).report()


def test_a_pause_is_said_with_a_date():
    table = export("2026-10-27 00:00", 40).drop(index=range(60, 72))
    table["Begin Time"] = pd.to_datetime(table["Begin Time"], dayfirst=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LogWarning)
        assert "after it Begin Time is 2026-10-27 06:00" in inspect_log(table).report()
