"""`evaluation.png`: small differences are seen, and what they are read against."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from experiments.evaluate.figure import plot_evaluation, points
from experiments.evaluate.rollout import Evaluation
from experiments.reporting.statistics import estimate
from tests.helpers.runs import SCENARIO

UTILITY = {"ddqn": [8.0, 8.1], "planner": [8.1, 8.2], "hard": [7.5, 7.5], "one_step_oracle": [8.3, 8.3]}


def evaluations(utility):
    """Policies by their utility in each cell."""
    return [
        Evaluation(name, tuple(range(len(u))), np.array(u), np.zeros(len(u)), np.zeros(len(u)), np.ones((len(u), 3)))
        for name, u in utility.items()
    ]


def drawn(utility):
    """The panel of utility."""
    axes = Figure().subplots()
    points(axes, evaluations(utility), "utility", "mean utility U")
    return axes


def test_a_tenth_of_utility_is_a_good_part_of_the_axis_and_nobody_is_left_out():
    axes = drawn(UTILITY)
    low, high = axes.get_xlim()
    assert 0.1 / (high - low) > 0.05  # of bars from 0 on it is a hundredth
    means = [np.mean(each) for each in UTILITY.values()]
    assert low < min(means) < max(means) < high
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"] == [7.5, 8.3]


def test_rows_are_the_policies_in_order_with_their_intervals_as_lines_and_numbers():
    axes = drawn(UTILITY)
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        *("DDQN", "planner", "hard slicing", "one-step oracle")
    ]
    assert axes.yaxis.get_inverted()
    for row, (values, bar) in enumerate(zip(UTILITY.values(), axes.containers, strict=True)):
        mean, half = estimate(values)
        ((start, end),) = bar.lines[2][0].get_segments()
        np.testing.assert_allclose([start, end], [[mean - half, row], [mean + half, row]])
        assert axes.texts[row].get_text() == f"{mean:.3f} ± {half:.3f}"


def test_one_cell_has_a_point_and_no_interval():
    axes = drawn({"hard": [5.3], "mine": [5.4]})
    assert [text.get_text() for text in axes.texts] == ["5.300", "5.400"]
    low, high = axes.get_xlim()
    assert 5.0 < low < 5.3 < 5.4 < high < 6.0


@pytest.mark.parametrize("kind", ["shaped", "utility"])
def test_the_whole_picture_is_written_for_one_policy_and_for_many(kind, tmp_path):
    scenario = SCENARIO.replace(reward={"kind": kind})
    for number in (1, 14):
        file = tmp_path / f"{number}.png"
        plot_evaluation(file, scenario, evaluations({f"policy {each}": [5.0, 6.0] for each in range(number)}))
        assert file.read_bytes().startswith(b"\x89PNG")


def test_intervals_of_shares_are_drawn_and_written_no_further_than_0_and_1():
    axes, share = Figure().subplots(), np.array([0.988, 1.0])
    points(axes, [replace(evaluations({"hard": [7.5, 7.5]})[0], reward=share)], "reward", "share at c_max")
    (bar,) = axes.collections
    assert bar.get_segments()[0][:, 0].tolist() == [pytest.approx(0.918, abs=1e-3), 1.0]
    assert "0.994 [0.918, 1.000]" in [text.get_text() for text in axes.texts]
