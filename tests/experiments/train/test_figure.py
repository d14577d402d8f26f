"""`training.png`: agents and rules in the same cells, under common random numbers."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from matplotlib.patches import Rectangle

from experiments.evaluate.rollout import Evaluation
from experiments.train import Training
from experiments.train.figure import Learned, training_figure
from slicing_gym import allocation_index
from tests.helpers.runs import SCENARIO, maker, short_settings, twin_settings

DECISIONS = 450


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """Two episodes of two cells, and a part of a third."""
    settings = replace(short_settings(2 * DECISIONS), num_envs=2)
    made = Training(
        maker(learning_starts=10**6), SCENARIO, settings=settings, folder=tmp_path_factory.mktemp("run"), seed=7
    )
    made.learn()
    return made


def course(seed, units):
    """Utility of each decision of an allocation in a cell, one environment stepped by hand."""
    env = gym.make("SliceRAN-v0", scenario=SCENARIO, reward="utility")
    env.reset(seed=seed)
    action, found = allocation_index(units, num_units=SCENARIO.num_units), []
    for _ in range(DECISIONS):
        *_, truncated, info = env.step(action)
        found.append(info["utility"])
        if truncated:
            env.reset()
    return found


def test_a_rule_earns_what_it_does_in_the_cells_of_the_run(training):
    expected = np.transpose([course(seed, [1, 18, 1]) for seed in (7, 8)])
    np.testing.assert_allclose(training.earned_by("best_fixed"), expected)


def test_the_first_decisions_are_those_of_the_first_cell_and_episodes_are_means_over_both(training):
    history, learned = training.algorithm.history.recorder.history(), training.learned()
    utility = 0.01 * history.spectral_efficiency + history.ssr.sum(axis=1)
    np.testing.assert_allclose(learned.decisions[:200], utility[history.run == 0])
    assert len(learned.decisions) == DECISIONS
    np.testing.assert_allclose(learned.episodes[0], utility[history.run < 2].mean())
    assert len(learned.episodes) == 3


def test_rules_are_drawn_as_they_earned_in_the_training_cell_and_not_in_unseen_ones():
    evaluations = [
        Evaluation(name, (100,), np.array([u]), np.zeros(1), np.zeros(1), np.ones((1, 3)))
        for name, u in (("ddqn", 6.0), ("best_fixed", 5.6))
    ]
    learned = {"ddqn": Learned(np.full(450, 6.9), np.array([6.5, 6.9, 7.0]))}
    earned = np.concatenate([np.full(200, 6.5), np.full(200, 6.6), np.full(50, 6.7)])[:, None]
    figure = training_figure(SCENARIO, learned, {"best_fixed": earned}, evaluations)
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[1].get_lines()}
    assert list(lines) == ["DDQN, while it learns", "best fixed, in the same cell"]
    np.testing.assert_allclose(lines["best fixed, in the same cell"], [6.5, 6.6, 6.7])
    steps = [patch.get_data().values for patch in figure.axes[0].patches]
    np.testing.assert_allclose(steps, [[6.9] * 5, [6.5] * 5])


def picture(*learned, policies=("ddqn-dt-planner", "ddqn", "best_fixed"), cells=2):
    """The picture of some agents and of best fixed."""
    evaluations = [
        Evaluation(name, tuple(range(cells)), np.full(cells, 6.0), np.zeros(1), np.zeros(1), np.ones((1, 3)))
        for name in policies
    ]
    rules = {"best_fixed": np.full((400, 1), 6.5)}
    return training_figure(SCENARIO, dict(zip(policies, learned, strict=False)), rules, evaluations)


def shaded(axes):
    """Where panels are shaded along x."""
    return [(box.get_x(), box.get_x() + box.get_width()) for box in axes.patches if isinstance(box, Rectangle)]


BY_PLANNER = Learned(np.full(400, 6.9), np.array([6.9, 6.8]), 200, "planner")
BY_CHANCE = Learned(np.full(400, 6.0), np.array([6.0, 6.7]), 20, "random")


@pytest.mark.parametrize(
    ("learned", "who", "legend", "decision", "episode"),
    [
        (BY_PLANNER, "the planner decides", "DDQN with a twin, the first 200 by the planner", 50.5, 1.5),
        (BY_CHANCE, "random decisions", "DDQN with a twin, the first 20 at random", 20.5, 0.6),
        (
            BY_CHANCE._replace(explores=90),
            "random decisions",
            "DDQN with a twin, the first 20 at random, ε falls until 90",
            20.5,
            0.6,
        ),
    ],
)
def test_the_picture_says_who_decided_before_the_agent(learned, who, legend, decision, episode):
    first, middle, _ = picture(learned).axes
    assert shaded(first) == [(0.5, pytest.approx(decision))]
    ((_, end),) = shaded(middle)
    assert end == pytest.approx(episode)
    assert " ".join(first.texts[0].get_text().split()) == f"{who}, to decision {learned.collected}"
    labels = middle.get_legend_handles_labels()[1]
    assert who in labels
    assert legend in labels


def test_agents_that_were_collected_for_by_others_are_told_apart_in_the_legend():
    _, middle, _ = picture(BY_PLANNER, BY_CHANCE).axes
    assert middle.get_legend_handles_labels()[1] == [
        "DDQN with a twin, the first 200 by the planner",
        "DDQN, the first 20 at random",
        "best fixed, in the same cell",
        "the planner decides (DDQN with a twin)",
    ]


def test_nothing_is_shaded_where_the_agent_decides_from_the_first_on():
    first, middle, _ = picture(BY_PLANNER._replace(collected=0)).axes
    assert shaded(first) == shaded(middle) == []
    assert not first.texts


def test_several_training_cells_and_what_the_error_bars_are_stand_in_the_titles():
    first, middle, right = picture(BY_CHANCE._replace(collected=80, cells=8)).axes
    assert first.get_title().startswith("first of 8 training cells")
    assert middle.get_title().startswith("all 8 training cells")
    assert shaded(first) == [(0.5, 10.5)]
    labels = middle.get_legend_handles_labels()[1]
    assert {"DDQN with a twin, the first 80 in 8 cells at random", "best fixed, in the same cells"} <= set(labels)
    assert "95 % intervals" in right.get_xlabel()
    assert "interval" not in picture(BY_CHANCE, cells=1).axes[2].get_xlabel()


def test_a_run_says_how_many_decisions_are_random_or_of_the_planner(training, tmp_path):
    # Its learning_starts is beyond its end; ε falls over a tenth of the decisions.
    assert training.learned()[2:] == (2 * DECISIONS, "random", 2, DECISIONS // 5)
    settings = short_settings(280, collect_by="planner")
    planned = Training(maker(), SCENARIO, twin_settings(), settings, tmp_path)
    planned.algorithm.collect()
    assert planned.learned()[2:] == (200, "planner", 1, 0)
