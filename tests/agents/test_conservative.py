"""The conservative term of offline learning (equation 13)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents import NoEnv
from agents.conservative import conservative_penalty
from agents.dqn import HEADS, DenseHead
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.learners import each_head


def made_head(name, small, width=5):
    space = NoEnv(small)
    torch.manual_seed(0)
    return HEADS[name](width, space.observation_space, space.action_space)


def given(number=9, width=5, scale=2.0):
    generator = torch.Generator().manual_seed(1)
    hidden = scale * torch.randn(number, width, generator=generator)
    return hidden, torch.randint(7, (number,), generator=generator)


def penalty_by_hand(values, actions):
    """Equation 4 of CQL in NumPy: logsumexp of all values less that of the data."""
    values = values.astype(np.float64)
    largest = values.max(axis=1)
    total = largest + np.log(np.exp(values - largest[:, None]).sum(axis=1))
    return np.mean(total - values[np.arange(len(actions)), actions])


@each_head
@pytest.mark.parametrize("scale", [0.1, 2.0, 300.0])
def test_penalty_is_that_of_cql(head, scale, small):
    layer, (hidden, actions) = made_head(head, small), given(scale=scale)
    with torch.no_grad():
        expected = penalty_by_hand(layer(hidden).numpy(), actions.numpy())
    assert conservative_penalty(layer, hidden, actions).item() == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert expected >= 0.0


@each_head
def test_gradients_of_the_penalty_are_those_of_differences(head, small):
    """Of weights and of what is below; the dense head's are taken by hand, so they are held against differences."""
    layer, (hidden, actions) = made_head(head, small).double(), given()
    hidden = hidden.double().requires_grad_()
    loss = 3.0 * conservative_penalty(layer, hidden, actions)
    loss.backward()

    def value():
        with torch.no_grad():
            return 3.0 * penalty_by_hand(layer(hidden).numpy(), actions.numpy())

    for part in (hidden, *layer.parameters()):
        flat, slope = part.detach().view(-1), part.grad.view(-1)
        for place in range(0, len(flat), max(1, len(flat) // 20)):
            before = flat[place].item()
            flat[place] = before + 1e-5
            above = value()
            flat[place] = before - 1e-5
            below = value()
            flat[place] = before
            assert slope[place].item() == pytest.approx((above - below) / 2e-5, abs=1e-6)


def test_penalty_pushes_down_what_is_not_in_the_data(small):
    layer = made_head("dense", small)
    assert isinstance(layer, DenseHead)
    hidden, actions = given(number=1)
    conservative_penalty(layer, hidden, actions).backward()
    slope = layer.bias.grad
    assert slope[actions].item() < 0.0  # downhill, its value rises
    assert (slope[torch.arange(7) != actions] > 0.0).all()
    assert slope.sum().item() == pytest.approx(0.0, abs=1e-6)  # a constant for all actions changes nothing
