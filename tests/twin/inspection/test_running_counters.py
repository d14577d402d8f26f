"""Counters that run on: they are told from counts of an interval, and read as what was counted in each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.helpers.operators import VOLUME, export
from twin import inspect_log, read_log
from twin.data.logs import LogMapping, LogWarning, read_intervals
from twin.data.logs.counters import differences, is_running

PACKETS = "DL PDCP SDU"
KEYS = ["Cell", "S-NSSAI"]
INTERVALS = 80

quiet = pytest.mark.filterwarnings("ignore::twin.data.logs.LogWarning")


def running_log(reset_every=INTERVALS, carried=False):
    """A log whose packets add up over its intervals, by slice; and what came in each of these (m, S)."""
    table = export("2026-06-28 00:00", intervals=INTERVALS + 96).iloc[: 3 * INTERVALS]  # over the end of a month
    own = (table[VOLUME] * 10.0).round().astype(int)
    again = table.groupby(KEYS).cumcount() // reset_every
    table[PACKETS] = own.groupby([*(table[key] for key in KEYS), again]).cumsum()
    if carried:
        table[VOLUME] = table.groupby(KEYS)[VOLUME].cumsum().round(2)
        return table, own.to_numpy().reshape(-1, 3)
    return table.drop(columns=VOLUME), own.to_numpy().reshape(-1, 3)


@quiet
@pytest.mark.parametrize("written", [{}, {"sep": ";", "decimal": ","}])
@pytest.mark.parametrize("reset_every", [INTERVALS, 20])
def test_the_proposal_reads_what_was_counted_in_each_interval(tmp_path, reset_every, written):
    table, own = running_log(reset_every, carried=True)
    table.to_csv(tmp_path / "oss.csv", index=False, **written)
    found = inspect_log(tmp_path / "oss.csv")
    (said,) = [str(each) for each in found.findings if each.key == "running"]
    assert said.startswith(f"{VOLUME}, {PACKETS} hardly ever fall from an interval to the next: counters that run on")
    (tmp_path / "mapping.yaml").write_text(found.mapping_yaml())
    assert "CHECK: these hardly ever fall" in found.mapping_yaml()
    mapping = LogMapping.from_yaml(tmp_path / "mapping.yaml")
    assert mapping == found.proposal
    read = read_intervals(tmp_path / "oss.csv", mapping)
    first = np.arange(INTERVALS) % reset_every == 0
    np.testing.assert_array_equal(read.arrivals, own[~first])
    (volume,) = [values for name, values in read.performance.items() if "volume" in name]
    np.testing.assert_allclose(volume, own[~first] / 10.0, atol=0.1)
    assert f"{first.sum()} interval(s) left out as gaps: there a running counter" in "\n".join(read.notes)
    assert len(read_log(tmp_path / "oss.csv", mapping)) == len(read) - INTERVALS // reset_every


def test_a_wide_log_has_one_counter_a_slice():
    table, own = running_log()
    wide = table.pivot(index="Begin Time", columns="S-NSSAI", values=[PACKETS, "RRM Dedicated Ratio [%]"])
    wide.columns = [f"{'pkts' if name == PACKETS else 'prb'}_s{label[-1]}{label[0]}" for name, label in wide.columns]
    wide.insert(0, "t", range(INTERVALS))
    mapping = inspect_log(wide).proposal
    assert mapping.running == ("pkts",)
    assert mapping.wide["pkts"] == "pkts_{slice}"
    with pytest.warns(LogWarning, match=r"1 interval\(s\) left out as gaps"):
        read = read_log(wide, mapping)
    assert {tuple(sorted(row)) for row in read.arrivals.tolist()} <= {tuple(sorted(row)) for row in own.tolist()}


def test_reading_it_as_it_is_warns():
    table, _ = running_log()
    mapping = inspect_log(table).proposal
    as_it_is = LogMapping.from_dict({key: value for key, value in mapping.to_dict().items() if key != "running"})
    refused = rf"allowed are 0 to .*\. {PACKETS}: hardly ever falls .*\(running: \[{PACKETS}\]\)"
    with pytest.raises(ValueError, match=refused):
        read_log(table, as_it_is)
    larger = as_it_is.to_dict()
    larger["scenario"]["radio"]["queue_capacity"] = 10_000
    as_it_is = LogMapping.from_dict(larger)
    with pytest.warns(LogWarning, match=rf"{PACKETS}: hardly ever falls .*\(running: \[{PACKETS}\]\)"):
        read_log(table, as_it_is)
    with pytest.warns(LogWarning) as caught:
        read_log(table, mapping)
    assert not any("hardly ever falls" in str(each.message) for each in caught)


def test_what_runs_has_to_be_measured_and_of_slices():
    table, _ = running_log()
    mapping = inspect_log(table).proposal.to_dict()
    with pytest.raises(ValueError, match=rf"running: unknown name 'prb' \(allowed: .*{PACKETS}"):
        LogMapping.from_dict(mapping | {"running": ["prb"]})
    with pytest.raises(ValueError, match="running: given together with aggregate"):
        LogMapping.from_dict(mapping | {"aggregate": {"by": "user", PACKETS: "sum"}})
    falling = table.assign(**{PACKETS: -table[PACKETS] + table[PACKETS].max()})
    with pytest.raises(ValueError, match=f"running: {PACKETS} say nothing"):
        read_log(falling, LogMapping.from_dict(mapping))


def test_differences_are_unknown_after_gaps_and_resets():
    values = np.array([[5.0], [7.0], [7.0], [20.0], [3.0], [4.0]])
    found = differences(values, np.array([True, True, False, True, True]))
    np.testing.assert_array_equal(found[:, 0], [np.nan, 2.0, 0.0, np.nan, np.nan, 1.0])


def test_slices_that_are_idle_say_nothing_of_a_counter():
    rng = np.random.default_rng(0)
    own = np.stack([rng.poisson(mean, 200) for mean in (50.0, 0.2, 0.0)], axis=1)
    follow = np.ones(199, bool)
    assert is_running(np.cumsum(own, axis=0).astype(float), follow)
    assert is_running(np.cumsum(own, axis=0)[:, 1:].astype(float), follow)
    assert not is_running(own.astype(float), follow)


def test_a_load_that_falls_at_night_alone_does_not_start_again():
    """A counter that does is at what came in an interval."""
    day = np.array([*np.linspace(100.0, 1000.0, 22), 300.0, 100.0])
    assert not is_running(np.tile(day, 30)[:, None], np.ones(30 * 24 - 1, bool))
    counter = np.concatenate([np.cumsum(day)] * 30)
    assert is_running(counter[:, None], np.ones(30 * 24 - 1, bool))


def test_users_counters_are_left_to_a_query():
    rng = np.random.default_rng(0)
    own = rng.poisson(20.0, (60, 2, 2))
    rows = [(t, f"s{n}", u, value) for (t, n, u), value in np.ndenumerate(np.cumsum(own, axis=0))]
    table = pd.DataFrame(rows, columns=["t", "slice", "ue", "packets"])
    found = inspect_log(table)
    assert found.proposal.running == ()
    notes = read_intervals(table, found.proposal).notes
    assert any("a query may take the differences of each user's" in note for note in notes)


@pytest.mark.parametrize("day", [96, 288])
def test_no_load_of_an_interval_is_taken_for_a_counter(day):
    """Neither one that follows the hour, nor one that grows over the weeks, nor one that only rises until noon."""
    rng = np.random.default_rng(0)
    days = np.arange(2 * day) / day
    smooth = 1000.0 * (1.2 - np.cos(2 * np.pi * days))
    follow = np.ones(2 * day - 1, bool)
    for load in (smooth, rng.poisson(smooth), rng.poisson(1000.0 * (1.0 + days)), np.full(2 * day, 7.0)):
        assert not is_running(np.asarray(load, float)[:, None], follow)
    morning, half = rng.poisson(smooth[: day // 2]), follow[: day // 2 - 1]
    assert not is_running(morning.astype(float)[:, None], half)
    assert is_running(np.cumsum(morning).astype(float)[:, None], half)
