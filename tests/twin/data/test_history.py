"""Histories: what is refused, splits and windows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from twin import PERFORMANCE, QUEUED, SSR, Control, History
from twin.data.history import concatenate


def at(name, place, value):
    """A change of one value of a field or of a performance column."""

    def change(parts):
        group = parts if name in parts else parts["performance"]
        group[name] = group[name].astype(type(value)) if isinstance(value, float) else group[name].copy()
        group[name][place] = value

    return change


def put(name, value):
    """A change of a whole field."""
    return lambda parts: parts.update({name: value(parts[name]) if callable(value) else value})


REFUSED = {
    "no decisions": (put("run", np.zeros(0, int)), r"history: no decisions given, allowed are one or more"),
    "not a scenario": (put("scenario", "paper"), r"scenario: 'paper' given, allowed is Scenario"),
    "shape": (put("arrivals", lambda a: a[:, :1]), r"arrivals: shape \(9, 1\) given, allowed is \(9, 2\)"),
    "text": (put("interval", ["a"] * 9), r"interval: <U1 given, allowed are numbers"),
    "truth values": (put("run", [False] * 9), r"run: bool given, allowed are numbers"),
    "NaN": (at("ssr", (3, 1), math.nan), r"ssr: nan in row 3, allowed are finite numbers"),
    "no finite time": (put("time", [0.0] * 8 + [math.inf]), r"time: inf in row 8, allowed are finite numbers"),
    "half a packet": (at("arrivals", (4, 0), 1.5), r"arrivals: 1\.5 in row 4, allowed are whole numbers"),
    "infinite": (at("interval", 8, math.inf), r"interval: inf in row 8, allowed are whole numbers"),
    "too large": (at("interval", 8, 1e300), r"interval: 1e\+300 in row 8, allowed are whole numbers"),
    "below": (at("ssr", (2, 1), -0.5), r"ssr: -0\.5 in row 2, slice 'data', allowed are 0 to 1"),
    "above": (at("ssr", (2, 0), 1.5), r"ssr: 1\.5 in row 2, slice 'calls', allowed are 0 to 1"),
    "of the cell": (at("spectral_efficiency", 2, -1.0), r"spectral_efficiency: -1\.0 in row 2, allowed are 0 to inf"),
    "negative": (at("arrivals", (0, 0), -1), r"arrivals: -1 in row 0, slice 'calls', allowed are 0 to inf"),
    "unseen": (at("next_arrivals", (8, 1), 601), r"next_arrivals: 601 in row 8, slice 'data', allowed are 0 to 600"),
    "twice": (at("interval", 1, 0), r"interval: 0 of run 0 occurs twice \(rows 0 and 1\)"),
    "falling": (at("interval", 4, 2), r"interval: 2 in row 4 comes after 4; sort by run and interval"),
    "runs fall": (put("run", [2] * 5 + [1] * 4), r"run: 1 in row 5 comes after 2; sort by run and interval"),
    "no unit": (at("allocation", (6,), (0, 8)), r"allocation: \[0, 8\] in row 6 \(run 1, interval 1\), .* 8 in all"),
    "too few": (at("allocation", (6,), (3, 4)), r"allocation: \[3, 4\] in row 6 .*at least 1 a slice and 8 in all"),
    "not seen next": (
        at("next_arrivals", (2, 0), 400),
        r"next_arrivals: \[400, \d+\] in row 2, .* row 3, which follows",
    ),
    "missing": (put("performance", lambda p: {"ssr": p["ssr"]}), r"performance: spectral_efficiency missing"),
    "unknown": (put("performance", lambda p: {**p, "sssr": p["ssr"]}), r"unknown name 'sssr'; did you mean 'ssr'"),
    "control missing": (put("control_columns", (Control("prio", (1, 2)),)), r"controls: prio missing"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_by_row_and_column(parts, case):
    change, message = REFUSED[case]
    History(**parts)
    parts["control_columns"] = ()
    change(parts)
    with pytest.raises((ValueError, TypeError), match=message):
        History(**parts)


def test_a_control_takes_its_values_only(parts):
    column, values = Control("scheduler", (0, 2)), np.zeros((9, 2), int)
    values[7, 1] = 1
    with pytest.raises(ValueError, match=r"scheduler: 1 in row 7, slice 'data', allowed are 0, 2"):
        History(**parts, control_columns=(column,), controls={"scheduler": values})


def test_whole_columns_are_whole(parts):
    parts["performance"]["queued"] = np.ones((9, 2))
    columns = (*PERFORMANCE, QUEUED)
    assert History(**parts, columns=columns).performance["queued"].dtype == np.float64
    parts["performance"]["queued"][3, 0] = 0.5
    with pytest.raises(ValueError, match=r"queued: 0\.5 in row 3, allowed are whole numbers"):
        History(**parts, columns=columns)


def test_arrays_are_copies_that_cannot_be_written(parts):
    history = History(**parts)
    before = history.arrivals.copy()
    parts["arrivals"][:] = 0
    parts["performance"]["ssr"][:] = 0.0
    np.testing.assert_array_equal(history.arrivals, before)
    assert history.ssr.max() == 1.0
    for array in (history.arrivals, history.ssr):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_what_was_not_measured_is_refused(parts):
    del parts["performance"]["ssr"]
    history = History(**parts, columns=PERFORMANCE[1:])
    assert history.spectral_efficiency[0] == 300.0
    with pytest.raises(ValueError, match="'ssr' was not measured; its columns are spectral_efficiency"):
        _ = history.ssr


def test_gaps_and_runs_make_sequences(history):
    assert history.sequences() == [slice(0, 2), slice(2, 5), slice(5, 9)]
    assert history.runs.tolist() == [0, 1]
    assert len(history) == 9


def test_concatenate_numbers_runs_again(history):
    last = history.take(history.run == 1)  # its only run is number 1
    both = concatenate([history, last, history])
    assert both.runs.tolist() == [0, 1, 2, 3, 4]
    assert both.run.tolist() == [0] * 5 + [1] * 4 + [2] * 4 + [3] * 5 + [4] * 4
    for part, rows in ((history, slice(0, 9)), (last, slice(9, 13)), (history, slice(13, 22))):
        np.testing.assert_array_equal(both.arrivals[rows], part.arrivals)
        np.testing.assert_array_equal(both.ssr[rows], part.ssr)
        np.testing.assert_array_equal(both.controls["scheduler"][rows], part.controls["scheduler"])
    assert len(both.sequences()) == 3 + 1 + 3


def test_concatenate_refuses_another_network(small, parts, history):
    bare = History(**parts)
    users = small.replace(name="other", radio={"bandwidth_hz": 1.4e6})
    fewer = {**parts, "scenario": users, "allocation": parts["allocation"] - [[1, 0]] * 9}
    fewer["allocation"][fewer["allocation"][:, 0] == 0] = (3, 4)
    for other, message in (
        (history, r"histories\[1\]: is of another network .*control_columns"),
        (History(**fewer), r"histories\[1\]: .*\('other', not 'small'\): its units are 7, wanted are 8"),
        (History(**parts, columns=(replace(SSR, resolution=0.1), PERFORMANCE[1])), r"histories\[1\]: .*its columns"),
    ):
        with pytest.raises(ValueError, match=message):
            concatenate([bare, other])
    with pytest.raises(ValueError, match="histories: none given, allowed are one or more"):
        concatenate([])


def rows_of(history: History) -> list[tuple[int, int]]:
    return list(zip(history.run.tolist(), history.interval.tolist(), strict=True))


def test_split_by_run_parts_exactly(history):
    many = concatenate([history, history])
    first, last = many.split_by_run(last=3)
    assert (set(first.runs), set(last.runs)) == ({0}, {1, 2, 3})
    assert rows_of(first) + rows_of(last) == rows_of(many)
    np.testing.assert_array_equal(np.concatenate([first.ssr, last.ssr]), many.ssr)
    for wrong in (0, 4, -1):
        with pytest.raises(ValueError, match=f"last: {wrong} given, allowed is 1 to 3"):
            many.split_by_run(last=wrong)
    with pytest.raises(ValueError, match="1 run given, a split by run needs 2 or more; use split_by_time"):
        last.take(last.run == 1).split_by_run(last=1)


@pytest.mark.parametrize(("share", "late"), [(0.001, [1, 1]), (0.5, [2, 2]), (1.0, [4, 3])])
def test_split_by_time_parts_every_run(history, share, late):
    first, last = history.split_by_time(share)
    assert sorted(rows_of(first) + rows_of(last)) == rows_of(history)
    assert not set(rows_of(first)) & set(rows_of(last))
    for run, number in zip((0, 1), late, strict=True):
        assert (last.run == run).sum() == number
        assert first.interval[first.run == run].max() < last.interval[last.run == run].min()


def test_split_by_time_refusals(history):
    with pytest.raises(ValueError, match="share: 0 given, allowed is above"):
        history.split_by_time(0)
    with pytest.raises(ValueError, match=r"share: 1\.5 given, allowed is .*at most 1"):
        history.split_by_time(1.5)
    with pytest.raises(ValueError, match="every run has one decision and cannot be split by time"):
        history.take(slice(0, 1)).split_by_time(0.5)


def test_a_run_of_one_decision_is_in_the_first_part(history):
    rows = np.flatnonzero(history.run == 0)[-1:].tolist() + np.flatnonzero(history.run == 1).tolist()
    first, last = history.take(rows).split_by_time(0.5)
    assert first.run.tolist() == [0] + [1] * (len(first) - 1)
    assert set(last.run) == {1}


def test_windows_cross_no_gap_and_reach_everywhere(history):
    windows = history.sample_windows(300, 3, np.random.default_rng(0))
    assert windows.shape == (300, 3)
    assert (np.diff(history.interval[windows], axis=1) == 1).all()
    assert (history.run[windows] == history.run[windows][:, :1]).all()
    starts, counts = np.unique(windows[:, 0], return_counts=True)
    assert starts.tolist() == [2, 5, 6]
    assert counts.min() > 70  # of 300, each of three alike: 100 on average, with a standard deviation of 8
    np.testing.assert_array_equal(windows, history.sample_windows(300, 3, np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("number", "length", "message"),
    [
        (1, 5, "length: 5 given, the longest sequence has 4 decisions"),
        (1, 0, "length: 0 given"),
        (0, 1, "number: 0 given"),
    ],
)
def test_windows_that_cannot_be_are_refused(history, number, length, message):
    with pytest.raises(ValueError, match=message):
        history.sample_windows(number, length, np.random.default_rng(0))
