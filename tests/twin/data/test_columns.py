"""Columns, controls and layouts."""

from __future__ import annotations

import math

import pytest

from tests.helpers.twins import ALL_COLUMNS
from twin import SSR, Column, Control, Layout


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


def test_columns_survive_builtin_types():
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
