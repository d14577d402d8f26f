"""Small logs of the shapes that people have: what is special about each stands in the first five lines."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import yaml

from twin import inspect_log
from twin.data import read_log
from twin.data.logs.mapping import LogMapping
from twin.inspection import to_check

ROOT = Path(__file__).resolve().parents[3]
CASES = ROOT / "tests" / "data" / "logs"
REAL = Path(os.environ.get("SLICING_GYM_LOG", ROOT.parent / "shared" / "data" / "colosseum_slicing_log.csv"))

WORDS = {
    "01_decided.csv": ["prb_next is decided for the next interval", "the row before explain 5"],
    "02_in_force.csv": ["prb is in force", "those of the same row 5", "allocation_is: in_force"],
    "03_epoch_ms_semicolon.csv": [
        "1 pause, the longest of 47.249 s",
        "';' between fields and decimal commas",
        "248 to 252 ms",
    ],
    "04_row_per_ue.csv": ["a row per UE: 2 to 4 rows", "the header has 6 fields, the first row 7"],
    "05_wide.csv": ["a wide log", "pkts_{slice}, prb_{slice}, thp_{slice} for embb, mtc, urllc"],
    "06_slices_come_and_go.csv": ["slices come and go", "mtc in 75 of 160", "urllc in 50 of 160", "belongs to nobody"],
    "07_passive.csv": ["a passive log", "nobody decided anything"],
    "08_shares.csv": ["shares in place of units", "multiples of 1/50"],
    "09_idle_rest.csv": ["idle units", "adds up to 45 to 48, not always to 50"],
    "10_rbg_mask.csv": ["a bit mask of 17 groups"],
    "11_rows.jsonl": ["JSON lines", "decided for the next interval"],
    "12_seven_allocations.csv": ["few allocations", "7 of 1,176", "0.6%"],
    "13_constant_allocation.csv": ["a constant allocation", "20-15-15"],
    "14_dirty.csv": [
        "5 lines are not clean",
        "33 ('-' in rate_mbps)",
        "64 (rate_mbps is empty)",
        "92 (repeats line 91)",
        "122 ('inf' in pkts)",
        "152 (a field short: no prb_next)",
    ],
}
WHAT = {"07_passive.csv": "passive", "13_constant_allocation.csv": "constant"}


@pytest.fixture(scope="module")
def inspected():
    return {name: inspect_log(CASES / name) for name in WORDS}


@pytest.mark.parametrize("name", WORDS)
def test_what_is_special_stands_in_the_first_five_lines(name, inspected):
    first = "\n".join(inspected[name].report().splitlines()[:5])
    for words in WORDS[name]:
        assert words in first
    assert inspected[name].what == WHAT.get(name, "allocation")


def test_the_real_log_is_told_what_it_is():
    """Runs of RIC agents, of eleven allocations, decided for the next interval."""
    if not REAL.is_file():
        pytest.skip(f"the log {REAL} is not here; SLICING_GYM_LOG may name it")
    found = inspect_log(REAL)
    first = "\n".join(found.report().splitlines()[:5])
    for words in ("EXPLORA", "11 of 1,176", "action_prb is decided for the next interval", "16 runs, by experiment"):
        assert words in first
    assert found.facts.controls == ("action_scheduler",)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(read_log(REAL, found.proposal)) == 8817


def test_every_case_is_looked_at():
    assert {path.name for path in CASES.iterdir() if path.suffix in (".csv", ".jsonl")} == set(WORDS)


def test_a_clean_log_has_nothing_that_is_not_clean(inspected):
    for name, found in inspected.items():
        assert any(each.key == "cells" for each in found.findings) == (name == "14_dirty.csv")
    assert inspected["14_dirty.csv"].findings[0].rows == (33, 64, 92, 122, 152)


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("01_decided.csv", ["time", "slice", "arrivals", "performance", "allocation"]),
        ("04_row_per_ue.csv", ["time", "slice", "ue", "arrivals", "performance", "allocation"]),
        ("05_wide.csv", ["time", *["arrivals"] * 3, *["allocation"] * 3, *["performance"] * 3]),
        ("07_passive.csv", ["time", "slice", "arrivals", "arrivals, too"]),
        ("10_rbg_mask.csv", ["time", "slice", "arrivals", "performance", "allocation"]),
    ],
)
def test_columns_are_told_apart(name, roles, inspected):
    found = inspected[name]
    assert [found.roles[column] for column in found.columns] == roles


def test_time_is_read_in_its_unit(inspected):
    units = {name: (found.facts.timing.unit, found.facts.timing.period) for name, found in inspected.items()}
    assert units["01_decided.csv"] == ("count", 1.0)
    assert units["03_epoch_ms_semicolon.csv"] == ("ms", 250.0)
    assert units["04_row_per_ue.csv"] == ("iso", 1.0)
    assert units["05_wide.csv"] == ("s", pytest.approx(0.1))
    assert inspected["03_epoch_ms_semicolon.csv"].facts.timing.pauses.tolist() == [70]


@pytest.fixture(scope="module")
def histories(inspected):
    """What the proposals make of the logs, as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            name: read_log(CASES / name, LogMapping.from_dict(yaml.safe_load(found.mapping_yaml())))
            for name, found in inspected.items()
            if found.what == "allocation"
        }


def test_every_proposal_is_a_mapping(inspected):
    for found in inspected.values():
        assert LogMapping.from_dict(yaml.safe_load(found.mapping_yaml())) == found.proposal


@pytest.mark.parametrize("name", ["02_in_force.csv", "04_row_per_ue.csv", "05_wide.csv", "11_rows.jsonl"])
def test_proposals_read_the_same_history_from_other_shapes(name, histories):
    """No line of them edited."""
    one, other = histories["01_decided.csv"], histories[name]
    assert len(one) == 159
    np.testing.assert_array_equal(one.allocation, other.allocation)
    np.testing.assert_array_equal(one.arrivals, other.arrivals)
    np.testing.assert_array_equal(one.next_arrivals, other.next_arrivals)
    rates = [next(value for key, value in each.performance.items() if key[:2] in ("ra", "th")) for each in (one, other)]
    np.testing.assert_allclose(*rates, rtol=0, atol=2e-3)  # of a UE they are rounded


def test_a_pause_cuts_the_run_where_the_proposal_says(histories):
    one, cut = histories["01_decided.csv"], histories["03_epoch_ms_semicolon.csv"]
    assert [each.stop - each.start for each in cut.sequences()] == [69, 89]
    kept = np.delete(np.arange(159), 69)
    np.testing.assert_array_equal(one.allocation[kept], cut.allocation)
    np.testing.assert_array_equal(one.arrivals[kept], cut.arrivals)


def test_dirt_is_cleaned_by_the_rules_that_are_proposed(histories, inspected):
    keys = inspected["14_dirty.csv"].keys
    assert set(map(str, keys["missing"])) == {"-", "", "inf"}
    assert (keys["missing_is"], keys["short_rows"], keys["drop_identical"]) == ("gap", "missing", True)
    assert len(histories["14_dirty.csv"]) == 151  # four intervals are gaps: the decisions in them and for them


def test_what_is_to_be_checked_is_said_once_with_its_key(inspected):
    text = inspected["02_in_force.csv"].mapping_yaml()
    found = to_check(text)
    assert [line.partition(":")[0] for line in found] == ["ssr", "spectral_efficiency", "scenario"]
    assert found[0].startswith("ssr: a log has no SLAs. These bounds are each slice's median rate, missed also where")
    assert to_check(text + text) == found
    assert to_check(text.replace("# CHECK: a log has no SLAs", "# ours")) == found[1:]
    assert to_check("arrivals: pkts  # CHECK: no line of its own\n") == []


def test_where_few_allocations_were_held_all_are_offered_and_the_price_of_held_is_said(inspected):
    found = inspected["12_seven_allocations.csv"]
    assert found.keys["allowed"] == "all"
    (said,) = [line for line in to_check(found.mapping_yaml()) if line.startswith("allowed: ")]
    assert "held: it never does, but is not exported either" in said
    assert "allowed" not in inspected["01_decided.csv"].keys


def test_shares_masks_and_the_rest_become_units(histories):
    one = histories["01_decided.csv"]
    np.testing.assert_array_equal(histories["08_shares.csv"].allocation, one.allocation)
    assert set(histories["09_idle_rest.csv"].allocation.sum(axis=1)) == {50}  # with those of nobody
    assert set(histories["10_rbg_mask.csv"].allocation.sum(axis=1)) == {17}
    assert len(np.unique(histories["12_seven_allocations.csv"].allocation, axis=0)) == 7
    assert len(histories["06_slices_come_and_go.csv"]) == 159
