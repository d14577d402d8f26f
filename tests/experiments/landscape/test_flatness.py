"""Numbers of flatness against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from experiments.landscape.flatness import (
    Flatness,
    LossFunction,
    curve,
    distance_to_rise,
    flatness_of,
    random_directions,
    surface,
    top_eigenvalue,
)

# A loss of which all is known: l(w) = 1/2 w'Aw + b'w + c


class Bowl:
    """A quadratic loss of four weights in a 2 x 2 matrix and two biases."""

    def __init__(self, seed=0, constant=3.0, lowest=0.5):
        rng = np.random.default_rng(seed)
        rotation, _ = np.linalg.qr(rng.standard_normal((6, 6)))
        self.eigenvalues = np.array([lowest, 1.0, 2.0, 4.0, 8.0, 32.0])
        self.a = rotation @ np.diag(self.eigenvalues) @ rotation.T
        self.b, self.c = rng.standard_normal(6), constant
        self.start = rng.standard_normal(6)
        self.layer = nn.Linear(2, 2).double()
        with torch.no_grad():
            self.layer.weight.copy_(torch.as_tensor(self.start[:4]).view(2, 2))
            self.layer.bias.copy_(torch.as_tensor(self.start[4:]))
        a, b = torch.as_tensor(self.a), torch.as_tensor(self.b)

        def evaluate():
            w = torch.cat([self.layer.weight.reshape(-1), self.layer.bias])
            return 0.5 * w @ a @ w + b @ w + self.c

        self.loss = LossFunction(self.layer.parameters(), evaluate)

    def value(self, w):
        return 0.5 * w @ self.a @ w + self.b @ w + self.c

    @property
    def gradient(self):
        return self.a @ self.start + self.b

    def distance(self, rise):
        """Where it has risen so far along its gradient: the positive root of |g| t + k t^2 / 2 = rise."""
        g = self.gradient
        slope, k = np.linalg.norm(g), g @ self.a @ g / (g @ g)
        return (-slope + np.sqrt(slope**2 + 2.0 * k * rise)) / k


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_numbers_of_a_quadratic_loss_are_those_of_its_closed_form(seed):
    bowl = Bowl(seed)
    found = flatness_of(bowl.loss, rise=0.7, size=0.5, directions=3, seed=seed)
    g, here = bowl.gradient, bowl.value(bowl.start)
    norm = np.linalg.norm(g)
    random = [each.numpy() for each in random_directions(bowl.loss, 3, seed)]
    wanted = Flatness(
        loss=here,
        weight_norm=np.linalg.norm(bowl.start),
        gradient_norm=norm,
        curvature=g @ bowl.a @ g / norm**2,
        top_eigenvalue=32.0,
        doubling_epsilon=bowl.distance(abs(here)) / norm,
        doubling_distance=bowl.distance(abs(here)),
        rise_epsilon=bowl.distance(0.7) / norm,
        rise_distance=bowl.distance(0.7),
        random_rise=np.mean([0.5 * 0.25 * d @ bowl.a @ d for d in random]),  # what is linear cancels
    )
    for name, value in vars(wanted).items():
        assert getattr(found, name) == pytest.approx(value, rel=2e-3), name


def test_curve_and_surface_of_a_quadratic_loss():
    bowl = Bowl()
    g, epsilons = bowl.gradient, np.linspace(-0.02, 0.05, 8)
    wanted = [bowl.value(bowl.start + epsilon * g) for epsilon in epsilons]
    np.testing.assert_allclose(curve(bowl.loss, bowl.loss.gradient(), epsilons), wanted, rtol=1e-10)
    first, second = random_directions(bowl.loss, 2, 5)
    plane = surface(bowl.loss, first, second, [-1.0, 0.0, 0.5])
    assert plane[2, 0] == pytest.approx(bowl.value(bowl.start - first.numpy() + 0.5 * second.numpy()))
    assert plane[1, 1] == pytest.approx(bowl.value(bowl.start))


def test_a_negative_loss_doubles_where_it_has_risen_by_its_size():
    bowl = Bowl(constant=-200.0)
    assert bowl.loss.here() < 0.0
    found = flatness_of(bowl.loss, rise=1.0, size=0.1, directions=1, seed=0)
    assert found.doubling_distance == pytest.approx(bowl.distance(-bowl.value(bowl.start)), rel=2e-3)


def test_the_largest_eigenvalue_is_not_a_larger_negative_one():
    bowl = Bowl(lowest=-100.0)
    assert top_eigenvalue(bowl.loss, seed=0) == pytest.approx(32.0, rel=2e-3)


def test_a_loss_that_never_rises_enough_has_no_distance():
    weight = nn.Parameter(torch.tensor([[1.0, 2.0]]))
    loss = LossFunction([weight], lambda: torch.tanh(weight).sum())
    found = flatness_of(loss, rise=2.0, size=0.1, directions=1, seed=0)
    assert found.rise_distance == found.rise_epsilon == np.inf
    assert distance_to_rise(loss, torch.tensor([1.0, 0.0]), 0.2) == pytest.approx(
        np.arctanh(np.tanh(1.0) + 0.2) - 1.0, rel=1e-3
    )
    assert distance_to_rise(loss, torch.zeros(2), 0.2) == np.inf  # no gradient, no direction


def test_a_loss_that_overflows_is_infinite_and_the_weights_are_put_back():
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    loss = LossFunction([weight], lambda: (weight - weight).sum() * 0.0 + weight.exp().sum() * weight.exp().sum() * 0.0)
    assert loss.at(torch.tensor([500.0, 0.0])) == np.inf
    assert weight.tolist() == [1.0, 2.0]


def test_random_directions_have_the_norms_of_the_weights_of_each_neuron():
    layers = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    loss = LossFunction(layers.parameters(), lambda: layers(torch.ones(1, 3)).sum())
    for direction in random_directions(loss, 2, seed=4):
        parts = loss.parts(direction)
        for parameter, part in zip(layers.parameters(), parts, strict=True):
            if parameter.ndim == 1:
                assert not part.any()
            else:
                torch.testing.assert_close(part.norm(dim=1), parameter.detach().norm(dim=1))
    again, other = random_directions(loss, 1, seed=4), random_directions(loss, 1, seed=5)
    assert torch.equal(again[0], random_directions(loss, 2, seed=4)[0])
    assert not torch.equal(again[0], other[0])


def test_rescaling_a_neuron_changes_no_random_rise():
    """What filters are normalised for: ReLU networks that are the same function have the same rise."""

    def rise(factor):
        torch.manual_seed(0)
        first, second = nn.Linear(3, 8, bias=False), nn.Linear(8, 1, bias=False)
        states, targets = torch.randn(50, 3), torch.randn(50, 1)
        with torch.no_grad():
            first.weight *= factor
            second.weight /= factor
        layers = nn.Sequential(first, nn.ReLU(), second)
        loss = LossFunction(layers.parameters(), lambda: (layers(states) - targets).square().mean())
        return flatness_of(loss, rise=1.0, size=0.3, directions=4, seed=0)

    one, ten = rise(1.0), rise(10.0)
    assert one.random_rise == pytest.approx(ten.random_rise, rel=1e-4)
    assert abs(np.log(one.curvature / ten.curvature)) > 0.5  # which the distance in weight space does not give
