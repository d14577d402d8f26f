"""A published picture explains the marks that are in it, and no others."""

from __future__ import annotations

from pathlib import Path

from experiments.benchmark_suite import PROTOCOL, read_rows
from experiments.benchmark_suite.figure import draw_benchmark
from experiments.benchmark_suite.page import boards_of
from tests.helpers.drawn import drawn as drawn

TABLE = Path(__file__).resolve().parents[2] / "docs" / "results" / "benchmark.csv"


def test_pictures_of_the_benchmark_explain_only_their_own_marks(tmp_path, drawn):
    draw_benchmark(tmp_path / "benchmark.png", boards_of(read_rows(TABLE, PROTOCOL), PROTOCOL)[1_000])
    for picture, has in zip(drawn, (True, False), strict=True):  # in the second all methods run, and none is far below
        explained = " ".join(text.get_text() for text in picture.legends[0].get_texts())
        in_panels = [text.get_text() for axes in picture.axes for text in axes.texts]
        edges = [line for axes in picture.axes for line in axes.lines if line.get_marker() == "<"]
        assert ("n/a" in in_panels) == ("n/a:" in explained) == has
        assert bool(edges) == ("off the scale" in explained) == has
