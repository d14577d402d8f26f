"""Logs of one's own network: what becomes of them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from twin.data.columns import SSR
from twin.data.history import concatenate
from twin.data.logs import LogMapping, from_table, read_log


def test_a_decision_is_an_interval_and_the_next(table, mapping):
    history = from_table(table, mapping)
    assert history.run.tolist() == [0, 0, 0, 1, 1, 1]  # numbered as they come, not by name
    assert history.interval.tolist() == [10, 11, 12] * 2
    assert history.allocation.tolist() == [[1, 7], [2, 6], [3, 5], [5, 3], [6, 2], [7, 1]]
    assert history.arrivals[:, 0].tolist() == [0, 10, 20, 40, 50, 60]
    assert history.next_arrivals[:, 1].tolist() == [11, 21, 31, 51, 61, 71]
    assert history.performance["rate"][:, 1].tolist() == [1.5, 2.0, 2.5, 3.5, 4.0, 4.5]
    assert history.performance["delay_ms"][0].tolist() == [15.0, 15.0]
    assert history.performance["load"].tolist() == [0.1, 0.2, 0.3, 0.5, 0.6, 0.7]
    assert history.performance["users"].tolist() == [[3, 2]] * 6
    assert history.controls["scheduler"].tolist() == [[0, 1], [1, 0], [0, 1]] * 2
    # delays of 15, 25, 35, 55, 65 and 75 ms against 10 and 50; rates times 5 and 3 users over 1.6 MHz
    assert history.ssr.tolist() == [[0, 1], [0, 1], [0, 1], [0, 0], [0, 0], [0, 0]]
    assert history.spectral_efficiency[0] == pytest.approx((0.5 * 5 + 1.5 * 3) / 1.6)
    names = [column.name for column in history.columns]
    assert names == ["rate", "delay_ms", "load", "users", "ssr", "spectral_efficiency"]
    assert history.columns[4] == SSR
    assert history.columns[5].resolution == pytest.approx(3 * 0.1 / 1.6)
    assert (history.layout, history.scenario) == (mapping.layout, mapping.scenario)


def test_at_least_is_the_other_way_round(table, from_yaml):
    from_yaml["ssr"] = {"column": "rate", "at_least": [1.0, 2.0]}
    history = from_table(table, LogMapping.from_dict(from_yaml))
    assert history.ssr.tolist() == [[0, 0], [1, 1], [1, 1], [1, 1], [1, 1], [1, 1]]


def test_the_order_of_rows_does_not_matter(table, mapping):
    shuffled = table.sample(frac=1.0, random_state=0)
    first = shuffled["night"].iloc[0]
    one, other = from_table(table, mapping), from_table(shuffled, mapping)
    swapped = first != table["night"].iloc[0]
    rows = np.r_[3:6, 0:3] if swapped else np.arange(6)
    np.testing.assert_array_equal(one.arrivals[rows], other.arrivals)
    np.testing.assert_array_equal(one.allocation[rows], other.allocation)
    np.testing.assert_array_equal(one.ssr[rows], other.ssr)


def test_a_gap_makes_two_sequences(table, mapping):
    history = from_table(table[(table["night"] != "night 2") | (table["tick"] != 11)], mapping)
    # 10 is followed by nothing, 12 by 13; the other night is whole
    assert list(zip(history.run, history.interval, strict=True)) == [(0, 12), (1, 10), (1, 11), (1, 12)]
    long = pd.concat([table.assign(night="n", tick=table["tick"] + 4 * (table["night"] == "night 1"))])
    whole = from_table(long, mapping)
    assert len(whole.sequences()) == 1
    gap = from_table(long[long["tick"] != 14], mapping)
    assert gap.sequences() == [slice(0, 3), slice(3, 5)]
    assert gap.interval.tolist() == [10, 11, 12, 15, 16]
    assert gap.runs.tolist() == [0]


def test_one_single_run_needs_no_column(table, from_yaml):
    from_yaml["run"] = None
    one = table[table["night"] == "night 2"].drop(columns="night")
    history = from_table(one, LogMapping.from_dict(from_yaml))
    assert history.runs.tolist() == [0]
    assert history.interval.tolist() == [10, 11, 12]


def test_constant_columns_are_taken_as_they_are(table, mapping):
    history = from_table(table.assign(packets=7, rate=1.0, delay=0.0), mapping)
    assert (history.arrivals == 7).all()
    assert (history.ssr == 1.0).all()
    assert (history.spectral_efficiency == history.spectral_efficiency[0]).all()


def test_histories_of_two_logs_fit_together(table, mapping):
    """What a column is told apart by belongs to the mapping, not to the rows of one log."""
    calm = table.assign(rate=1.0 + 0.001 * table["rate"])
    both = concatenate([from_table(table, mapping), from_table(calm, mapping)])
    assert len(both) == 12


def cell(name, row, value):
    """A change of one cell; rows as a text editor counts."""

    def change(table):
        values = table[name].tolist()
        values[row - 2] = value
        return table.assign(**{name: values})

    return change


def without(row):
    return lambda table: table.drop(index=row - 2)


REFUSED = {
    "missing column": (lambda t: t.drop(columns="rate"), r"wants column 'rate', which the log lacks.*\(it has night, "),
    "misspelt column": (
        lambda t: t.rename(columns={"packets": "packet"}),
        r"wants column 'packets', which the log lacks; is it 'packet'\?",
    ),
    "missing run": (lambda t: t.drop(columns="night"), r"wants column 'night', which the log lacks"),
    "unknown column": (
        lambda t: t.assign(extra=1),
        r"does not name column 'extra'; use it, or list it under `unused`",
    ),
    "column twice": (lambda t: pd.concat([t, t[["rate"]]], axis=1), r"log: 2 columns 'rate' given, allowed is one"),
    "no rows": (lambda t: t.iloc[:0], r"log: the table has no rows"),
    "wrong slice": (cell("kind", 5, "E"), r"kind: 'E' in row 5, allowed are 'C', 'D'"),
    "slices of another type": (lambda t: t.assign(kind=1), r"kind: 1 in row 2 and \d+ more rows, allowed are 'C', 'D'"),
    "lacks a slice": (without(7), r"kind: interval 12 of night night 2 \(row 6\) lacks 'D', .* needs 'C', 'D'"),
    "lacks the first": (without(6), r"kind: interval 12 of night night 2 \(row 6\) lacks 'C'"),
    "interval twice": (cell("tick", 4, 10), r"tick: 10 of night night 2 has slice 'C' in row 2 and again in row 4"),
    "empty cell": (cell("rate", 9, None), r"rate: nothing stands in row 9"),
    "empty slice": (cell("kind", 9, None), r"kind: nothing stands in row 9"),
    "NaN": (cell("packets", 3, np.nan), r"packets: nothing stands in row 3, allowed is a value in every row"),
    "text": (cell("packets", 6, "many"), r"packets: 'many' in row 6 is not a number"),
    "truth values": (lambda t: t.assign(scheduler=True), r"scheduler: '?[Tt]rue'? in row 2 is not a number"),
    "adds up to less": (cell("blocks", 7, 1), r"blocks: \[3, 1\] in rows \[6, 7\], allowed is .* 8 in all"),
    "percent": (
        lambda t: cell("blocks", 5, 70)(cell("blocks", 4, 30)(t)),
        r"blocks: \[30, 70\] in rows \[4, 5\], allowed is .* 8 in all \(as: percent, if these are",
    ),
    "a slice has none": (
        lambda t: cell("blocks", 5, 8)(cell("blocks", 4, 0)(t)),
        r"blocks: \[0, 8\] in rows \[4, 5\], allowed is at least 1 a slice and 8 in all",
    ),
    "half a unit": (
        cell("blocks", 4, 1.5),
        r"blocks: 1\.5 in row 4 is not a whole number \(as: share, if .* as: percent",
    ),
    "half an interval": (cell("tick", 4, 10.5), r"tick: 10\.5 in row 4 is not a whole number"),
    "infinite packets": (cell("packets", 4, np.inf), r"packets: inf in row 4 is not a whole number"),
    "half a packet": (cell("packets", 4, 2.5), r"packets: 2\.5 in row 4 is not a whole number"),
    "negative packets": (cell("packets", 4, -1), r"packets: -1 in row 4, allowed are 0 to inf"),
    "too many packets": (cell("packets", 5, 601), r"packets: 601 in row 5, allowed are 0 to 600, .*queue_capacity"),
    "half a user": (cell("users", 17, 2.5), r"users: 2\.5 in row 17 is not a whole number"),
    "above a bound": (cell("delay", 4, 101.0), r"delay: 101 in row 4, allowed are 0 to 100"),
    "below a bound": (cell("rate", 5, -0.1), r"rate: -0\.1 in row 5, allowed are 0 to inf"),
    "infinite": (cell("rate", 5, np.inf), r"rate: inf in row 5, allowed are 0 to inf"),
    "no such choice": (cell("scheduler", 11, 2), r"scheduler: 2 in row 11, allowed are 0, 1"),
    "cell at odds": (
        cell("load", 3, 0.5),
        r"load: \[0\.0, 0\.5\] in rows \[2, 3\], allowed is the same for every slice",
    ),
    "no two in a row": (lambda t: t[t["tick"] % 2 == 0], r"tick: no number follows another in any run"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_log_that_is_not_right_is_refused_by_row_and_column(table, mapping, case, tmp_path):
    change, message = REFUSED[case]
    changed = change(table)
    with pytest.raises(ValueError, match=message):
        from_table(changed, mapping)
    if case == "column twice":
        return  # DuckDB renames the second one in a text file
    changed.to_csv(tmp_path / "log.csv", index=False)
    with pytest.raises(ValueError, match=message if case != "no rows" else "the table has no rows"):
        read_log(tmp_path / "log.csv", mapping)


def test_files_are_read_alike_and_rows_counted_as_an_editor_does(table, mapping, tmp_path):
    wanted = from_table(table, mapping)
    frame = table  # noqa: F841  # DuckDB finds it by its name
    duckdb.sql(f"COPY (SELECT * FROM frame) TO '{tmp_path / 'log.parquet'}'")
    table.to_csv(tmp_path / "log.csv", index=False)
    text = (tmp_path / "log.csv").read_text()
    (tmp_path / "longer.csv").write_text(text + "\n\n")
    for name in ("log.parquet", "log.csv", "longer.csv"):
        found = read_log(tmp_path / name, mapping)
        np.testing.assert_array_equal(found.allocation, wanted.allocation)
        np.testing.assert_array_equal(found.arrivals, wanted.arrivals)
        np.testing.assert_array_equal(found.spectral_efficiency, wanted.spectral_efficiency)
    lines = text.splitlines()
    lines[5] = lines[5].replace(",1,", ",many,", 1)
    lines[9] = lines[9].replace("fine", "fine,and more")
    (tmp_path / "holes.csv").write_text("\n".join([*lines[:3], "", *lines[3:]]))
    with pytest.raises(ValueError, match="row 11 has more fields than the header"):  # blank lines are passed over
        read_log(tmp_path / "holes.csv", mapping)


def test_what_is_no_table_is_refused(mapping, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"log: the file '.*absent\.csv' does not exist"):
        read_log(tmp_path / "absent.csv", mapping)
    with pytest.raises(OSError, match=r"log: '1000.* could not be read: File name too long"):
        read_log("1" + "0" * 400, mapping)
    with pytest.raises(TypeError, match="log: 1 given, allowed is one of str, PathLike"):
        read_log([1, 2], mapping)
    for name, content in (
        ("empty.csv", b""),
        ("broken.parquet", b"PAR1 and no more"),
        ("binary.csv", b"\xff\xfe\x00\x81"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"log: '.*{name}' is (not (a table|UTF-8)|empty)"):
            read_log(tmp_path / name, mapping)


@pytest.mark.parametrize(("name", "content"), [("b.parquet", b"PAR1 and no more"), ("b.csv", b"\xff\xfe\x00\x81")])
def test_the_one_of_several_files_that_is_no_table_is_named(name, content, mapping, table, tmp_path):
    end = Path(name).suffix
    frame = table  # noqa: F841  # DuckDB finds it by its name
    for each in ("a", "c"):
        duckdb.sql(f"COPY (SELECT * FROM frame) TO '{tmp_path / each}{end}'")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"log: '[^']*{name}' is not (a table \(|UTF-8; )"):
        read_log(tmp_path, mapping)
