"""`training.png`: agents and rules in the same cells, under common random numbers."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

from experiments.evaluate.rollout import Evaluation
from experiments.train import Training
from experiments.train.figure import Learned, training_figure
from slicing_gym import allocation_index
from tests.helpers.runs import SCENARIO, maker, short_settings

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
