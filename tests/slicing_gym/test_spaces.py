"""`AllocationSpace`: a `Discrete` to all that knows none but that, exact and unlisted where it is large."""

from __future__ import annotations

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Discrete, MultiDiscrete, flatdim, flatten, flatten_space, unflatten
from gymnasium.vector.utils import batch_differing_spaces, batch_space, concatenate, create_empty_array, iterate

from slicing_gym import AllocationSpace

LARGE = (1571, 8)  # nearly 2**62 allocations
COPIES = [copy.deepcopy, lambda space: pickle.loads(pickle.dumps(space))]


def test_it_knows_units_and_slices():
    space = AllocationSpace(273, 8)
    assert (space.num_units, space.num_slices, int(space.n)) == (273, 8, 20_218_614_631_344)
    assert space.n.dtype == np.int64
    assert repr(space) == "AllocationSpace(num_units=273, num_slices=8)"
    assert isinstance(space, Discrete)
    assert space.contains(20_218_614_631_343)
    assert not space.contains(20_218_614_631_344)
    assert not space.contains(-1)


def test_it_equals_a_plain_one_of_as_many_both_ways():
    space = AllocationSpace(100, 3)
    assert space == Discrete(4851)
    assert Discrete(4851) == space
    assert space == AllocationSpace(100, 3)
    assert space != Discrete(4850)
    assert Discrete(4850) != space


def test_samples_are_those_of_a_plain_one():
    ours, plain = AllocationSpace(100, 3, seed=4), Discrete(4851, seed=4)
    assert [ours.sample() for _ in range(50)] == [plain.sample() for _ in range(50)]
    ours.seed(7), plain.seed(7)
    mask = (np.arange(4851) % 7 == 0).astype(np.int8)
    assert [ours.sample(mask) for _ in range(5)] == [plain.sample(mask) for _ in range(5)]
    batches = [batch_space(space, 5) for space in (ours, plain)]
    np.testing.assert_array_equal(batches[0].sample(), batches[1].sample())


@pytest.mark.parametrize("number", [1, 1000])
def test_samples_of_a_large_one_fill_all_bits(number):
    """A float has 53 bits: multiplied to 2**62 it would leave the lowest bits at zero, or alike in all samples."""
    space = AllocationSpace(*LARGE, seed=1)
    draws = batch_space(space, number).sample() if number > 1 else np.array([space.sample() for _ in range(1000)])
    assert draws.dtype == np.int64
    assert draws.min() >= 0
    assert draws.max() < space.n
    assert len(set(draws.tolist())) == 1000
    assert 400 < (draws % 2).sum() < 600  # 6 standard deviations of fair bits
    np.testing.assert_allclose(np.quantile(draws / float(space.n), [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.09)


@pytest.mark.parametrize("duplicate", COPIES)
@pytest.mark.parametrize("cell", [(100, 3), LARGE])
def test_copies_draw_alike(duplicate, cell):
    space = AllocationSpace(*cell, seed=3)
    for original in (space, batch_space(space, 4)):
        original.sample()
        other = duplicate(original)
        assert other == original
        assert repr(other) == repr(original)
        np.testing.assert_array_equal(other.sample(), original.sample())
    assert (duplicate(space).num_units, duplicate(space).num_slices) == cell


@pytest.mark.parametrize("cell", [(100, 3), LARGE])
def test_batches_are_taken_apart_and_put_together(cell):
    space = AllocationSpace(*cell, seed=3)
    batch = batch_space(space, 4)
    assert isinstance(batch, MultiDiscrete)
    assert batch == batch_space(Discrete(space.n), 4)
    actions = batch.sample()
    assert batch.contains(actions)
    assert list(iterate(batch, actions)) == actions.tolist()
    joined = concatenate(space, list(iterate(batch, actions)), create_empty_array(space, 4))
    np.testing.assert_array_equal(joined, actions)
    pairs = list(iterate(gym.spaces.Tuple((batch, batch)), (actions, actions)))
    assert pairs == list(zip(actions, actions, strict=True))
    assert batch_space(batch, 2).contains(np.stack([actions, actions]))
    assert batch_differing_spaces([space, space]) == batch_space(Discrete(space.n), 2)
    with pytest.raises(TypeError, match="Unable to iterate"):
        iterate(space, 3)


def test_it_is_flattened_where_it_can_be_listed():
    small, plain = AllocationSpace(20, 3), Discrete(171)
    assert flatdim(small) == flatdim(plain) == 171
    assert flatten_space(small) == flatten_space(plain)
    np.testing.assert_array_equal(flatten(small, 7), flatten(plain, 7))
    assert unflatten(small, flatten(small, 7)) == 7
    assert small.is_np_flattenable
    large = AllocationSpace(273, 8)
    assert not large.is_np_flattenable
    for make in (flatdim, flatten_space, lambda space: flatten(space, 7)):
        with pytest.raises(
            ValueError, match=r"flatten: .* has 20218614631344 elements, .*allocation_units\(action, 273"
        ):
            make(large)


@pytest.mark.parametrize(("units", "slices"), [(3, 4), (3, 0), (273, 30)])
def test_cells_that_have_no_numbers_are_refused(units, slices):
    with pytest.raises(ValueError, match=r"num_slices|num_units"):
        AllocationSpace(units, slices)


@pytest.mark.parametrize("units", [20.7, "20", True])
def test_units_and_slices_are_whole_numbers(units):
    with pytest.raises(TypeError, match=r"num_units: .* is not a whole number"):
        AllocationSpace(units, 3)
    with pytest.raises(TypeError, match=r"num_slices: .* is not a whole number"):
        AllocationSpace(20, units)
