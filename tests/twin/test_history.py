"""Histories: what is refused, files, splits and windows."""

from __future__ import annotations

import math
import os
from dataclasses import replace

import numpy as np
import pytest

from slicing_gym import get_scenario
from tests.helpers.twins import ALL_COLUMNS, assert_same
from twin import PERFORMANCE, QUEUED, SSR, Column, Control, History, Layout
from twin.data.history import FORMAT_VERSION, concatenate

SHORT = get_scenario("paper-1mhz").replace(decisions_per_episode=5)

# Two runs; in the first interval 2 is missing, so there are three sequences: of 2, 3 and 4 decisions.
RUN = [0, 0, 0, 0, 0, 1, 1, 1, 1]
INTERVAL = [0, 1, 3, 4, 5, 0, 1, 2, 3]


def parts_of(scenario) -> dict:
    """What a valid history of nine decisions is made of."""
    seen = np.random.default_rng(0).integers(0, 30, size=(12, 2))  # an interval each, sequence by sequence
    before, after = [0, 1, 3, 4, 5, 7, 8, 9, 10], [1, 2, 4, 5, 6, 8, 9, 10, 11]
    first = np.arange(1, 10) % 7 + 1
    return {
        "scenario": scenario,
        "run": np.array(RUN),
        "interval": np.array(INTERVAL),
        "allocation": np.stack([first, 8 - first], axis=1),
        "arrivals": seen[before],
        "next_arrivals": seen[after],
        "performance": {
            "ssr": np.linspace(0.0, 1.0, 18).reshape(9, 2),
            "spectral_efficiency": np.linspace(300.0, 500.0, 9),
        },
    }


@pytest.fixture
def parts(small):
    return parts_of(small)


@pytest.fixture
def history(parts):
    return History(
        **parts,
        controls={"scheduler": np.arange(18).reshape(9, 2) % 2},
        control_columns=(Control("scheduler", (0, 1)),),
    )


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "a b"}, r"name: 'a b' given, allowed are letters"),
        ({"name": "a", "transform": "sqr"}, r"transform: unknown name 'sqr'; did you mean 'sqrt'"),
        ({"name": "a", "transform": "log1p", "lower": -1.0}, r"lower: -1\.0 given, allowed is at least 0\.0"),
        ({"name": "a", "upper": 0.0}, r"upper: 0\.0 given, allowed is above 0\.0"),
        ({"name": "a", "resolution": 0.0}, r"resolution: 0\.0 given"),
        ({"name": "a", "per_slice": "no"}, r"per_slice: 'no' given, allowed is bool"),
        ({"name": "a", "colour": 1}, r"unknown name 'colour'"),
    ],
)
def test_bad_columns_are_refused(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Column.from_dict(arguments)


@pytest.mark.parametrize("values", [(), (1, 1), (0.5,)])
def test_bad_controls_are_refused(values):
    with pytest.raises((ValueError, TypeError), match="values: "):
        Control("scheduler", values)


def test_columns_outlive_plain_data():
    for column in (*ALL_COLUMNS, Column("gain", lower=-math.inf, upper=3.0, unit="dB"), Column("loss", lower=-2.0)):
        assert Column.from_dict(column.to_dict()) == column


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((SSR, SSR), "the name 'ssr' occurs twice"),
        ((Column("run"),), "the name 'run' occurs twice"),
        ((Column("arrivals"),), "the name 'arrivals' occurs twice"),
        ((Column("arrivals_data", per_slice=False),), "the name 'arrivals_data' occurs twice"),
        ((Column("ssr", per_slice=False),), r"ssr\.per_slice: False given, allowed is True"),
        ((Column("spectral_efficiency"),), r"spectral_efficiency\.per_slice: True given, allowed is False"),
    ],
)
def test_a_layout_refuses_names_that_clash(small, columns, message):
    with pytest.raises(ValueError, match=message):
        Layout(small, Column("arrivals"), columns)


def test_a_layout_says_where_things_are(history):
    layout = history.layout
    names = ["arrivals_calls", "arrivals_data", "ssr_calls", "ssr_data", "spectral_efficiency"]
    assert [name for name, _ in layout.variables] == names
    assert (layout.num_variables, layout.num_controls) == (5, 4)
    assert [layout.place(name) for name in ("ssr", "spectral_efficiency")] == [slice(2, 4), slice(4, 5)]
    assert layout.has("ssr")
    assert not layout.has("delay")
    assert Layout.from_dict(layout.to_dict()) == layout


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


def test_save_and_load(history, tmp_path):
    path = tmp_path / "folder" / "history.npz"
    history.save(path)
    assert_same(History.load(path), history)


def test_damaged_and_foreign_files_are_refused(history, tmp_path):
    path = tmp_path / "history.npz"
    history.save(path)
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"history\.npz' is not a history's file, or is damaged"):
            History.load(path)
    path.write_bytes(b"text")
    with pytest.raises(ValueError, match="is not a history's file"):
        History.load(path)
    np.savez(path, run=np.zeros(3))
    with pytest.raises(ValueError, match="is not a history's file"):
        History.load(path)
    with pytest.raises(FileNotFoundError, match=r"'.*absent\.npz' does not exist"):
        History.load(tmp_path / "absent.npz")


def rewrite(path, change):
    """The file with its arrays changed."""
    with np.load(path) as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(path, **arrays)


def test_other_versions_and_contents_are_refused(history, tmp_path):
    path = tmp_path / "history.npz"

    def other_version(arrays):
        text = str(arrays["header"])
        assert f'"format": {FORMAT_VERSION}' in text
        arrays["header"] = np.array(text.replace(f'"format": {FORMAT_VERSION}', '"format": 99'))

    for change, message in (
        (other_version, rf"history\.npz' has format 99, allowed is {FORMAT_VERSION}"),
        (lambda arrays: arrays.pop("arrivals"), "does not hold a history .*'arrivals'"),
        (lambda arrays: arrays.pop("performance.ssr"), "does not hold a history .*performance: ssr missing"),
        (lambda arrays: arrays["allocation"].fill(9), r"does not hold a history .*allocation: \[9, 9\] in row 0"),
    ):
        history.save(path)
        rewrite(path, change)
        with pytest.raises(ValueError, match=message):
            History.load(path)


def test_loading_runs_no_code(history, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    path = tmp_path / "history.npz"
    history.save(path)
    rewrite(path, lambda arrays: arrays.update(run=np.array([Trap()], dtype=object)))
    with pytest.raises(ValueError, match="is not a history's file"):
        History.load(path)
    assert not (tmp_path / "sprung").exists()


def test_saving_is_atomic(history, tmp_path, monkeypatch):
    path = tmp_path / "history.npz"
    history.save(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        history.take(slice(0, 2)).save(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["history.npz"]


def test_concatenate_numbers_runs_anew(history):
    last = history.take(history.run == 1)  # its only run is number 1
    both = concatenate([history, last, history])
    assert both.runs.tolist() == [0, 1, 2, 3, 4]
    assert both.run.tolist() == RUN + [2] * 4 + [run + 3 for run in RUN]
    for part, rows in ((history, slice(0, 9)), (last, slice(9, 13)), (history, slice(13, 22))):
        np.testing.assert_array_equal(both.arrivals[rows], part.arrivals)
        np.testing.assert_array_equal(both.ssr[rows], part.ssr)
        np.testing.assert_array_equal(both.controls["scheduler"][rows], part.controls["scheduler"])
    assert len(both.sequences()) == 3 + 1 + 3


def test_concatenate_refuses_another_network(small, parts, history):
    plain = History(**parts)
    users = small.replace(name="other", radio={"bandwidth_hz": 1.4e6})
    fewer = {**parts, "scenario": users, "allocation": parts["allocation"] - [[1, 0]] * 9}
    fewer["allocation"][fewer["allocation"][:, 0] == 0] = (3, 4)
    for other, message in (
        (history, r"histories\[1\]: is of another network .*control_columns"),
        (History(**fewer), r"histories\[1\]: .*\('other', not 'small'\): its units are 7, wanted are 8"),
        (History(**parts, columns=(replace(SSR, resolution=0.1), PERFORMANCE[1])), r"histories\[1\]: .*its columns"),
    ):
        with pytest.raises(ValueError, match=message):
            concatenate([plain, other])
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
    with pytest.raises(ValueError, match="run 0 has one decision and cannot be split by time"):
        history.take(slice(0, 1)).split_by_time(0.5)


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
