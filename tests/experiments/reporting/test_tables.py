"""Rows of text as a table on the screen, or as a CSV."""

from __future__ import annotations

from experiments.reporting.tables import aligned, latex, markdown, write_rows


def test_columns_are_as_wide_as_their_longest_cell():
    assert aligned(["a", "long"], [["first", "1"], ["x", "22"]]).splitlines() == [
        *("a      long", "-----------", "first  1", "x      22")
    ]


def test_a_csv_quotes_what_it_has_to(tmp_path):
    write_rows(tmp_path / "table.csv", ["name", "value"], [["a,b", 1], ["c", 2.5]])
    assert (tmp_path / "table.csv").read_bytes() == b'name,value\n"a,b",1\nc,2.5\n'
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_markdown_escapes_what_would_end_a_cell():
    assert markdown(["a|b", "c"], [["x", "1 | 2"], ["\\", ""]]) == (
        "| a\\|b | c |\n| --- | --- |\n| x | 1 \\| 2 |\n| \\\\ |  |\n"
    )


def test_latex_escapes_what_it_would_take_for_commands():
    text = latex(["a_b", "%"], [["x&y", "#1 ± 2"], ["{~^\\}", "$5 > 4"]], caption="50 % of_all")
    assert r"\caption{50 \% of\_all}" in text
    assert r"a\_b & \% \\" in text
    assert r"x\&y & \#1 $\pm$ 2 \\" in text
    assert r"\{\textasciitilde{}\textasciicircum{}\textbackslash{}\} & \$5 $>$ 4 \\" in text
    assert text.count(r"\begin{") == text.count(r"\end{") == 2
    assert r"\begin{tabular}{lr}" in text
