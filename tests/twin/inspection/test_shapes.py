"""Logs made up here, of which it is known what an inspection has to find."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest

from twin import inspect_log, read_log
from twin.data.logs import LogWarning


def cell(intervals=200, slices=("a", "b", "c"), units=50, seed=0, lag=1):
    """A log of slices whose rate follows the allocation `lag` rows before."""
    rng = np.random.default_rng(seed)
    width = len(slices)
    cuts = np.sort(np.argsort(rng.random((intervals, units - 1)), axis=1)[:, : width - 1] + 1, axis=1)
    held = np.diff(cuts, axis=1, prepend=0, append=units)
    load = rng.poisson(40.0, (intervals, width))
    rate = np.minimum(0.09 * load, 0.21 * np.roll(held, lag, axis=0)) + rng.normal(0.0, 0.01, held.shape)
    return pd.DataFrame(
        {
            "interval": np.repeat(np.arange(intervals), width),
            "slice_id": np.tile(slices, intervals),
            "dl_pkts": load.ravel(),
            "thp_mbps": np.round(np.abs(rate), 3).ravel(),
            "prb": held.ravel(),
        }
    )


def keys_of(found):
    return [each.key for each in found.findings]


def finding(found, key):
    return next(each for each in found.findings if each.key == key)


@pytest.mark.parametrize(("lag", "says"), [(1, "decided"), (0, "in_force"), (7, "")])
def test_the_alignment_that_was_made_is_found(lag, says):
    found = inspect_log(cell(lag=lag))
    assert found.facts.allocation_is == says
    numbers = found.facts.alignment
    assert (numbers.decided > 0.3) == (says == "decided")
    assert (numbers.in_force > 0.3) == (says == "in_force")
    assert ("cannot be told" in str(finding(found, "alignment"))) == (says == "")


def test_units_and_slices_are_as_the_log_has_them():
    """273 PRB among four slices, one of which sends nothing."""
    table = cell(slices=(1, 2, 3, 9), units=273)
    table.loc[table["slice_id"] == 9, "dl_pkts"] = 0
    found = inspect_log(table)
    assert found.facts.grid.slices == (1, 2, 3, 9)
    assert (found.facts.allocations.total, found.facts.allocations.possible) == (273, math.comb(272, 3))
    radio = found.keys["scenario"]["radio"]
    assert radio["bandwidth_hz"] == 273 * 360e3  # of NR at 30 kHz alone
    assert radio["resource_block_hz"] == radio["resolution_hz"] == 360e3
    assert found.proposal.scenario.num_units == 273


@pytest.mark.parametrize(("scale", "unit", "start"), [(1, "s", 1.76e9), (1000, "ms", 1.76e12), (1e6, "us", 1.76e15)])
def test_epochs_are_told_by_their_size(scale, unit, start):
    table = cell()
    table["interval"] = start + 0.5 * scale * table["interval"]
    timing = inspect_log(table.rename(columns={"interval": "ts"})).facts.timing
    assert (timing.unit, timing.period) == (unit, 0.5 * scale)


def test_stamps_that_drift_and_jitter_are_intervals_all_the_same():
    """A period of 5.008 s of which clocks know nothing; each slice is stamped a moment later than the one before."""
    table = cell(intervals=2000)
    rng = np.random.default_rng(1)
    table["interval"] = 5.008 * table["interval"] + np.tile([0.0, 0.1, 0.2], 2000) + rng.uniform(0, 0.05, len(table))
    found = inspect_log(table.rename(columns={"interval": "time"}))
    assert len(found.facts.timing.time) == 2000
    assert found.facts.timing.period == pytest.approx(5.008, abs=0.01)
    assert not len(found.facts.timing.pauses)
    assert "jitter" in keys_of(found)


def test_pauses_are_counted_and_measured():
    table = cell()
    later = table["interval"].to_numpy() + 30 * (table["interval"] >= 50) + 7 * (table["interval"] >= 120)
    found = inspect_log(table.assign(interval=later))
    assert found.facts.timing.pauses.tolist() == [50, 120]
    assert "2 pauses (37 intervals without any row)" in str(finding(found, "pause"))


def test_a_pause_is_as_long_as_the_reader_says():
    table = cell()
    minutes = 15 * (table["interval"] + 12 * (table["interval"] >= 50))
    found = inspect_log(table.drop(columns="interval").assign(time=1_700_000_000 + 60 * minutes))
    assert "1 pause, the longest of 11700 s (12 intervals without any row)" in str(finding(found, "pause"))
    with pytest.warns(LogWarning, match="the longest of 11700 s"):
        read_log(table.drop(columns="interval").assign(time=1_700_000_000 + 60 * minutes), found.proposal)


def test_rows_that_run_back_differ_or_are_doubled_are_named():
    table = cell(intervals=30)
    table = pd.concat([table, table.iloc[[6]], table.iloc[[9]].assign(dl_pkts=999)], ignore_index=True)
    found = inspect_log(table)
    rows = finding(found, "cells")
    assert rows.rows == (92, 93)
    assert "92 (repeats line 8)" in str(rows)
    assert "93 (differs from line 11 of the same slice and time)" in str(rows)
    assert finding(found, "time_back").rows == (92,)


def test_runs_begin_again_without_running_back():
    parts = [cell(seed=seed).assign(run=f"r{seed}") for seed in range(3)]
    found = inspect_log(pd.concat(parts, ignore_index=True))
    assert "3 runs, by run" in str(finding(found, "runs"))
    assert not {"time_back", "cells"} & set(keys_of(found))
    assert found.keys["run"] == "run"


def test_thousands_of_lines_make_a_short_message():
    table = cell(intervals=4000)
    table["thp_mbps"] = table["thp_mbps"].astype(str)
    table.loc[::3, "thp_mbps"] = "-"
    report = inspect_log(table).report()
    line = report.splitlines()[1]
    assert "4,000 lines are not clean" in line
    assert "4,000 x '-' in thp_mbps (lines 2, 5, 8 and 3,997 more)" in line
    assert len(line) < 500


def test_what_a_row_lacks_is_one_line_and_many_rows_are_counted_by_kind():
    table = cell().assign(cqi=7.5, mcs=3.5, sinr=np.arange(600) / 7)
    for name in ("thp_mbps", "cqi", "mcs", "sinr"):
        table[name] = table[name].astype(str)
        table.loc[[40, 80], name] = "NIL"
    found = finding(inspect_log(table), "cells")
    assert "2 lines are not clean: 42 ('NIL' in thp_mbps, cqi, mcs and 1 more), 82 ('NIL' in thp" in str(found)
    assert found.rows == (42, 82)
    for name in ("thp_mbps", "cqi", "mcs", "sinr"):
        table.loc[100:590:70, name] = "NIL"
    more = pd.concat([table, table.tail(1)], ignore_index=True)
    said = str(finding(inspect_log(more), "cells"))
    kinds = "11 lines are not clean: 10 x 'NIL' in thp_mbps, cqi, mcs and 1 more (lines 42, 82, 102 and 7 more), "
    assert said == f"{kinds}1 x repeats another (line 602)"


def test_constant_zero_and_empty_columns_are_listed():
    table = cell().assign(cqi=15, ul_pkts=0, nothing=np.nan)
    text = str(finding(inspect_log(table), "constant"))
    assert text == "always zero: ul_pkts; constant: cqi; always empty: nothing"


def test_percentages_and_shares_are_parts_of_as_many_units_as_fit():
    table = cell(units=20)
    for scale, name, kind in ((1 / 20, "prb_share", "share"), (5, "prb_percent", "percent")):
        given = table.assign(prb=table["prb"] * scale).rename(columns={"prb": name})
        found = inspect_log(given)
        assert found.facts.allocations.counted_as == kind
        assert found.facts.allocations.total == 20
        np.testing.assert_array_equal(found.facts.allocations.units.ravel(), table["prb"])
        read = read_log(given, found.proposal)
        np.testing.assert_array_equal(read.allocation.ravel(), table["prb"].iloc[:-3])


def users_of(table):
    """Two rows of users in place of each row."""
    both = pd.concat([table.assign(ue=user) for user in (1, 2)], ignore_index=True)
    return both.sort_values(["interval", "slice_id", "ue"], ignore_index=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.assign(scheduler=table.index % 3 + 1).drop(index=range(31, 200, 12)),
        lambda table: users_of(table.drop(index=range(31, 200, 12))),
        lambda table: users_of(table).assign(ues=np.arange(1200) % 5),
        lambda table: table.assign(**{"scheduling policy": table.index % 3}),
        lambda table: table.assign(utility=table.index % 4, threshold=table.index % 5, present=table.index % 2),
        lambda table: table.assign(ssr=table.index % 2, spectral_efficiency=table.index % 9),
        lambda table: table.assign(**{f"cqi [{unit}]": table.index % 7 for unit in "abc"}),
        lambda table: table.replace({"slice_id": {"a": "x y", "b": "x-y"}}),
    ],
    ids=["absent-control", "absent-users", "ues", "control-name", "reserved", "rewarded", "same-names", "same-slices"],
)
@pytest.mark.filterwarnings("ignore::twin.data.logs.LogWarning")
def test_proposals_read_logs_of_awkward_names(change):
    """No line of them edited."""
    table = cell()
    history = read_log(change(table), inspect_log(change(table)).proposal)
    assert len(history) == 199
    assert "spectral_efficiency" in history.performance
    assert "ssr" in history.performance


@pytest.mark.parametrize("absent", [False, True])
def test_what_no_slices_differ_in_is_the_cells(absent):
    every = np.repeat(np.arange(200), 3)
    table = cell().assign(noise_dbm=-90 - every % 5, total_mbps=30 + every % 7)
    table = table.drop(index=range(31, 200, 12)) if absent else table
    found = inspect_log(table).proposal.columns()
    assert {name for name, column in found.items() if not column.per_slice} == {"noise_dbm", "total_mbps"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LogWarning)
        history = read_log(table, inspect_log(table).proposal)
    np.testing.assert_array_equal(history.performance["noise_dbm"], -90 - np.arange(1, 200) % 5)


def test_what_the_log_has_is_not_computed():
    table = cell().assign(ssr=np.linspace(0.0, 1.0, 600).round(3))
    history = read_log(table, inspect_log(table).proposal)
    np.testing.assert_array_equal(history.ssr.ravel(), table["ssr"].iloc[3:])


def test_packets_of_a_capture_are_events_not_intervals():
    rng = np.random.default_rng(0)
    capture = {"time": rng.exponential(0.01, 3000).cumsum(), "protocol": 6, "bytes": rng.integers(60, 1500, 3000)}
    found = inspect_log(pd.DataFrame(capture))
    assert "follows no grid" in str(found.findings[0])
    assert not {"pause", "jitter"} & set(keys_of(found))
    assert found.proposal is None


def test_cells_and_runs_together_name_a_run():
    parts = [
        cell(seed=3 * run + place, intervals=40).assign(run=run, cell_id=f"c{place}")
        for run in range(2)
        for place in range(3)
    ]
    found = inspect_log(pd.concat(parts, ignore_index=True))
    assert found.keys["run"] == ["run", "cell_id"]
    assert len(found.facts.runs) == 6
    assert not {"cells", "time_back"} & set(keys_of(found))


def test_names_of_3gpp_counters_are_understood():
    names = {"interval": "measTimeStamp", "slice_id": "SNSSAI", "dl_pkts": "DRB.PdcpSduVolumeDL", "prb": "RRU.PrbQuota"}
    table = cell().rename(columns={**names, "thp_mbps": "DRB.UEThpDl"}).assign(**{"RRU.PrbTotDl": 50, "gnb_id": 1})
    table["measTimeStamp"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(table["measTimeStamp"], unit="s")
    roles = inspect_log(table).roles
    wanted = ["time", "slice", "arrivals", "performance", "allocation"]
    assert [roles[name] for name in table.columns[:5]] == wanted


def test_values_that_json_lacks_are_missing_not_short(tmp_path):
    table = cell(intervals=40).astype({"thp_mbps": object})
    table.loc[7, "thp_mbps"] = None
    table.to_json(tmp_path / "x.jsonl", orient="records", lines=True)
    found = inspect_log(tmp_path / "x.jsonl")
    assert "1 line is not clean: 8 (thp_mbps is empty)" in str(finding(found, "cells"))


def test_a_log_of_one_slice_is_traffic():
    table = cell(slices=("a", "b")).query("slice_id == 'a'").drop(columns=["slice_id", "prb"])
    found = inspect_log(table)
    assert found.what == "passive"
    assert {"no_slice", "passive"} <= set(keys_of(found))
    assert found.proposal.slices == ("all",)


def test_numbers_beyond_reason_are_inspected_like_others():
    """A broken time stamp, and a rate whose square no double holds."""
    table = cell()
    table["interval"] = table["interval"].astype(float)
    table.loc[len(table) - 1, "interval"] = 1e300
    assert inspect_log(table).facts.timing.steps.max() == 2**40
    table = cell()
    table.loc[7, "thp_mbps"] = 1e200
    assert 0.0 <= inspect_log(table).facts.alignment.decided <= 1.0
