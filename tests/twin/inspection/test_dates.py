"""Dates of many forms: what is read, what is said of the order of day and month, and what no row tells."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pandas as pd
import pytest

from tests.twin.inspection.test_shapes import cell, finding
from twin import inspect_log, read_log
from twin.data.logs import LogWarning


def test_times_that_are_no_dates_are_pointed_out():
    table = cell().rename(columns={"interval": "Time"})
    table["Time"] = [f"at {each}" for each in table["Time"]]
    assert "Time holds texts that are no dates" in str(finding(inspect_log(table), "no_time"))


def dated(form, first="2026-11-27 14:05:00", intervals=200):
    """A log with dates of a form, an interval a second."""
    table = cell(intervals=intervals).rename(columns={"interval": "zeit"})
    table["zeit"] = (pd.Timestamp(first) + pd.to_timedelta(table["zeit"], unit="s")).dt.strftime(form)
    return table


@pytest.mark.parametrize(
    ("form", "first", "order"),
    [
        ("%d.%m.%Y %H:%M:%S", "2026-11-27 14:05:00", "day"),
        ("%d.%m.%Y %H:%M:%S", "2026-11-07 14:05:00", "day"),  # points say so
        ("%d.%m.%Y, %H:%M:%S,%f", "2026-11-07 14:05:00", "day"),
        ("%d/%m/%Y %H:%M:%S", "2026-11-27 14:05:00", "day"),
        ("%d-%m-%YT%H:%M:%S", "2026-11-12 23:59:00", "day"),  # from the next day on it is clear
        ("%m/%d/%Y %H:%M:%S", "2026-11-27 14:05:00", "month"),
        ("%m/%d/%Y %I:%M:%S %p", "2026-11-27 23:59:00", "month"),
    ],
)
def test_dates_are_read_with_day_or_month_first(form, first, order, tmp_path):
    dated(form, first).to_csv(tmp_path / "x.csv", index=False, sep=";", decimal=",")
    found = inspect_log(tmp_path / "x.csv")
    assert found.columns["zeit"].low == pd.Timestamp(first).timestamp()
    assert found.columns["zeit"].high == pd.Timestamp(first).timestamp() + 199
    assert f"zeit has dates that are read with the {order} first" in [str(each) for each in found.findings]
    assert found.keys["time"] == {"column": "zeit", "unit": "iso", "period": 1.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LogWarning)
        assert len(read_log(tmp_path / "x.csv", found.proposal)) == 199


@pytest.mark.parametrize(("form", "order"), [("%m/%d/%Y %H:%M:%S", "month"), ("%d-%m-%Y %H:%M:%S", "day")])
def test_the_order_of_day_and_month_is_that_without_a_pause(form, order):
    """From 2 to 3 November: the other order has them four weeks apart."""
    found = inspect_log(dated(form, "2026-11-02 23:58:20"))
    assert f"zeit has dates that are read with the {order} first" in [str(each) for each in found.findings]
    assert found.columns["zeit"].low == pd.Timestamp("2026-11-02 23:58:20").timestamp()
    assert not [each for each in found.findings if each.key == "pause"]


def test_a_value_a_day_may_be_one_a_month():
    table = cell(intervals=12).rename(columns={"interval": "zeit"})
    table["zeit"] = [f"{1 + day}/1/2026" for day in table["zeit"]]
    found = inspect_log(table)
    assert "whether zeit has the day or the month first is not known" in found.report().splitlines()[0]


@pytest.mark.parametrize("first", ["2026-11-27 11:58:20", "2026-11-27 23:58:20"])
@pytest.mark.parametrize("form", ["%Y-%m-%d %I:%M:%S %p", "%Y/%m/%d %I:%M:%S%p"])
def test_hours_up_to_twelve_are_of_their_half_of_the_day(form, first, tmp_path):
    dated(form, first).to_csv(tmp_path / "x.csv", index=False)
    stamps = inspect_log(tmp_path / "x.csv").columns["zeit"]
    assert stamps.low == pd.Timestamp(first).timestamp()
    assert stamps.high == pd.Timestamp(first).timestamp() + 199


@pytest.mark.parametrize("form", ["%d/%m/%Y %H:%M:%S", "%d-%m-%Y, %H:%M:%S.%f", "%d/%m/%Y %I:%M:%S %p"])
def test_dates_of_which_no_row_says_what_comes_first_are_read_by_a_query(form, tmp_path):
    dated(form, "2026-11-07 14:05:00").to_csv(tmp_path / "x.csv", index=False)
    found = inspect_log(tmp_path / "x.csv")
    message = str(finding(found, "no_time"))
    assert "its rows do not say whether '07" in message
    assert "the key query of a mapping may: SELECT" in message
    assert message in found.mapping_yaml()
    asked = inspect_log(tmp_path / "x.csv", query=message.partition("may: ")[2])
    assert asked.columns["zeit"].low == pd.Timestamp("2026-11-07 14:05:00").timestamp()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LogWarning)
        assert len(read_log(tmp_path / "x.csv", asked.proposal)) == 199
    with pytest.raises(
        ValueError, match=r"^mapping\.time\.column: 'zeit' holds dates, but its rows do not say whether '07"
    ):
        read_log(tmp_path / "x.csv", replace(asked.proposal, query=None))


def test_dates_of_both_orders_are_not_read():
    table = dated("%d/%m/%Y %H:%M:%S")
    table.loc[300:, "zeit"] = dated("%m/%d/%Y %H:%M:%S").loc[300:, "zeit"]
    assert "its rows do not say whether" in str(finding(inspect_log(table), "no_time"))


def test_a_broken_date_is_a_cell_that_is_not_clean(tmp_path):
    table = dated("%d.%m.%Y %H:%M:%S")
    table.loc[7, "zeit"] = "31.02.2026 14:05:02"
    table.to_csv(tmp_path / "x.csv", index=False)
    broken = finding(inspect_log(tmp_path / "x.csv"), "cells")
    assert (broken.rows, "31.02.2026" in str(broken)) == ((9,), True)
