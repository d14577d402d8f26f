"""Logs that are not right: each is refused in a few lines that say where, or cleaned by a rule."""

from __future__ import annotations

import numpy as np
import pytest

from tests.twin.data.logs.conftest import CASES, mapping_of, mapping_of_users, quietly
from twin.data.logs import read_log


@pytest.fixture
def lines():
    """Of `01_decided.csv`."""
    return (CASES / "01_decided.csv").read_text().splitlines()


@pytest.fixture
def read(tmp_path):
    def read_lines(lines, **changes):
        (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
        return read_log(tmp_path / "log.csv", mapping_of(**changes))

    return read_lines


def refused(read, lines, match, **changes):
    with pytest.raises(ValueError, match=match) as caught:
        read(lines, **changes)
    text = str(caught.value)
    assert len(text.splitlines()) < 10
    assert len(text) < 2500


def test_messages_stay_short_however_much_is_wrong(read, lines):
    many = [lines[0], *(f"{i // 3},{name},x{i},?,-{i}" for i, name in enumerate(["embb", "mtc", "urllc"] * 3000))]
    refused(read, many, r"log: \d+ faults.*\n(.*\n){7}  and \d+ more")


def test_every_fault_of_a_large_file_is_counted(read, lines):
    wrong = [line.replace(",embb,", ",embb,-", 1) for line in lines]
    refused(read, wrong, "log: 160 faults")


def test_a_slice_that_is_not_mapped_is_listed_once_however_many_rows_have_it(read, lines):
    wrong = [line.replace(",embb,", ",gaming,").replace("100,mtc,", "100,iot,") for line in lines]
    wrong[1] = wrong[1].replace("gaming", "first")
    listed = r"{} in row {}, allowed are 'embb', [^\n]*"
    rows = {"'first'": 2, "'gaming'": "5 and 158 more rows", "'iot'": 303}
    refused(read, wrong, r"^log: 3 faults.*" + "".join(rf"\n  slice: {listed.format(*row)}" for row in rows.items()))


def test_many_columns_are_not_all_named(read, lines):
    more = [",".join([line, *(f"c{i}" if n == 0 else "0" for i in range(300))]) for n, line in enumerate(lines)]
    refused(read, more, "does not name column 'c0'")
    refused(read, more, r"wants column 'packets', .* and \d+ more\)", arrivals="packets", unused="rest")


def test_time_that_runs_back_is_refused(read, lines):
    restarted = [*lines, *lines[1:]]
    time = {"column": "t", "unit": "s"}
    refused(read, restarted, r"t: time runs back in row 482 \(0 after 159\); name what tells runs apart under `run`",
            interval=None, time=time)  # fmt: skip
    numbered = [f"{line},{'night' if n == 0 else 1 + (n > 480)}" for n, line in enumerate(restarted)]
    history = read(numbered, interval=None, time=time, run="night")
    assert history.runs.tolist() == [0, 1]


def test_stamps_off_the_grid_are_refused(read, lines):
    off = [line.replace("7,", "7.4,", 1) if line.startswith("7,") else line for line in lines]
    refused(read, off, r"t: 7\.4 in row \d+ comes 1\.4 after the stamp before, allowed are multiples of 1 within 0\.25",
            interval=None, time={"column": "t", "unit": "s", "period": 1})  # fmt: skip


def test_times_must_be_in_the_unit_that_is_said(read, lines):
    refused(read, lines, r"time\.unit: 'iso' given, but column 't' holds no dates", interval=None,
            time={"column": "t", "unit": "iso"})  # fmt: skip
    refused(read, lines, r"time\.column: 'slice' holds 'embb', allowed are times", interval=None,
            time={"column": "slice", "unit": "s"}, unused="rest")  # fmt: skip


def test_short_gaps_stay_in_their_run(read, lines):
    gap = [line for line in lines if not line.startswith(("20,", "21,"))]
    with pytest.warns(UserWarning, match="1 gap.s., 2 intervals of 1 s without a row"):
        history = read(gap, interval=None, time={"column": "t", "unit": "s"})
    assert history.runs.tolist() == [0]
    assert [history.interval[block.start] for block in history.sequences()] == [0, 22]


def test_two_rows_that_differ_are_refused_whatever_the_rules(read, lines):
    doubled = [*lines[:92], lines[91] + "1", *lines[92:]]
    for rules in ({}, {"drop_identical": True}):
        refused(read, doubled, r"has slice '\w+' in row 92 and again in row 93, which differ", **rules)


def test_rows_of_users_must_agree_on_what_is_the_slices(tmp_path):
    text = (CASES / "04_row_per_ue.csv").read_text().splitlines()
    text[2] = text[2].replace(",7,", ",8,")
    (tmp_path / "log.csv").write_text("\n".join(text))
    with pytest.raises(ValueError, match=r"PRB granted next: 8 in row 3, but 7 in another row of its slice"):
        read_log(tmp_path / "log.csv", mapping_of_users())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("'11000000000000000", "'110000000000000000", "has 18 bits, which fit no carrier of 50 units"),
        ("'11000000000000000", "'1100000000000000x", "allowed are texts of 0 and 1"),
        ("'11000000000000000", "'11110000000000000", r"in rows \[2, 3, 4\] overlap"),
    ],
)
def test_masks_that_do_not_fit_are_refused(tmp_path, old, new, message):
    text = (CASES / "10_rbg_mask.csv").read_text().replace(old, new, 1)
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_log(tmp_path / "log.csv", mapping_of(allocation={"column": "rbg_mask_next", "as": "mask"}))


def test_shares_of_more_than_all_are_refused(tmp_path):
    (tmp_path / "log.csv").write_text((CASES / "08_shares.csv").read_text().replace("0.72", "0.82", 1))
    with pytest.raises(ValueError, match=r"share_next: \[0\.14, 0\.14, 0\.82\] in rows \[2, 3, 4\] add up to 1\.1"):
        read_log(tmp_path / "log.csv", mapping_of(allocation={"column": "share_next", "as": "share"}))


def test_percentages_of_more_than_all_are_refused(tmp_path):
    rows = [f"0,{name},1,1.0,{percent}" for name, percent in (("embb", 40), ("mtc", 35), ("urllc", 30))]
    (tmp_path / "log.csv").write_text("\n".join(["t,slice,pkts,rate_mbps,percent", *rows]))
    with pytest.raises(ValueError, match=r"percent: \[40, 35, 30\] in rows \[2, 3, 4\] add up to 105, allowed is 100"):
        read_log(tmp_path / "log.csv", mapping_of(allocation={"column": "percent", "as": "percent"}))


def test_caps_of_more_than_all_are_shared_out(tmp_path):
    (tmp_path / "log.csv").write_text((CASES / "01_decided.csv").read_text().replace(",36\n", ",86\n", 1))
    history, said = quietly(tmp_path / "log.csv", mapping_of(allocation={"column": "prb_next", "as": "caps"}))
    assert "1 intervals with caps of more than 50 units: shared out in proportion" in said
    assert history.allocation[0].sum() == 50
    assert history.allocation[0, 2] == max(history.allocation[0])


def test_a_slice_without_rows_names_the_rule():
    with pytest.raises(ValueError, match=r"slice: interval \d+ \(row \d+\) lacks 'mtc', .*`absent` says"):
        read_log(CASES / "06_slices_come_and_go.csv", mapping_of())


@pytest.mark.parametrize(("rows", "lacks"), [(1, "'urllc'"), (2, "'mtc', 'urllc'")])
def test_the_last_interval_of_a_cut_export_is_left_out_with_a_warning(tmp_path, lines, rows, lacks):
    whole, _ = quietly(CASES / "01_decided.csv", mapping_of())
    (tmp_path / "cut.csv").write_text("\n".join(lines[:-rows]) + "\n")
    history, said = quietly(tmp_path / "cut.csv", mapping_of())
    assert f"t: 159: the last interval lacks {lacks}; left out, as where an export was cut" in said
    assert history.interval.tolist() == whole.interval.tolist()[:-1]
    np.testing.assert_array_equal(history.next_arrivals, whole.next_arrivals[:-1])


def test_each_of_several_runs_may_be_cut(tmp_path, lines):
    for name in ("one", "other"):
        (tmp_path / f"{name}.csv").write_text("\n".join(lines[:-1]) + "\n")
    history, said = quietly(tmp_path, mapping_of(run="file"))
    assert "t: 159: the last interval lacks 'urllc', and so do the last of 1 more run(s)" in said
    assert np.bincount(history.run).tolist() == [158, 158]


def test_a_slice_that_is_missing_elsewhere_too_is_refused_with_a_cut_end(tmp_path, lines):
    rule = r"slice: interval 10 \(row 32\) lacks 'urllc', every interval needs"
    (tmp_path / "cut.csv").write_text("\n".join([*lines[:33], *lines[34:-1]]) + "\n")
    with pytest.raises(ValueError, match=rule):
        read_log(tmp_path / "cut.csv", mapping_of())
    (tmp_path / "short.csv").write_text("\n".join(lines[:2]) + "\n")  # nothing but a cut end
    with pytest.raises(ValueError, match=r"slice: interval 0 \(row 2\) lacks 'mtc', 'urllc'"):
        read_log(tmp_path / "short.csv", mapping_of())


def test_a_row_that_is_missing_before_a_pause_is_no_cut_end(tmp_path, lines):
    shifted = [f"{int(t) + 1000 * (int(t) > 80)},{rest}" for t, _, rest in (line.partition(",") for line in lines[1:])]
    del shifted[3 * 80 + 2]
    (tmp_path / "log.csv").write_text("\n".join([lines[0], *shifted]) + "\n")
    with pytest.raises(ValueError, match=r"slice: interval 80 \(row \d+\) lacks 'urllc'"):
        read_log(tmp_path / "log.csv", mapping_of(interval=None, time={"column": "t", "unit": "s"}))


def test_a_rule_names_what_absent_slices_lack():
    with pytest.raises(ValueError, match=r"mapping\.absent: rate_mbps missing"):
        mapping_of(absent={"arrivals": 0})


@pytest.mark.parametrize(("unit", "period", "given"), [("s", 0.05, "0.05"), ("ms", 20.0, "0.02")])
def test_a_period_that_is_not_that_of_the_stamps_is_said_with_both(unit, period, given):
    query = "SELECT * REPLACE (t * 1000 AS t) FROM log" if unit == "ms" else None
    mapping = mapping_of(
        interval=None, time={"column": "t", "unit": unit, "period": period}, query=query, unused="rest"
    )
    message = rf"^mapping\.time\.period: the period is {given} s, and stamps of 't' are 1 s apart \(the median\)"
    with pytest.raises(ValueError, match=message):
        read_log(CASES / "01_decided.csv", mapping)
