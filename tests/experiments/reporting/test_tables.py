"""Rows of text as a table on the screen, or as a CSV."""

from __future__ import annotations

from experiments.reporting.tables import aligned, write_rows


def test_columns_are_as_wide_as_their_longest_cell():
    assert aligned(["a", "long"], [["first", "1"], ["x", "22"]]).splitlines() == [
        *("a      long", "-----------", "first  1", "x      22")
    ]


def test_a_csv_quotes_what_it_has_to(tmp_path):
    write_rows(tmp_path / "table.csv", ["name", "value"], [["a,b", 1], ["c", 2.5]])
    assert (tmp_path / "table.csv").read_bytes() == b'name,value\n"a,b",1\nc,2.5\n'
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
