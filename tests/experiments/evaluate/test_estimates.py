"""What estimates say of deploying a policy."""

from __future__ import annotations

import re
from math import nan

import pytest

from experiments.evaluate.estimates import in_words


@pytest.mark.parametrize(
    ("fitted_q", "in_twin", "expected"),
    [
        (
            2.381,
            2.975,
            ["0.594 apart, more than 0.25: take the lower, fitted_q", "DO NOT DEPLOY: by fitted_q it earns 0.062"],
        ),
        (2.3, None, ["DO NOT DEPLOY: by fitted_q it earns 0.143 less"]),
        (2.6, 2.4, ["DO NOT DEPLOY: by twin it earns 0.043 less"]),
        (2.523, None, ["by fitted_q it earns 0.080 more .* within the error of such an estimate"]),
        (2.9, 2.8, ["by twin it earns 0.357 more than the history's own decisions did: worth a trial"]),
        (2.442, None, ["DO NOT DEPLOY: by fitted_q it earns 0.001 less"]),  # one-sided: so small a gain says nothing
        (2.444, None, ["by fitted_q it earns 0.001 more .* within the error of such an estimate"]),
        (2.9, nan, ["DO NOT DEPLOY: twin gave no number"]),
        (nan, 2.9, ["DO NOT DEPLOY: fitted_q gave no number"]),
        (3.5, 2.8, ["take the lower, twin", "by twin it earns 0.357 more .*: worth a trial"]),
    ],
)
def test_the_lower_estimate_decides(fitted_q, in_twin, expected):
    lines = in_words({"fitted_q": fitted_q, "twin": in_twin}, 2.443)
    assert len(lines) == len(expected)
    for line, pattern in zip(lines, expected, strict=True):
        assert re.search(pattern, line)


def test_a_history_without_a_utility_compares_with_nothing():
    (line,) = in_words({"fitted_q": 2.4, "twin": None}, nan)
    assert "DO NOT DEPLOY: history gave no number" in line
