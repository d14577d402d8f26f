"""The picture of what a sweep varied: its values on the axis, a line a method, intervals over seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.report import report
from experiments.report.measures import FINAL, REGRET
from experiments.report.pictures import VARIED, pictures
from experiments.reporting.style import agent_colour
from tests.helpers.studies import RATES, TWINS, config_of, leave_run, leave_sweep


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Three learning rates, two twins and three seeds."""
    folder = tmp_path_factory.mktemp("sweep")
    leave_sweep(folder)
    return folder


def only_section(found):
    (section,) = found.sections
    return section


def drawn_over_setting(folder):
    """The picture of what a sweep varied; None where it has none."""
    found = [
        (title, draw) for title, draw in pictures(only_section(report(folder))).items() if title.startswith(VARIED)
    ]
    return found[0][1]() if found else None


def test_a_sweep_over_one_setting_is_drawn_over_it_with_a_line_a_method(sweep):
    figure = drawn_over_setting(sweep)
    final, regret = figure.axes
    groups = only_section(report(sweep)).groups
    for axes, measure in ((final, FINAL), (regret, REGRET)):
        assert axes.get_xscale() == "log"
        assert axes.get_xlabel() == "agent.learning_rate (logarithmic)"
        assert [label.get_text() for label in axes.get_xticklabels()] == ["0.0001", "0.001", "0.01"]
        for twin, line in zip(TWINS, axes.containers, strict=True):
            own = [group.interval(measure) for group in groups if group.values["twin"] == twin]
            np.testing.assert_allclose(line.lines[0].get_ydata(), [float(each.value) for each in own])
            np.testing.assert_allclose(line.lines[0].get_xdata(), sorted(RATES), rtol=0.1)
            ends = [segment[:, 1] for segment in line.lines[2][0].get_segments()]
            np.testing.assert_allclose(ends, [[float(each.low), float(each.high)] for each in own])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["without a twin", "LSTM twin"]


@pytest.mark.parametrize(
    ("values", "shown", "joined"),
    [
        ([64, 32, 128], ["32", "64", "128"], "-"),  # less than a decade
        ([0.0, 0.5, 0.01], ["0", "0.01", "0.5"], "-"),  # nothing is logarithmic at 0
        (["small", True, None], ["none", "small", "true"], "None"),
    ],
    ids=["steps", "zero", "names"],
)
def test_other_values_of_a_setting_stand_side_by_side(values, shown, joined, tmp_path):
    """Of one seed each, which has no interval."""
    for number, value in enumerate(values):
        config = config_of(seed=0, batch=value)
        leave_run(tmp_path / str(number), config=config)
    (axes, _) = drawn_over_setting(tmp_path).axes
    assert axes.get_xscale() == "linear"
    assert [label.get_text() for label in axes.get_xticklabels()] == shown
    (line,) = axes.containers
    assert np.allclose(line.lines[0].get_xdata(), [0, 1, 2])
    assert line.lines[0].get_linestyle() == joined


def test_two_settings_and_none_have_no_such_picture(tmp_path):
    for number, (rate, batch) in enumerate([(0.1, 1), (0.1, 2), (0.2, 1)]):
        leave_run(tmp_path / "two" / str(number), config=config_of(rate, batch=batch))
    assert drawn_over_setting(tmp_path / "two") is None
    for twin in TWINS:
        leave_run(tmp_path / "none" / twin, twin=twin)
    assert drawn_over_setting(tmp_path / "none") is None


def curves_of(section):
    """Title and picture of the curves of U."""
    ((title, draw),) = [each for each in pictures(section).items() if "mean utility U" in each[0]]
    return title, draw()


def with_best_fixed(section, seeds):
    """Runs of some seeds as `--oracle` leaves them: the best fixed allocation earned their seed in each episode."""
    groups = []
    for group in section.groups:
        found = {run: np.full(3, float(run.seed)) for run in group.runs if run.seed in seeds}
        runs = [
            replace(run, episodes={**run.episodes, "best_fixed_utility": found[run]}) if run in found else run
            for run in group.runs
        ]
        groups.append(replace(group, runs=tuple(runs)))
    return replace(section, groups=tuple(groups))


def test_curves_have_the_best_fixed_allocation_of_the_same_cells_where_all_runs_do(sweep):
    section = only_section(report(sweep))
    _, figure = curves_of(with_best_fixed(section, (0, 1, 2)))
    assert figure.legends[0].get_texts()[-1].get_text() == "best fixed, same cells"
    np.testing.assert_allclose(figure.axes[0].lines[-1].get_ydata(), [1.0, 1.0, 1.0])
    _, figure = curves_of(with_best_fixed(section, (0, 1)))
    assert "best fixed, same cells" not in [text.get_text() for text in figure.legends[0].get_texts()]


def test_curves_say_where_the_load_changes(sweep, tmp_path):
    title, _ = curves_of(only_section(report(sweep)))
    assert "load" not in title
    leave_run(tmp_path / "run", scenario="flash-crowd")
    section = only_section(report(tmp_path))
    title, _ = curves_of(section)
    assert "load changes over time: compare groups at one episode" in title
    assert "--oracle adds" in title
    title, _ = curves_of(with_best_fixed(section, (0,)))
    assert "the dotted line has the same load" in title


def test_what_is_said_of_runs_that_missed_the_goal_is_on_no_dot(sweep):
    """All groups without a twin have one such run, and dots of the others."""
    (draw,) = [draw for title, draw in pictures(only_section(report(sweep))).items() if title.startswith("Figures")]
    figure = draw()
    (axes,) = [axes for axes in figure.axes if axes.get_title().startswith("episodes to the goal")]
    axes.set_xlim(-9.0, 3.8)  # dots at the right edge, where the words are
    figure.canvas.draw()
    said = [text for text in axes.texts if text.get_text() == "not in all runs"]
    assert len(said) == len(RATES)
    dots = [line for line in axes.lines if line.get_marker() == "."]
    places = np.concatenate([axes.transData.transform(dot.get_xydata()) for dot in dots])
    for text in said:
        box = text.get_window_extent()
        assert box.x0 < places[:, 0].max() < box.x1
        assert not any(box.contains(*place) for place in places)


def test_agents_that_are_named_by_a_setting_have_colours_of_their_own(tmp_path):
    """With a twin the same as without; the usual names keep the colours of all other pictures."""
    for agents, usual in ((["ddqn-0.1", "ddqn-0.2", "ddqn-0.5"], False), (["ddqn", "dqn"], True)):
        folder = tmp_path / agents[0]
        for agent in agents:
            for twin in TWINS:
                leave_run(folder / f"{agent}-{twin}", twin=twin, agent=agent)
        _, figure = curves_of(only_section(report(folder)))
        colours = [line.get_color() for line in figure.axes[0].lines]
        assert len(set(colours)) == len(agents)
        assert (set(colours) == {agent_colour(agent) for agent in agents}) == usual
