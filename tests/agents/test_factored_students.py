"""Factored heads in students and their teachers: where both value slices, no allocation is listed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from agents import DDQN, NoEnv, StudentPolicy, distill
from agents.dqn.factored import VALUES
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.learners import learner
from tests.helpers.teachers import choice, states

SCENARIO = "paper-1mhz"


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def teachers():
    """Agents that choose one of three allocations by what they see, by head."""
    made = {}
    for head in ("dense", "factored"):
        made[head] = learner(DDQN, head, NoEnv(SCENARIO), policy={"net_arch": [32, 32]})
        network, batches = made[head].q_net, rng()
        optimizer = torch.optim.Adam(network.parameters(), 5e-3)
        for _ in range(400):
            seen = states(64, batches)
            loss = network.head.cross_entropy(network.before_head(torch.as_tensor(seen)), torch.as_tensor(choice(seen)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        chosen = made[head].predict(states(2000, 9), deterministic=True)[0]
        assert np.mean(chosen == choice(states(2000, 9))) > 0.8
    return made


@pytest.mark.parametrize("target", ["argmax", "soft"])
@pytest.mark.parametrize(
    ("head", "taught_by"), [("factored", "factored"), ("dense", "factored"), ("factored", "dense")]
)
def test_students_learn_from_teachers_of_either_head(head, taught_by, target, teachers):
    student, teacher = StudentPolicy(SCENARIO, 16, head, seed=0), teachers[taught_by]
    distill(student, teacher.q_net, states(3000), rng(), target=target, updates=600)
    seen = states(2000, 9)
    chosen, wanted = (each.predict(seen, deterministic=True)[0] for each in (student, teacher))
    assert len(np.unique(wanted)) >= 3
    assert np.mean(chosen == wanted) > 0.9


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("head", ["factored", "dense"])
@pytest.mark.parametrize("temperature", [0.1, 2.0])
def test_the_soft_loss_is_that_of_all_allocations(values, head, temperature):
    teacher = learner(DDQN, "factored", NoEnv(SCENARIO), policy={"head_kwargs": {"values": values}}).q_net
    seen = states(200)
    student = StudentPolicy(SCENARIO, 4, head, {"values": values} if head == "factored" else None, seed=2)
    student.center.copy_(torch.as_tensor(seen.mean(axis=0)))
    student.scale.copy_(torch.as_tensor(seen.std(axis=0)))
    batch = torch.as_tensor(seen[rng(7).integers(200, size=32)])
    with torch.no_grad():
        wanted = functional.cross_entropy(student(batch), torch.softmax(teacher(batch) / temperature, dim=1)).item()
    losses = {}
    options = {"updates": 2, "batch_size": 32, "temperature": temperature, "on_update": losses.__setitem__}
    distill(student, teacher, seen, rng(7), target="soft", **options)
    assert losses[0] == pytest.approx(wanted, rel=1e-5)


def test_a_teacher_of_another_cell_is_refused(teachers):
    message = "teacher: it values 171 allocations, allowed are 4851"
    with pytest.raises(ValueError, match=message):
        distill(StudentPolicy("paper", 4, "factored", seed=0), teachers["factored"].q_net, states(10), rng(), updates=1)
