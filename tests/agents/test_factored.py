"""The factored head: the list of all allocations, made from its sums, says the same as what it finds without."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch.nn import functional

from agents.conservative import conservative_penalty
from agents.dqn.factored import VALUES, FactoredHead, unit_features
from slicing_gym import allocation_table
from slicing_gym.spaces import AllocationSpace
from tests.helpers.learners import _one_thread as _one_thread

WIDTH = 5
SEEN = spaces.Box(0.0, 10.0, (3,), np.float32)
CELLS = [(9, 3), (8, 4), (12, 2), (5, 5), (6, 1)]
"""Units and slices; in the last two there is one allocation."""

each_values = pytest.mark.parametrize("values", VALUES)
each_cell = pytest.mark.parametrize(("units", "slices"), CELLS, ids=[f"{units}-{slices}" for units, slices in CELLS])


def made(values, units=9, slices=3, seed=0, **arguments):
    torch.manual_seed(seed)
    return FactoredHead(WIDTH, SEEN, AllocationSpace(units, slices), values, **arguments)


def with_whole_numbers(values, units, slices):
    """All that it computes is exact: small whole numbers, and a scale of 1/2."""
    head = made(values, units, slices, embedding_size=4, hidden_size=8)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(torch.randint(-1, 2, parameter.shape, generator=generator))
        if values == "embedding":
            head.embedding[0].weight[:, :3] = 0.0  # the marks of the first units alone are whole numbers
    return head, torch.randint(-2, 3, (60, WIDTH), generator=generator).float()


def hidden_and_actions(head, number=20, scale=3.0):
    generator = torch.Generator().manual_seed(1)
    count = len(allocation_table(head.num_units, head.num_slices))
    return scale * torch.randn(number, WIDTH, generator=generator), torch.randint(count, (number,), generator=generator)


def gradients(head, hidden, loss):
    """Of a loss by all that it depends on; what it does not depend on has none."""
    found = torch.autograd.grad(loss, [hidden, *head.parameters()], allow_unused=True, materialize_grads=True)
    assert found[0].abs().sum() > 0.0
    return found


# The list


@each_values
@each_cell
def test_the_list_holds_the_sums(values, units, slices):
    head = made(values, units, slices)
    hidden, _ = hidden_and_actions(head)
    terms, listed = head.slice_values(hidden), head(hidden)
    assert terms.shape == (20, slices, units - slices + 1)
    for column, allocation in enumerate(allocation_table(units, slices)):
        total = sum(terms[:, n, held - 1] for n, held in enumerate(allocation))
        torch.testing.assert_close(listed[:, column], total, rtol=1e-5, atol=1e-5)
    assert listed.shape == (20, column + 1)


@each_values
@each_cell
def test_best_and_highest_are_those_of_the_list(values, units, slices):
    head = made(values, units, slices)
    hidden, _ = hidden_and_actions(head)
    with torch.no_grad():
        listed, best = head(hidden), head.best(hidden)
        torch.testing.assert_close(head.highest(hidden), listed.amax(dim=1), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(listed.gather(1, best[:, None])[:, 0], listed.amax(dim=1), rtol=1e-5, atol=1e-5)
    assert best.dtype == torch.int64


@each_values
@each_cell
def test_of_equal_values_the_first_is_best(values, units, slices):
    head, hidden = with_whole_numbers(values, units, slices)
    with torch.no_grad():
        listed = head(hidden)
        assert torch.equal(2.0 * listed, (2.0 * listed).round())
        np.testing.assert_array_equal(head.best(hidden), listed.numpy().argmax(axis=1))
        np.testing.assert_array_equal(head.highest(hidden), listed.amax(dim=1))
    if listed.shape[1] > 1:
        assert ((listed == listed.amax(dim=1, keepdim=True)).sum(dim=1) > 1).any()  # there are ties


@each_values
@each_cell
def test_taken_values_are_those_of_the_list(values, units, slices):
    head = made(values, units, slices)
    hidden, actions = hidden_and_actions(head)
    hidden.requires_grad_()
    taken, listed = head.taken(hidden, actions), head(hidden).gather(1, actions[:, None])[:, 0]
    torch.testing.assert_close(taken, listed, rtol=1e-5, atol=1e-5)
    pull = torch.linspace(-1.0, 2.0, 20)
    for own, other in zip(
        gradients(head, hidden, (pull * taken).sum()), gradients(head, hidden, (pull * listed).sum()), strict=True
    ):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)


@each_values
@pytest.mark.parametrize("scale", [0.1, 3.0, 300.0])
def test_surplus_and_penalty_are_those_of_the_list(values, scale):
    head = made(values, 12, 3).double()
    hidden, actions = hidden_and_actions(head, scale=scale)
    hidden = hidden.double().requires_grad_()
    listed = head(hidden)
    wanted = torch.logsumexp(listed, dim=1) - listed.gather(1, actions[:, None])[:, 0]
    surplus = head.surplus(hidden, actions)
    torch.testing.assert_close(surplus, wanted, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(conservative_penalty(head, hidden, actions), wanted.mean(), rtol=1e-9, atol=1e-9)
    pull = torch.linspace(-1.0, 2.0, 20, dtype=torch.float64)
    for own, other in zip(
        gradients(head, hidden, (pull * surplus).sum()), gradients(head, hidden, (pull * wanted).sum()), strict=True
    ):
        torch.testing.assert_close(own, other, rtol=1e-7, atol=1e-9)


# Learning what another network values


@each_values
def test_cross_entropy_with_actions_is_that_of_the_list(values):
    head = made(values, 12, 3).double()
    hidden, actions = hidden_and_actions(head)
    hidden = hidden.double().requires_grad_()
    own, listed = head.cross_entropy(hidden, actions), functional.cross_entropy(head(hidden), actions)
    torch.testing.assert_close(own, listed, rtol=1e-9, atol=1e-9)
    for one, other in zip(gradients(head, hidden, own), gradients(head, hidden, listed), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)


@each_values
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_shares_of_slices_say_as_much_as_all_probabilities(values, temperature):
    """Whether the teacher is asked for the shares, or they are made of a list of probabilities."""
    head, teacher = made(values, 12, 3).double(), made(values, 12, 3, seed=1).double()
    hidden, _ = hidden_and_actions(head)
    hidden = hidden.double().requires_grad_()
    with torch.no_grad():
        probabilities = torch.softmax(teacher(hidden) / temperature, dim=1)
        shares = teacher.shares_of(probabilities)
    torch.testing.assert_close(shares.sum(dim=2), torch.ones(20, 3, dtype=torch.float64))
    table = torch.tensor(allocation_table(12, 3))
    for n, held in ((0, 1), (1, 4), (2, 10)):
        wanted = probabilities[:, table[:, n] == held].sum(dim=1)
        torch.testing.assert_close(shares[:, n, held - 1], wanted, rtol=1e-9, atol=1e-12)
    for wanted in (shares, probabilities):
        listed = functional.cross_entropy(head(hidden), probabilities)
        own = head.cross_entropy(hidden, wanted)
        torch.testing.assert_close(own, listed, rtol=1e-9, atol=1e-9)
        for one, other in zip(gradients(head, hidden, own), gradients(head, hidden, listed), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)


# What the embedding sees


def test_neighbouring_units_look_alike_to_the_embedding():
    features = unit_features(100, 98).numpy()
    assert features.shape == (98, 7)
    assert features[:, :3].mean(axis=0) == pytest.approx(0.0, abs=1e-5)
    assert features[:, :3].std(axis=0) == pytest.approx(1.0, abs=1e-5)
    assert (np.diff(features[:, :3], axis=0) > 0.0).all()  # more units, a larger feature
    np.testing.assert_array_equal(features[:, 3:], np.eye(98, 4))  # the first four are told apart
    assert np.isfinite(unit_features(3, 1).numpy()).all()


def test_it_has_as_many_weights_for_any_number_of_units():
    sizes = {
        (values, units): sum(parameter.numel() for parameter in made(values, units).parameters())
        for values in VALUES
        for units in (9, 273)
    }
    assert sizes["embedding", 9] == sizes["embedding", 273]
    assert sizes["table", 273] - sizes["table", 9] == 3 * 264 * (WIDTH + 1)


# Which actions are allocations


def test_a_plain_discrete_is_as_good_where_observations_tell_the_slices():
    head = FactoredHead(WIDTH, SEEN, spaces.Discrete(28))
    assert (head.num_units, head.num_slices) == (9, 3)


@pytest.mark.parametrize(
    ("observations", "actions", "message"),
    [
        (SEEN, spaces.Discrete(27), r"head: 'factored' wants one action an allocation; 27 actions .* 3 slices"),
        (spaces.Discrete(4), spaces.Discrete(28), r"head: 'factored' wants observations \(n_slices,\)"),
        (spaces.Box(0.0, 1.0, (3, 2)), spaces.Discrete(28), r"head: 'factored' wants observations \(n_slices,\)"),
    ],
)
def test_actions_that_are_no_allocations_are_refused(observations, actions, message):
    with pytest.raises(ValueError, match=message):
        FactoredHead(WIDTH, observations, actions)


def test_the_units_are_those_of_the_action_space_whatever_is_observed():
    head = FactoredHead(WIDTH, spaces.Box(0.0, 1.0, (2, 4)), AllocationSpace(30, 4))
    assert (head.num_units, head.num_slices, head.most_units) == (30, 4, 27)


def test_what_cannot_be_listed_is_said_and_the_rest_works():
    head = FactoredHead(WIDTH, SEEN, AllocationSpace(273, 8))
    hidden = torch.randn(3, WIDTH)
    with pytest.raises(ValueError, match=r"values: those of all 20218614631344 allocations asked for, .* 2000000"):
        head(hidden)
    best = head.best(hidden)
    torch.testing.assert_close(head.taken(hidden, best), head.highest(hidden), rtol=1e-4, atol=1e-4)
    surplus = head.surplus(hidden, best)
    assert (surplus > 0.0).all()
    assert (surplus < np.log(20218614631344)).all()  # what it would be if all were as good
