"""Logs of several cells in one file: whatever the column is called that says which, and however rows are sorted."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.helpers.operators import export
from twin import inspect_log, read_log
from twin.data import History, concatenate
from twin.data.logs import LogWarning
from twin.inspection import to_check
from twin.inspection.roles import is_key


def cells(name="Anlage", number=2, intervals=120, first="2026-10-24 12:00", labels="NR_{}"):
    """A log of cells, each over the end of summer time, sorted by cell."""
    parts = [export(first, intervals, seed=seed).drop(columns="Cell") for seed in range(number)]
    parts = [part.assign(**{name: labels.format(place)}) for place, part in enumerate(parts)]
    return pd.concat(parts, ignore_index=True)


def keys_of(found):
    return [each.key for each in found.findings]


@pytest.mark.parametrize(
    "name",
    [
        *("Zelle", "Zell-ID", "Cellule", "Sektor", "NRCellDU", "NR Cell DU", "Local Cell ID", "gNB", "gNB ID", "gNBId"),
        *("gNodeB", "eNodeB", "eNB", "eNodeB Name", "Cell", "CellName", "cell_id", "Site", "nci"),
        *("gNB_ID", "gNB-ID", "eNB_ID", "eNodeB_id", "gNodeBId", "serving_gNB", "cell_gNB"),
    ],
)
def test_a_cell_has_many_names(name):
    assert is_key(name, "run")
    found = inspect_log(cells(name, intervals=40))
    assert found.keys["run"] == name
    assert not {"cells", "time_back", "guessed_runs"} & set(keys_of(found))


@pytest.mark.parametrize("name", ["cell_thp", "gNB load", "Sektorlast", "NRCellDU throughput", "S-NSSAI", "Local Time"])
def test_what_is_measured_of_a_cell_does_not_name_it(name):
    assert not is_key(name, "run")


@pytest.mark.parametrize("by", ["cell", "time"])
@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize("number", [2, 5])
def test_a_column_that_tells_rows_of_a_slice_and_time_apart_is_proposed_as_the_run(by, numbered, number):
    table = cells(number=number, first="2026-11-02 12:00")
    if numbered:
        table["Anlage"] = table["Anlage"].str[3:].astype(int) + 700
    if by == "time":
        when = pd.to_datetime(table["Begin Time"], dayfirst=True)
        table = table.iloc[when.argsort(kind="stable")].reset_index(drop=True)
    found = inspect_log(table)
    assert found.facts.guessed_runs == ("Anlage",)
    assert found.roles["Anlage"] == "run"
    shown = "700, 701" if numbered else "NR_0, NR_1"
    (said,) = [str(each) for each in found.findings if each.key == "guessed_runs"]
    assert said.startswith(f"Anlage tells the rows of a slice and time apart ({shown}")
    assert f"{number} runs, by Anlage" in found.report()
    assert not {"cells", "time_back"} & set(keys_of(found))
    assert found.keys["run"] == "Anlage"
    assert "Anlage" not in found.keys.get("unused", [])
    assert any(line.startswith("run: Anlage tells") for line in to_check(found.mapping_yaml()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LogWarning)
        history = read_log(table, found.proposal)
    assert len(history) == number * 119
    assert len(set(history.run.tolist())) == number


def test_summer_time_dirt_and_an_outage_are_found_all_the_same():
    table = cells()
    table = pd.concat([table[:100], table[99:100], table[100:400], table[436:]], ignore_index=True)
    found = inspect_log(table)
    assert found.keys["run"] == "Anlage"
    assert found.keys["time"]["repeated_hour"]
    assert {"summer_time", "cells", "pause"} <= set(keys_of(found))
    assert "1 line is not clean: 102 (repeats line 101)" in found.report()


def test_cells_within_named_sites_are_runs_in_addition():
    table = cells("Anlage", 4, first="2026-11-02 12:00")
    table["Site"] = np.where(table["Anlage"] < "NR_2", "north", "south")
    table["Anlage"] = table["Anlage"].replace({"NR_2": "NR_0", "NR_3": "NR_1"})
    assert inspect_log(table).keys["run"] == ["Site", "Anlage"]


def test_what_does_not_tell_all_rows_apart_is_no_run():
    """Neither directions, nor users of a slice, nor what was measured, nor slices of a log that does not name them."""
    one = export("2026-11-02 12:00", 60).drop(columns="Cell")
    both = pd.concat([one.assign(Richtung="DL"), one.assign(Richtung="UL")], ignore_index=True)
    users = cells("Teilnehmer", first="2026-11-02 12:00")
    users["Teilnehmer"] = users["S-NSSAI"] + users["Teilnehmer"]
    measured = cells("Anlage", first="2026-11-02 12:00").drop(columns="Anlage")
    measured["Stufe"] = np.random.default_rng(0).integers(0, 3, len(measured))
    unnamed = cells("Anlage", first="2026-11-02 12:00").rename(columns={"S-NSSAI": "Kennung"})
    for table in (both, users, measured, unnamed, one):
        found = inspect_log(table)
        assert found.facts.guessed_runs == ()
        assert "run" not in found.keys


@pytest.mark.parametrize(
    ("name", "labels", "is_direction"),
    [
        ("Kennung", ("0 (DL)", "1 (UL)"), True),
        ("Kennung", ("Downlink data", "Uplink data"), True),
        ("Richtung", (0, 1), True),
        ("ul_dl", (1, 2), True),
        ("Kennung", ("north DL", "south DL"), False),
        ("Kennung", ("north", "uplands"), False),
        ("Kennung", (0, 1), False),
        ("direction", (0, 120), False),
        ("dl_cell_id", (0, 1), False),
    ],
)
def test_directions_are_no_cells(name, labels, is_direction):
    """By a word in each label, or, of two numbers that are 0 and 1 or 1 and 2, by the column's name."""
    one = export("2026-11-02 12:00", 60).drop(columns="Cell")
    found = inspect_log(pd.concat([one.assign(**{name: label}) for label in labels], ignore_index=True))
    assert found.facts.guessed_runs == (() if is_direction else (name,))
    if not is_direction:
        assert "of directions keep one (query)" in found.report()


def test_runs_of_a_history_have_the_names_of_the_log(tmp_path):
    """Those that a pause has cut, too, in a part of it, in a file, and behind others."""
    table = cells("Zelle", first="2026-11-02 12:00").drop(index=range(400, 460))
    mapping = inspect_log(table).proposal
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LogWarning)
        history = read_log(table, mapping)
        table.to_csv(tmp_path / "log.csv", index=False)
        by_file = read_log(tmp_path / "log.csv", replace(mapping, run=("file", "Zelle")))
    assert history.run_names == {0: "NR_0", 1: "NR_1", 2: "NR_1"}
    assert history.run_of(len(history) - 1) == "run 2 of NR_1"
    assert by_file.run_names[0] == "log.csv, NR_0"
    history.save(tmp_path / "history.npz")
    assert History.load(tmp_path / "history.npz").run_names == history.run_names
    late = history.take(history.run > 0)
    assert late.run_of(0) == "run 1 of NR_1"
    both = concatenate([late, history])
    assert both.run_names == {0: "NR_1", 1: "NR_1", 2: "NR_0", 3: "NR_1", 4: "NR_1"}
    assert read_log(table[:360], replace(mapping, run=None, unused="rest")).run_names == {}


def test_two_hours_sorted_by_time_are_seen_among_cells_and_with_a_line_written_twice():
    table = cells()
    when = pd.to_datetime(table["Begin Time"], dayfirst=True)
    table = table.iloc[when.argsort(kind="stable")].reset_index(drop=True)
    table = pd.concat([table[:600], table[599:]], ignore_index=True)
    assert {"guessed_runs", "sorted_hour"} <= set(keys_of(inspect_log(table)))
