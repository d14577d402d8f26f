"""Fourteen small logs of the shapes that people have; `tests/data/logs/README.md` names the outcome of each."""

from __future__ import annotations

import csv
import re
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest

from tests.twin.data.logs.conftest import CASES, mapping_of, mapping_of_users, quietly, scenario
from twin import DigitalTwin, PerformanceSettings, SliceTwinEnv, TrainingSettings
from twin.data.logs import LogMapping, read_intervals, read_log


def quick_twin():
    """Not a good one: what is tested here does not depend on how well it is fitted."""
    return DigitalTwin("autoregressive", PerformanceSettings(structure="per_slice"), TrainingSettings(max_epochs=2))


def rows_of(name, **dialect):
    """The rows of a case by Python's own reader."""
    with (CASES / name).open(newline="") as file:
        return list(csv.DictReader(file, **dialect))


def same(one, other):
    """That two histories have the same decisions, value for value."""
    assert one.layout == other.layout
    for name in ("run", "interval", "allocation", "arrivals", "next_arrivals"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name, values in one.performance.items():
        np.testing.assert_array_equal(values, other.performance[name], err_msg=name)


def test_01_the_rate_follows_the_allocation_of_the_row_before(decided):
    rows = rows_of("01_decided.csv")
    assert len(decided) == 159
    assert decided.allocation.tolist() == [
        [int(row["prb_next"]) for row in rows[3 * t : 3 * t + 3]] for t in range(159)
    ]
    rates = [[float(row["rate_mbps"]) for row in rows[3 * t : 3 * t + 3]] for t in range(1, 160)]
    assert decided.performance["rate"].tolist() == rates
    bound = np.minimum(0.09 * decided.next_arrivals, 0.21 * decided.allocation)
    assert np.corrcoef(bound.ravel(), decided.performance["rate"].ravel())[0, 1] > 0.99


def test_02_in_force_is_the_same_history(decided):
    same(decided, read_log(CASES / "02_in_force.csv", mapping_of(allocation="prb", allocation_is="in_force")))


def test_02_without_the_key_the_import_warns():
    _, said = quietly(CASES / "02_in_force.csv", mapping_of(allocation="prb"))
    assert "allocation_is: decided, but 'rate' is explained far better by in_force" in said


def test_03_a_pause_makes_two_runs(decided):
    time = {"column": "time_ms", "unit": "ms", "period": 250, "tolerance": 5}
    history, said = quietly(CASES / "03_epoch_ms_semicolon.csv", mapping_of(interval=None, time=time))
    assert history.runs.tolist() == [0, 1]
    assert "1 pause(s) cut runs in two, the longest of 47." in said
    kept = np.ones(159, np.bool_)
    kept[(history.run == 0).sum()] = False  # the decision whose outcome lies beyond the pause
    np.testing.assert_array_equal(history.allocation, decided.allocation[kept])
    np.testing.assert_array_equal(history.performance["rate"], decided.performance["rate"][kept])
    assert history.interval[history.run == 1].tolist() == list(range((history.run == 1).sum()))


def test_03_the_period_need_not_be_given():
    time = {"column": "time_ms", "unit": "ms"}
    log = read_intervals(CASES / "03_epoch_ms_semicolon.csv", mapping_of(interval=None, time=time))
    assert log.period_s == pytest.approx(0.25)
    assert set(log.run.tolist()) == {0, 1}


def test_04_rows_of_users_become_rows_of_slices(decided):
    history = read_log(CASES / "04_row_per_ue.csv", mapping_of_users())
    for name in ("interval", "allocation", "arrivals", "next_arrivals"):
        np.testing.assert_array_equal(getattr(history, name), getattr(decided, name), err_msg=name)
    np.testing.assert_allclose(history.performance["rate"], decided.performance["rate"], atol=0.002)
    users = defaultdict(set)
    with (CASES / "04_row_per_ue.csv").open() as file:
        next(file)
        for line in file:
            stamp, part, user = line.split(",")[:3]
            users[stamp, part].add(user)
    counts = [[len(users[stamp, part]) for part in ("embb", "mtc", "urllc")] for stamp in sorted({s for s, _ in users})]
    assert history.performance["ues"].tolist() == counts[1:]


def test_05_wide_rows_are_the_same_history(decided):
    wide = {"pkts": "pkts_{slice}", "prb_next": "prb_{slice}", "rate_mbps": "thp_{slice}"}
    mapping = mapping_of(interval=None, slice=None, time={"column": "sec", "unit": "s"}, wide=wide)
    same(decided, read_log(CASES / "05_wide.csv", mapping))


def test_06_slices_come_and_go():
    history = read_log(CASES / "06_slices_come_and_go.csv", mapping_of(absent={"arrivals": 0, "rate": 0}))
    assert history.scenario.slice_names == ("embb", "mtc", "urllc", "idle")
    assert len(history) == 159
    there = {(int(row["t"]), row["slice"]): row for row in rows_of("06_slices_come_and_go.csv")}
    for i, t in enumerate(history.interval):
        for n, name in enumerate(("embb", "mtc", "urllc")):
            now, then = there.get((t, name)), there.get((t + 1, name))
            assert history.allocation[i, n] == (int(now["prb_next"]) if now else 0)
            assert history.performance["present"][i, n] == (then is not None)
            assert history.performance["rate"][i, n] == (float(then["rate_mbps"]) if then else 0.0)
            assert history.next_arrivals[i, n] == (int(then["pkts"]) if then else 0)
    assert (history.allocation.sum(axis=1) == 50).all()  # what absent slices would have held belongs to nobody
    assert (history.allocation[:, 3] > 0).any()


def test_rows_that_were_lost_are_gaps(tmp_path, decided):
    """What is left is as in the log with every row, without the decisions that need the lost interval."""
    lines = (CASES / "01_decided.csv").read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("40,mtc", "90,embb"))]
    (tmp_path / "log.csv").write_text("".join(kept))
    history, said = quietly(tmp_path / "log.csv", mapping_of(absent="gap"))
    assert "rows of slices are missing in 2 interval(s), left out as gaps (absent: gap)" in said
    assert history.layout == decided.layout  # no slice of nobody's units, and none of presence
    same(history, decided.take(~np.isin(decided.interval, [39, 40, 89, 90])))


def test_07_is_no_history_but_intervals():
    mapping = mapping_of(allocation=None, ssr=None, spectral_efficiency=None, scenario=None, performance={"bytes": {}})
    mapping = LogMapping.from_dict({**mapping.to_dict(), "slices": ["embb", "mtc", "urllc"]})
    log = read_intervals(CASES / "07_passive.csv", mapping)
    rows = rows_of("07_passive.csv")
    assert log.arrivals.ravel().tolist() == [int(row["pkts"]) for row in rows]
    assert log.performance["bytes"].ravel().tolist() == [float(row["bytes"]) for row in rows]
    assert log.units is None
    least = LogMapping.from_dict({"interval": "t", "slice": "slice", "arrivals": "pkts", "unused": "rest"})
    found = read_intervals(CASES / "07_passive.csv", least)
    assert found.mapping.values == ("embb", "mtc", "urllc")
    np.testing.assert_array_equal(found.arrivals, log.arrivals)
    with pytest.raises(ValueError, match=r"allocation: null given: nobody decided anything"):
        read_log(CASES / "07_passive.csv", mapping)


def test_08_shares_are_units(decided):
    history = read_log(CASES / "08_shares.csv", mapping_of(allocation={"column": "share_next", "as": "share"}))
    np.testing.assert_array_equal(history.allocation, decided.allocation)


def test_09_the_rest_belongs_to_nobody():
    with pytest.raises(
        ValueError, match=r"prb_next: \[4, 6, 35\] in rows \[2, 3, 4\], .* 50 in all \(idle: true.*160 of 160"
    ):
        read_log(CASES / "09_idle_rest.csv", mapping_of())
    history = read_log(CASES / "09_idle_rest.csv", mapping_of(allocation={"column": "prb_next", "idle": True}))
    assert history.allocation[0].tolist() == [4, 6, 35, 5]
    assert (history.allocation.sum(axis=1) == 50).all()
    assert not history.arrivals[:, 3].any()
    assert (history.ssr[:, 3] == 1.0).all()
    assert history.scenario.ssr_weights.tolist() == [1.0, 1.0, 1.0, 0.0]


def test_10_masks_are_units():
    history = read_log(CASES / "10_rbg_mask.csv", mapping_of(allocation={"column": "rbg_mask_next", "as": "mask"}))
    assert history.allocation[0].tolist() == [6, 6, 38]  # 17 groups of 3, the last of 2
    assert (history.allocation.sum(axis=1) == 50).all()
    masks = [row["rbg_mask_next"].strip("'") for row in rows_of("10_rbg_mask.csv")]
    units = [3 * mask.count("1") - (mask[-1] == "1") for mask in masks]
    assert history.allocation.ravel().tolist() == units[:-3]


def test_11_json_lines_are_the_same_history(decided):
    same(decided, read_log(CASES / "11_rows.jsonl", mapping_of()))


def test_12_few_allocations_are_reported_by_their_share_and_can_be_all_that_is_offered():
    history, said = quietly(CASES / "12_seven_allocations.csv", mapping_of(allowed="held"))
    assert "7 of 1176 allocations (0.60%)" in said
    assert len(history.held) == 7
    twin = quick_twin().fit(history)
    assert any("7 of 1176 allocations (0.60%)" in note for note in twin.report.notes)
    env = SliceTwinEnv(DigitalTwin.from_bytes(twin.to_bytes()))
    assert env.action_space.n == 7
    env.reset(seed=0)
    held = {tuple(row) for row in history.allocation.tolist()}
    for action in range(7):
        assert tuple(env.step(action)[4]["allocation"].tolist()) in held


def test_13_a_constant_allocation_is_no_action():
    history, said = quietly(CASES / "13_constant_allocation.csv", mapping_of())
    assert "the allocation is always [20, 15, 15]: a constant is no action" in said
    twin = quick_twin().fit(history)
    assert any("is no action" in note for note in twin.report.notes)
    with pytest.raises(ValueError, match=r"twin: its history always held the allocation \[20, 15, 15\]"):
        SliceTwinEnv(twin)
    SliceTwinEnv(twin, allow_constant=True).reset(seed=0)


def test_a_twin_that_has_seen_more_is_not_refused_after_a_constant_calibration():
    """It remembers what other allocations brought."""
    varied, _ = quietly(CASES / "01_decided.csv", mapping_of())
    constant, _ = quietly(CASES / "13_constant_allocation.csv", mapping_of())
    twin = quick_twin().fit(varied).calibrate(constant)
    assert twin.model.only_allocation is None
    SliceTwinEnv(twin).reset(seed=0)


def test_14_all_faults_are_refused_at_once():
    with pytest.raises(ValueError, match="log: 5 faults") as caught:
        read_log(CASES / "14_dirty.csv", mapping_of())
    lines = str(caught.value).splitlines()
    assert len(lines) == 6
    for line, parts in zip(
        lines[1:],
        [
            ("rate_mbps", "'-'", "row 33"),
            ("rate_mbps", "nothing", "row 64"),
            ("row 91", "row 92", "drop_identical"),
            ("pkts", "inf", "row 122"),
            ("prb_next", "row 152", "too short"),
        ],
        strict=True,
    ):
        assert all(part in line for part in parts), line


def test_14_is_cleaned_by_rules_that_count(decided):
    rules = {"missing": ["-", "", "inf"], "short_rows": "missing", "missing_is": "gap", "drop_identical": True}
    history, said = quietly(CASES / "14_dirty.csv", mapping_of(**rules))
    assert "4 missing value(s): 4 interval(s) left out as gaps" in said
    assert "1 row(s) left out that stood there twice" in said
    lost = {10, 20, 39, 49}
    whole = [i for i, t in enumerate(decided.interval) if not {t, t + 1} & lost]
    np.testing.assert_array_equal(history.allocation, decided.allocation[whole])
    np.testing.assert_array_equal(history.performance["rate"], decided.performance["rate"][whole])


def test_one_passive_slice_and_four_slices_of_273_units_are_no_special_cases(tmp_path):
    (tmp_path / "one.csv").write_text("sec,bytes\n0.0,70\n0.5,80\n1.0,90\n")
    one = read_intervals(tmp_path / "one.csv", LogMapping.from_dict({"time": {"column": "sec"}, "arrivals": "bytes"}))
    assert (one.arrivals.tolist(), one.period_s) == ([[70], [80], [90]], 0.5)
    rows = [
        f"{t},{name},{t},1.5,{units}"
        for t in range(3)
        for name, units in zip("abcd", (200 - t, 70, 1, 2 + t), strict=True)
    ]
    (tmp_path / "four.csv").write_text("\n".join(["t,slice,pkts,rate_mbps,prb_next", *rows]))
    network = scenario()
    part = network["slices"]["embb"]
    network["slices"] = dict.fromkeys("abcd", part)
    network["radio"] |= {"bandwidth_hz": 273 * 360e3, "resolution_hz": 360e3, "resource_block_hz": 360e3}
    history = read_log(tmp_path / "four.csv", mapping_of(scenario=network, ssr=None))
    assert history.allocation.tolist() == [[200, 70, 1, 2], [199, 70, 1, 3]]


def test_a_decision_has_the_time_stamp_of_the_interval_that_it_was_for():
    """Whose outcome it has: not that of the interval before, in which it was taken."""
    rows = pd.read_csv(CASES / "03_epoch_ms_semicolon.csv", sep=";", decimal=",")
    rows = rows.sample(frac=1.0, random_state=0).sort_values("time_ms", kind="stable")  # slices in any order
    time = {"column": "time_ms", "unit": "ms", "period": 250}
    history, _ = quietly(rows, mapping_of(interval=None, time=time))
    wanted = rows[rows.slice == "mtc"].set_index("time_ms").rate_mbps
    found = wanted.loc[np.rint(history.time * 1e3).astype(np.int64)].to_numpy()
    np.testing.assert_array_equal(history.performance["rate"][:, 1], found)
    dated = rows.assign(time_ms=pd.to_datetime(rows.time_ms, unit="ms"))
    time = {"column": "time_ms", "unit": "iso", "period": 0.25}
    np.testing.assert_allclose(quietly(dated, mapping_of(interval=None, time=time))[0].time, history.time, atol=1e-6)
    assert quietly(CASES / "01_decided.csv", mapping_of())[0].time is None


def test_arrivals_above_what_agents_see_are_named():
    busy, quiet = scenario(), scenario()
    busy["slices"]["embb"]["traffic"]["interarrival_s"]["value"] *= 100.0  # nominal traffic a hundredth of the log's
    _, said = quietly(CASES / "01_decided.csv", mapping_of(scenario=busy))
    assert re.search(r"arrivals: above what agents see, .*embb [\d.]+ times \(seen up to [\d.]+\); give", said)
    assert "above what agents see" not in quietly(CASES / "01_decided.csv", mapping_of(scenario=quiet))[1]
