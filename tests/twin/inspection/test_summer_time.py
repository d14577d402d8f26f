"""The end of summer time in logs of local time: what is two hours, what is said of it, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.helpers.operators import VOLUME, export
from twin import inspect_log
from twin.data.logs import LogMapping, read_intervals

pytestmark = pytest.mark.filterwarnings("ignore::twin.data.logs.LogWarning")


def dated(*args):
    """Such a log as a table with times."""
    table = export(*args)
    table["Begin Time"] = pd.to_datetime(table["Begin Time"], dayfirst=True)
    return table


def mapping_of(table, **keys):
    """The proposal for a log, which reads an hour that stands twice."""
    found = inspect_log(table).keys
    return LogMapping.from_dict({**found, "time": {**found["time"], "repeated_hour": True}, **keys})


@pytest.mark.parametrize(
    ("freq", "first", "order"),
    [
        ("15min", "2026-10-24 23:00", "time"),
        ("15min", "2026-10-24 23:00", "slice"),
        ("h", "2026-10-24 12:00", "time"),
    ],
)
def test_an_hour_that_stands_twice_is_two_hours(freq, first, order):
    table = dated(first, 40, freq)
    if order == "slice":  # all of a slice, then all of the next
        table = table.sort_values("S-NSSAI", kind="stable", ignore_index=True)
    found = inspect_log(table)
    assert found.keys["time"]["repeated_hour"] is True
    assert len(found.facts.timing.time) == 40
    read = read_intervals(table, found.proposal)
    np.testing.assert_array_equal(read.interval, np.arange(40))
    first_rows = export(first, 40, freq)[VOLUME].to_numpy().reshape(-1, 3)
    np.testing.assert_allclose(read.arrivals, first_rows * 1e6 / 12000, rtol=0, atol=0.51)


def test_a_slice_without_the_second_hour_goes_on_with_the_others():
    table = dated("2026-10-24 23:00", 40)
    twice = table["Begin Time"].between("2026-10-25 02:00", "2026-10-25 02:45") & (table["S-NSSAI"] == "2-000001")
    table = table[~(twice & (table.index >= 3 * 16))]
    mapping = LogMapping.from_dict({**inspect_log(table).keys, "missing_is": "gap"})
    assert mapping.absent
    assert read_intervals(table, mapping).present[:, 2].sum() == 36
    assert read_intervals(table, mapping).present[:, :2].all()


@pytest.mark.parametrize("shift", [pd.Timedelta("-50min"), pd.Timedelta("-3D")])
def test_time_that_runs_back_otherwise_is_no_summer_time(shift):
    """By day, or by more than an hour."""
    table = dated("2026-10-27 12:00", 40)
    table.loc[60:, "Begin Time"] += shift
    found = inspect_log(table)
    assert "time_back" in [each.key for each in found.findings]
    assert "repeated_hour" not in found.keys["time"]
    keys = {**found.keys, "drop_identical": False}
    with pytest.raises(
        ValueError, match=r"runs back in row 62 \(2026-10-2\d \d\d:\d\d after 2026-10-27 16:45\); "
    ) as no:
        read_intervals(table, LogMapping.from_dict(keys))
    assert ("time.repeated_hour: true" in str(no.value).splitlines()[1]) == (shift > pd.Timedelta("-1h"))


@pytest.mark.parametrize("order", ["time", "slice"])
def test_a_slice_without_one_of_the_two_hours_lacks_that_one(order):
    """In order of time rows behind the first that runs back are of the second hour, whatever their slice had before."""
    table = dated("2026-10-24 23:00", 40)
    number = np.arange(120) // 3
    part = table["S-NSSAI"] == "1-000001"
    for lacks in ("first", "second") if order == "time" else ("second",):
        gone = (number >= 12) & (number < 16) if lacks == "first" else (number >= 16) & (number < 20)
        left = table[~(part & gone)]
        left = left.sort_values("S-NSSAI", kind="stable") if order == "slice" else left
        read = read_intervals(left, mapping_of(left))
        assert np.flatnonzero(~read.present[:, 0]).tolist() == sorted(set(number[gone]))
        assert inspect_log(left).facts.grid.present[:, 0].tolist() == read.present[:, 0].tolist()


@pytest.mark.parametrize("order", ["time", "slice"])
def test_slices_may_have_different_parts_of_the_two_hours(order):
    """One has the first half of both, another one the second half."""
    table = dated("2026-10-24 23:00", 40)
    number = np.arange(120) // 3
    late = (number >= 12) & (number < 20) & (number % 4 > 1)
    early = (number >= 12) & (number < 20) & (number % 4 < 2)
    gone = (late & (table["S-NSSAI"] == "1-000001")) | (early & (table["S-NSSAI"] == "1-0000A2"))
    left = table[~gone & ~((late | early) & (table["S-NSSAI"] == "2-000001"))]
    left = left.sort_values("S-NSSAI", kind="stable") if order == "slice" else left
    read = read_intervals(left, mapping_of(left))
    assert np.flatnonzero(~read.present[:, 0]).tolist() == sorted(set(number[late]))
    assert np.flatnonzero(~read.present[:, 1]).tolist() == sorted(set(number[early]))
    assert np.flatnonzero(~read.present[:, 2]).tolist() == list(range(12, 20))


def test_an_hour_that_stands_twice_is_said_and_the_rest_that_runs_back_is_refused():
    table = dated("2026-10-24 12:00", 330)
    mapping = mapping_of(table)
    said = "Begin Time: 2026-10-25 02:00 to 02:45 stands twice because summer time ended"
    assert read_intervals(table, mapping).notes[0].startswith(said)
    at = table.index[table["Begin Time"] == "2026-10-27 14:45"]
    swapped = table.copy()
    swapped.loc[at[0] : at[0] + 5] = np.roll(table.loc[at[0] : at[0] + 5].to_numpy(), 3, axis=0)
    with pytest.raises(ValueError, match="3 faults") as refused:
        read_intervals(swapped, mapping)
    assert "(2026-10-27 14:45 after 2026-10-27 15:00); summer time ends in a night only" in str(refused.value)


def test_rows_that_are_doubled_by_day_are_no_further_interval():
    table = dated("2026-10-26 00:00", 60, "h")
    table = pd.concat([table[:63], table[60:]], ignore_index=True)
    read = read_intervals(table, mapping_of(table, drop_identical=True))
    assert len(read) == 60
    assert any("3 row(s) left out" in note for note in read.notes)


def test_two_hours_that_were_sorted_by_time_are_told_from_dirt():
    table = dated("2026-10-24 12:00", 120).sort_values("Begin Time", kind="stable", ignore_index=True)
    first = inspect_log(table).findings[0]
    assert first.key == "sorted_hour"
    assert "all rows from 2026-10-25 02:00 to 2026-10-25 02:45 stand twice" in str(first)
    by_day = table.assign(**{"Begin Time": table["Begin Time"] + pd.Timedelta("12h")})
    for other in (by_day, table.drop(index=table.index[table["Begin Time"] == "2026-10-25 02:15"][0])):
        assert "sorted_hour" not in [each.key for each in inspect_log(other).findings]


def test_of_two_nights_of_one_autumn_neither_is_the_end_of_summer_time():
    table = dated("2026-10-24 23:00", 800)
    table.loc[table["Begin Time"].between("2026-11-01 02:00", "2026-11-01 02:30"), "Begin Time"] -= pd.Timedelta(
        "30min"
    )
    with pytest.raises(ValueError, match="runs back in row") as refused:
        read_intervals(table, mapping_of(table))
    assert "2026-10-25 02:00 after 2026-10-25 02:45" in str(refused.value)
    assert "2026-11-01 01:30 after 2026-11-01 01:45" in str(refused.value)


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("America/New_York", "2026-10-01"),
        ("America/Santiago", "2026-03-20"),
        ("Atlantic/Azores", "2026-10-01"),
        ("Australia/Sydney", "2026-03-20"),
    ],
)
def test_summer_time_ends_at_other_hours_elsewhere(zone, first):
    """From Saturday, 23:00 in Santiago, to Sunday, 02:00 in Sydney."""
    table = dated("2026-01-01 00:00", 1000, "h")
    when = pd.date_range(first, periods=1000, freq="h", tz=zone).tz_localize(None)
    table["Begin Time"] = np.repeat(when, 3)
    read = read_intervals(table, mapping_of(table))
    np.testing.assert_array_equal(read.interval, np.arange(1000))
    assert "stands twice" in read.notes[0]
