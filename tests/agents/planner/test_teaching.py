"""A planner teaches students, by its choices and by its values."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents import Planner, StudentPolicy, distill
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.planning import TableModel

NAME = "paper-1mhz"


class LoadModel(TableModel):
    """Whose best allocation is in proportion to the loads, arrivals over nominal ones."""

    def values(self, arrivals, *_, **__):
        loads = arrivals / self.scenario.nominal_arrivals
        shares = loads / loads.sum(axis=1, keepdims=True)
        units = np.arange(1, self.count.shape[1] + 1)
        return -((units - self.scenario.num_units * shares[:, :, None]) ** 2)


def planner(**arguments):
    return Planner(gym.make("SliceRAN-v0", scenario=NAME), LoadModel(NAME), **arguments)


@pytest.mark.parametrize("target", ["argmax", "soft"])
def test_students_choose_as_the_planner_does(target):
    teacher = planner(lowest={"volte": 3})
    observations = np.random.default_rng(0).uniform(0.2, 2.0, (400, 3)).astype(np.float32)
    wanted, _ = teacher.predict(observations, deterministic=True)
    values = teacher.allocation_values(observations)
    np.testing.assert_array_equal(values.argmax(axis=1), wanted)
    np.testing.assert_array_equal(np.isneginf(values[0]), teacher.env.unwrapped.allocations[:, 0] < 3)

    student = StudentPolicy(NAME, 16, seed=0)
    lesson = wanted if target == "argmax" else lambda states: torch.as_tensor(teacher.allocation_values(states.numpy()))
    distill(student, lesson, observations, np.random.default_rng(0), target=target, updates=1500)
    chosen, _ = student.predict(observations, deterministic=True)
    units = teacher.env.unwrapped.allocations
    assert np.abs(units[chosen] - units[wanted]).max(axis=1).mean() < 1.0
    assert len(np.unique(chosen)) > 10


def test_demands_reach_the_values():
    made = planner(min_ssr={"urllc": 0.9}, min_probability=0.6)
    made.learn(30)
    values = made.allocation_values(np.ones((2, 3)))
    permitted = made.model.satisfied(made.constraints.demanded)[2] >= 0.6
    held = made.env.unwrapped.allocations[:, 2]
    np.testing.assert_array_equal(np.isneginf(values[1]), ~permitted[held - 1])
