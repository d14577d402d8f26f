"""`what_if.png`: intervals are seen on every bar, and bars are told apart without colours."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from experiments.reporting.style import BAR_COLOURS
from experiments.what_if.figure import _draw
from experiments.what_if.report import skewed
from experiments.what_if.simulation import Alternative


def luminance(colour):
    """Relative luminance as WCAG defines it, 0 of black to 1 of white."""
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def panel(number, outside=()):
    """Alternatives side by side."""
    units, values = np.zeros((1, 3, 2), np.int64), {"utility": np.array([1.0, 2.0, 3.0])}
    alternatives = [
        Alternative(f"{each}-1", units, values, {"embb": (1, 2)} if each in outside else {}) for each in range(number)
    ]
    axes = Figure().subplots()
    _draw(axes, alternatives, {"": "utility"}, {"utility": 1.5})
    return axes


def test_no_bar_is_as_dark_as_its_error_bar():
    assert min(map(luminance, BAR_COLOURS)) > 0.05
    assert all(luminance(bar.get_facecolor()[:3]) > 0.05 for bar in panel(7).patches)


def test_neighbours_are_told_apart_in_grey():
    bars = panel(6).patches
    assert all(one.get_hatch() != other.get_hatch() for one, other in pairwise(bars))
    shades = [luminance(colour) for colour in BAR_COLOURS]
    assert np.abs(np.diff(shades)).min() > 0.02


def test_intervals_of_what_is_outside_the_log_are_no_paler_than_others():
    axes = panel(2, outside=[1])
    inside, outside = axes.patches
    assert (inside.get_facecolor()[3], outside.get_facecolor()[3]) == (1.0, 0.4)
    errors = [each for each in axes.containers if isinstance(each, ErrorbarContainer)]
    assert len(errors) == 2
    for each in errors:
        (lines,) = each.lines[2]
        np.testing.assert_allclose(lines.get_colors(), [to_rgba("black")])
        (segment,) = lines.get_segments()
        np.testing.assert_allclose(segment[:, 1], np.quantile([1.0, 2.0, 3.0], [0.05, 0.95]))


def test_a_mean_outside_its_own_interval_is_explained():
    """Few draws of a hundred: wild delays, or agreements missed."""
    units, few = np.zeros((100, 3, 2), np.int64), np.arange(100) < 2

    def said(values, shown=("one",)):
        return skewed([Alternative("1-1", units, {"one": values}, {})], dict.fromkeys(shown, 0.0))

    usual = np.linspace(20.0, 30.0, 100)
    for values in np.where(few, 5000.0, usual), np.where(few, 0.0, 1.0), np.where(few, 1.0, 0.0):
        assert said(values) == ["a mean outside its interval is due to few draws far beyond it, at most 5 % of them"]
    for values in usual, np.zeros(100), np.full(100, 0.1), np.where(few, 0.999, 1.0):  # no digit shows the last one
        assert said(values) == []
    assert said(np.where(few, 5000.0, usual), shown=()) == []
