"""Intervals of figures: those of a single history come from resampling blocks of its decisions."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from experiments.fidelity.measures import BY, MORE_UNITS, monotonicity_measures, over_cells
from experiments.fidelity.report import draw_skills, not_learned, show
from experiments.reporting.statistics import Estimate, block_bootstrap
from twin.runtime.monotonicity import Monotonicity


def test_block_bootstrap_covers_the_mean_of_dependent_values():
    """An autoregressive series: the interval has to be wider than that of independent values, and cover."""
    generator = np.random.default_rng(0)
    covered, wider = 0, 0
    for trial in range(60):
        noise, series = generator.normal(size=1000), np.zeros(1000)
        for t in range(1, 1000):
            series[t] = 0.8 * series[t - 1] + noise[t]
        run = np.repeat(np.arange(4), 250)
        found = block_bootstrap(lambda rows, s=series: float(s[rows].mean()), run, block=25, seed=trial)
        assert found.mean == pytest.approx(series.mean())
        covered += abs(found.mean) < found.half_width
        wider += found.half_width > 1.5 * 1.96 * series.std() / np.sqrt(1000)
    assert 48 <= covered <= 60
    assert wider == 60


@pytest.mark.parametrize(
    ("skills", "ends"),
    [
        ([Estimate(0.3, 0.2), Estimate(-0.23, 757.8), Estimate(-2.1, 7.9)], (-1.0, 1.05)),
        ([Estimate(0.3, 0.2), Estimate(0.1, 0.3)], (-0.25, 0.55)),
    ],
)
def test_one_absurd_interval_does_not_flatten_all_skills(skills, ends):
    axes = Figure().subplots()
    draw_skills(axes, {("skill", f"delay_{number}", "twin"): each for number, each in enumerate(skills)})
    assert axes.get_ylim() == pytest.approx(ends, abs=0.06)


@pytest.mark.parametrize(
    ("mean", "half_width", "text"),
    [
        (6431964.3, 1059422.5, "(6.43 ± 1.06)e6"),
        (-41025.4, 6188.9, "(-4.10 ± 0.62)e4"),
        (395805.6, float("nan"), "3.96e5"),
        (99999.0, float("nan"), "1.00e5"),
        (12000.0, 5e6, "(0.01 ± 5.00)e6"),
        (9999.9, 12.0, "9999.9 ± 12.0"),
        (18.94, 13.05, "18.94 ± 13.05"),
        (0.155, 0.018, "0.155 ± 0.018"),
        (float("nan"), 1.0, "-"),
    ],
)
def test_numbers_of_a_table_are_short(mean, half_width, text):
    assert show(Estimate(mean, half_width)) == text


@pytest.mark.parametrize(
    ("twin", "said"),
    [
        (0.9, []),
        (1.0, ["nothing is learned beyond persistence of load (CRPS 1)"]),
        (3.88, ["nothing is learned beyond persistence of load (CRPS 1, the twin's is 3.88 times as large)"]),
    ],
)
def test_what_is_not_learned_is_named_and_how_much_worse_the_twin_is(twin, said):
    means = {"twin": twin, "persistence": 1.0, "climatology": 4.0}
    assert not_learned({("CRPS", "load", who): Estimate(mean, 0.1) for who, mean in means.items()}) == said


def test_by_how_much_an_ssr_falls_is_a_mean_over_the_cells_where_it_does():
    """The others have no such state: as zeros they would make a wrong trend look like a dip."""
    cells = []
    for share, drop in ((1.0, 0.4), (0.0, np.nan), (0.0, np.nan), (0.0, np.nan)):
        falls = np.array([[share], [0.0]])
        found = Monotonicity(np.ones((2, 2), np.int64), falls, np.array([[drop], [np.nan]]))
        cells.append(monotonicity_measures(found, ("video", "urllc"), ("held",)))
    figures = over_cells(cells)
    assert figures[f"{MORE_UNITS}: held", "video", "twin"].mean == 0.25
    assert figures[f"{BY}: held", "video", "twin"].mean == 0.4
    assert (f"{BY}: held", "urllc", "twin") not in figures
