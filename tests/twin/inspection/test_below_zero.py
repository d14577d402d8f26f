"""Counters below 0, as after a reset: what is said of them, and that the proposal reads the log nevertheless."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.helpers.operators import VOLUME, export
from twin import inspect_log, read_log
from twin.data.logs import LogMapping, read_intervals

OFFERED = "DL PDCP SDU volume offered [GB]"
USERS = "RRC Connected Users"
DELAY = "DL Delay [ms]"
AS_WRITTEN = {"plain": {}, "european": {"sep": ";", "decimal": ","}}

pytestmark = pytest.mark.filterwarnings("ignore::twin.data.logs.LogWarning")


def with_resets(arrivals=VOLUME):
    """60 intervals of 3 slices, two of which hold a volume below 0."""
    table = export(intervals=60).rename(columns={VOLUME: arrivals})
    if "GB" in arrivals:
        table[arrivals] /= 8000.0
    table.loc[[31, 100], arrivals] = [-812.5, -0.25]
    return table


def said_of(found, name):
    """What is said of a column below 0."""
    (text,) = [str(each) for each in found.findings if each.key == "negative" and str(each).startswith(name)]
    return text


def as_gaps(reads, table):
    """Whether just the intervals of the resets are left out, and the volumes of the others are what stands there."""
    volume = table[reads.mapping.arrivals_rule.column].to_numpy().reshape(-1, 3)
    kept = volume[(volume >= 0.0).all(axis=1)]
    np.testing.assert_array_equal(reads.arrivals, reads.mapping.arrivals_rule.packets(kept))
    return len(reads) == 58


@pytest.mark.parametrize("arrivals", [VOLUME, OFFERED])
@pytest.mark.parametrize("written", AS_WRITTEN)
@pytest.mark.parametrize(
    "query",
    [
        None,
        "SELECT * FROM log;",
        'WITH x AS (FROM log) SELECT * REPLACE (CAST("{}" AS VARCHAR) AS "{}") FROM x -- texts',
        'SELECT * FROM log WHERE "DL Delay [ms]" > 0',
    ],
)
def test_the_proposal_reads_arrivals_below_zero_as_gaps(tmp_path, arrivals, written, query):
    table = with_resets(arrivals)
    table.to_csv(tmp_path / "oss.csv", index=False, **AS_WRITTEN[written])
    found = inspect_log(tmp_path / "oss.csv", query=query and query.replace("{}", arrivals))
    assert said_of(found, arrivals).endswith(
        "delay is not. The mapping's query sets it to NULL, and such an interval is a gap (missing_is)"
    )
    (tmp_path / "mapping.yaml").write_text(found.mapping_yaml())
    mapping = LogMapping.from_yaml(tmp_path / "mapping.yaml")
    assert mapping == found.proposal
    assert (mapping.missing, mapping.missing_is) == (("",), "gap")
    assert as_gaps(read_intervals(tmp_path / "oss.csv", mapping), table)
    assert len(read_log(tmp_path / "oss.csv", mapping)) == 55


def test_a_table_in_memory_and_cells_that_are_no_numbers_are_read_as_well(tmp_path):
    table = with_resets()
    assert as_gaps(read_intervals(table, inspect_log(table).proposal), table)
    table[VOLUME] = table[VOLUME].astype(object)
    table.loc[60, VOLUME] = "NIL"
    table.loc[90, DELAY] = np.nan
    table.to_csv(tmp_path / "oss.csv", index=False)
    found = inspect_log(tmp_path / "oss.csv")
    assert found.keys["missing"] == ["", "NIL"]
    assert len(read_intervals(tmp_path / "oss.csv", found.proposal)) == 56


def test_files_remain_runs_and_columns_of_slices_are_mended_each(tmp_path):
    whole = with_resets()
    for name, part in (("b", whole[:90]), ("a", whole[90:])):
        part.to_csv(tmp_path / f"{name}.csv", index=False)
    found = inspect_log(tmp_path)
    assert found.keys["run"] == "file"
    reads = read_intervals(tmp_path, found.proposal)
    assert (reads.run.tolist(), reads.run_names) == ([0] * 29 + [1] * 29, {0: "a.csv", 1: "b.csv"})
    with pytest.raises(ValueError, match="the mapping wants column 'file', which the log lacks"):
        read_intervals(tmp_path, LogMapping.from_dict(found.keys | {"query": "SELECT * EXCLUDE (file) FROM log"}))
    rng = np.random.default_rng(0)
    held = rng.integers(5, 45, 60)
    wide = pd.DataFrame(
        {
            "interval": range(60),
            "pkts_embb": rng.poisson(30, 60),
            "pkts_mtc": rng.poisson(9, 60),
            "prb_embb": held,
            "prb_mtc": 50 - held,
        }
    )
    wide.loc[7, "pkts_mtc"], wide.loc[9, "pkts_embb"] = -1, -4
    found = inspect_log(wide)
    assert "The mapping's query" in said_of(found, "pkts_mtc")
    assert set(range(60)) - set(read_intervals(wide, found.proposal).interval) == {7, 9}


def test_volumes_that_are_measured_too_keep_their_bound_and_their_scale():
    plain, reset = inspect_log(export(intervals=60)).keys, inspect_log(with_resets()).keys
    assert "query" not in plain
    assert reset["performance"] == plain["performance"]
    assert reset["spectral_efficiency"] == plain["spectral_efficiency"]


def test_of_each_role_what_is_said_is_true():
    table = with_resets()
    table["scheduler_number"] = np.tile([-1, 1, 2], 60)
    table["Lost Packets"] = -7
    table.loc[4, [DELAY, USERS]] = [-3.0, -2.0]
    found = inspect_log(table)
    for name in (DELAY, USERS):
        assert "The mapping lets it (lower: null); mend the log, or a query" in said_of(found, name)
        assert found.keys["performance"][name]["lower"] is None
    assert "The mapping takes it for a choice (controls); mend the log" in said_of(found, "scheduler_number")
    assert found.keys["controls"] == {"scheduler_number": [-1, 1, 2]}
    assert said_of(found, "Lost Packets").endswith("rate or delay is not")  # it is under unused
    assert len(read_intervals(table, found.proposal)) == 58
    assert "mapping" not in said_of(inspect_log(table.drop(columns="Begin Time")), DELAY)


def test_a_rate_of_one_user_below_zero_is_let_though_the_slice_has_more():
    table = pd.DataFrame(
        {
            "interval": np.repeat(range(40), 4),
            "slice": np.tile(["embb", "embb", "mtc", "mtc"], 40),
            "ue": np.tile([1, 2, 3, 4], 40),
            "pkts": np.random.default_rng(0).poisson(9.0, 160),
            "rate_mbps": np.random.default_rng(1).uniform(1.0, 5.0, 160),
        }
    )
    table.loc[6, "rate_mbps"] = -0.5
    found = inspect_log(table)
    assert "(lower: null)" in said_of(found, "rate_mbps")
    assert len(read_intervals(table, found.proposal)) == 40


@pytest.mark.parametrize("below", ["of a slice", "of an interval"])
def test_no_query_is_proposed_that_leaves_nothing(below):
    table = with_resets()
    one = table.index % 3 == 1 if below == "of a slice" else table.index % 3 == table.index // 3 % 3
    table.loc[one, VOLUME] = -7.0
    found = inspect_log(table)
    assert said_of(found, VOLUME).endswith("or no interval those of all slices: mend the log")
    assert "query" not in found.keys
    assert "become NULL" not in found.mapping_yaml()
    with pytest.raises(ValueError, match=r"-7 in row .*, allowed are 0 to inf"):
        read_intervals(table, found.proposal)
