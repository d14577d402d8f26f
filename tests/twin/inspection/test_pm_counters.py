"""Tables of PM counters: a column for each slice after the unit, totals, serial dates, texts above the header."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from tests.helpers.operators import VOLUME, export
from tests.twin.inspection.test_shapes import cell, finding, keys_of
from twin import inspect_log, read_log
from twin.data.logs.preamble import header_line
from twin.inspection import to_check

QUANTITIES = {
    VOLUME: "DRB.PdcpSduVolumeDL [Mbit]",
    "DL Delay [ms]": "DRB.PdcpSduDelayDl [ms]",
    "RRM Dedicated Ratio [%]": "rRMPolicyDedicatedRatio [%]",
}
UNTOLD = "no slice column yet: whether there are decisions cannot be told"


def wide(names=("embb", "mtc", "urllc"), form="{} {}"):
    """A column for each counter and slice, as `DRB.PdcpSduVolumeDL [Mbit] embb`."""
    table = export(intervals=60)
    when = pd.date_range("2026-03-02", periods=60, freq="15min")
    columns = {
        form.format(new, name): table[old].to_numpy().reshape(-1, 3)[:, number]
        for old, new in QUANTITIES.items()
        for number, name in enumerate(names)
    }
    return pd.DataFrame({"Begin Time": when} | columns)


def test_slices_stand_behind_the_unit():
    found = inspect_log(wide())
    assert found.what == "allocation"
    assert found.keys["slices"] == ["embb", "mtc", "urllc"]
    assert found.keys["wide"] == {name: f"{name} {{slice}}" for name in QUANTITIES.values()}
    assert found.keys["allocation"] == {"column": "rRMPolicyDedicatedRatio [%]", "as": "percent"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(read_log(wide(), found.proposal)) == 59


def test_words_apart_are_no_slices():
    table = wide().iloc[:, :1].assign(**{f"{way} {what}": range(60) for way in ("DL", "UL") for what in ("Vol", "Thp")})
    assert not inspect_log(table).facts.wide


@pytest.mark.parametrize("table", [wide(form="{} of {}x"), export(intervals=60).rename(columns={"S-NSSAI": "Kennung"})])
def test_without_a_slice_column_nobody_can_tell_of_decisions(table):
    found = inspect_log(table)
    assert found.what == "nothing"
    assert UNTOLD in found.report().splitlines()[0]
    assert str(finding(found, "passive")) == UNTOLD
    assert "nobody decided" not in found.report()


def test_a_log_of_one_slice_is_passive_all_the_same():
    found = inspect_log(pd.DataFrame({"interval": range(20), "pkts": np.arange(20) % 7, "delay_ms": np.arange(20.0)}))
    assert found.what == "passive"
    assert "nobody decided anything" in found.report()


@pytest.mark.parametrize(("label", "shown"), [("ALL", "'ALL'"), ("it's", "'it''s'"), (9, "9")])
def test_a_row_of_totals_is_named_with_the_query_that_leaves_it_out(label, shown):
    table = cell(slices=("a", "b", "c") if isinstance(label, str) else (1, 2, 3)).drop(columns="thp_mbps")
    total = table.groupby("interval", as_index=False)[["dl_pkts", "prb"]].sum().assign(slice_id=label)
    both = pd.concat([table, total]).sort_values("interval", kind="stable", ignore_index=True)
    query = f'SELECT * FROM log WHERE "slice_id" <> {shown}'
    found = inspect_log(both)
    assert str(finding(found, "total")) == f"{label} is the sum of the others: a total? query: {query}"
    without = inspect_log(both, query=query)
    assert without.facts.allocations.total == 50
    assert "total" not in keys_of(without)


@pytest.mark.parametrize(("minutes", "digits"), [(15, 4), (60, 4), (1, 6), (0.5, 6)])
def test_days_since_1900_are_told_and_the_query_makes_dates_of_them(minutes, digits):
    table = export(intervals=60)
    table["Begin Time"] = np.repeat((46083.0 + np.arange(1, 61) * minutes / 1440).round(digits), 3)
    found = inspect_log(table)
    said = str(finding(found, "serial_dates"))
    assert said.startswith("Begin Time looks like days since 1900 (Excel)")
    assert to_check(found.mapping_yaml())[0].startswith("time: these look like days since 1900 (Excel), not s. query: ")
    assert "in days since 1900? CHECK; period" in found.report()
    query = said.partition("query: ")[2]
    timing = inspect_log(table, query=query).facts.timing
    assert (timing.unit, timing.period, timing.jitter) == ("iso", minutes * 60, False)
    assert timing.clock[0] == pytest.approx(pd.Timestamp("2026-03-02").timestamp() + minutes * 60)


@pytest.mark.parametrize(
    ("name", "first", "step"), [("time_s", 46083, 0.25), ("time", 100, 0.25), ("time", 46083, 1.5)]
)
def test_seconds_are_no_days(name, first, step):
    table = cell().rename(columns={"interval": name})
    found = inspect_log(table.assign(**{name: first + step * table[name]}))
    assert "serial_dates" not in keys_of(found)
    assert "time" not in " ".join(to_check(found.mapping_yaml()))


ROWS = "".join(f"{number};{name};5,5;30;7\n" for number in range(30) for name in "ab")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Report of PM counters\nNode: NR_0417\n\n", 4),
        ("Report, made on 2026-01-01, by OSS, x, y, z\nNode: NR_0417\n", 3),
        ("Report;made on;2026-01-01\n", 2),
    ],
)
@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_texts_above_the_header_are_named_by_the_headers_line(text, line, delimiter, tmp_path):
    table = "Time;Slice;Packets;PRB alloc;Users\n" + ROWS
    path = tmp_path / "report.csv"
    path.write_text(text + table.replace(";", delimiter))
    try:
        said = inspect_log(path).report()
    except ValueError as error:
        said = str(error)
        assert "Possible fixes" not in said
    if "lines skipped above it" not in said:  # DuckDB may see it itself
        assert f"line {line} looks like the header: delete the lines above it (tail -n +{line} <file>" in said
    path.write_text(table.replace(";", delimiter))
    assert "looks like the header" not in inspect_log(path).report()


def test_what_is_no_table_for_another_reason_is_not_said_to_have_texts_above(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("Time;Slice;Packets\n" + "1;a;2\n" * 20 + "1;a;2;3;4\n" + "1;a;2\n" * 20)
    assert header_line(path) is None


def test_bounds_by_name_are_a_finding_and_a_minimum_is_no_allocation():
    table = export(intervals=60)
    for name, words in (
        ("rRMPolicyMinRatio", "is by its name a guaranteed minimum, no allocation: a slice may hold more"),
        ("rRMPolicyMaxRatio", "is by its name a cap, no allocation: a slice may hold less"),
    ):
        found = inspect_log(table.rename(columns={"RRM Dedicated Ratio [%]": name}))
        assert str(finding(found, "bound")).startswith(f"{name} {words}")
        assert ("shares" in keys_of(found)) == ("Min" in name)
    assert "bound" not in keys_of(inspect_log(table))


def test_a_count_below_zero_is_a_finding_with_its_lines():
    table = export(intervals=60).rename(columns={"RRC Connected Users": "RRC.ConnMean"})
    table["RSRP [dBm]"] = -90.0 - np.arange(180) % 7
    assert "negative" not in keys_of(inspect_log(table))
    table.loc[[4, 9], "RRC.ConnMean"] = [-0.81, -0.2]
    (found,) = [each for each in inspect_log(table).findings if each.key == "negative"]
    assert (
        str(found) == "RRC.ConnMean is below 0 in 2 rows (lines 6, 11; lowest: -0.81): a count, volume, rate "
        "or delay is not. The mapping lets it (lower: null); mend the log, or a query may set it to NULL "
        '(with missing: [""])'
    )
    assert found.rows == (6, 11)
