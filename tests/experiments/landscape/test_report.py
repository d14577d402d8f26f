"""Tables of landscapes: methods side by side."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.landscape.flatness import Flatness
from experiments.landscape.losses import STOCK
from experiments.landscape.report import QUANTITIES, Measurement, differences, method_pairs, verdict


def measurement(method, seed, **values):
    numbers = dict.fromkeys(Flatness.__annotations__, 1.0) | values
    return Measurement(("paper", "dense"), method, seed, 0.0, Flatness(**numbers), {}, np.zeros((1, 1)))


def test_methods_are_paired_with_what_they_are_compared_with():
    methods = ["ddqn", "ddqn-dt", "ddqn-dt-transformer", "dqn", "gan_ddqn-dt", STOCK]
    assert method_pairs(methods) == [("ddqn", "ddqn-dt"), ("ddqn", "ddqn-dt-transformer"), ("dqn", STOCK)]
    assert method_pairs(["ddqn", STOCK]) == [("ddqn", STOCK)]
    assert method_pairs([STOCK]) == []


def test_differences_are_those_of_the_same_seed():
    without = [measurement("dqn", seed, curvature=float(seed)) for seed in (0, 1, 2)]
    twin = [measurement("dqn-dt", seed, curvature=10.0 * seed, rise_epsilon=np.inf) for seed in (2, 1, 7)]
    curvature, rise = (list(QUANTITIES).index(name) for name in ("curvature", "rise_epsilon"))
    assert differences(without, twin)[:, curvature].tolist() == [18.0, 9.0]
    assert differences(without, twin)[:, rise].tolist() == [np.inf, np.inf]
    assert differences(twin, twin)[:, rise].tolist() == [0.0, 0.0, 0.0]
    assert len(differences(without[:1], twin)) == 0


@pytest.mark.parametrize(
    ("name", "ends", "expected"),
    [
        ("curvature", (-2.0, -1.0), "flatter"),
        ("curvature", (1.0, 2.0), "sharper"),
        ("curvature", (-1.0, 2.0), "no difference"),
        ("rise_distance", (1.0, np.inf), "flatter"),
        ("rise_distance", (-2.0, -1.0), "sharper"),
        ("loss", (-2.0, -1.0), ""),
        ("curvature", (np.nan, np.nan), ""),
    ],
)
def test_verdicts(name, ends, expected):
    assert verdict(QUANTITIES[name], *ends) == expected
