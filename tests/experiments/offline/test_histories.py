"""Histories to learn from offline: recorded, from a file, and what they are worth without learning."""

from __future__ import annotations

import numpy as np
import pytest

from agents import HardPolicy, ProportionalPolicy, RandomPolicy
from experiments.offline.baselines import lower_baselines
from experiments.offline.histories import check_history, make_history, record_history
from slicing_gym import allocation_index, get_scenario
from tests.helpers.histories import recorded
from tests.helpers.learners import _one_thread as _one_thread
from twin.data.transitions import transitions_of, utilities_of


def test_a_random_history_is_what_the_random_policy_did(small):
    history = record_history("random", small, seed=3, decisions=25)
    assert len(history) == 25
    _, actions, utility = recorded(small, RandomPolicy(small, seed=3), 25, 3)
    np.testing.assert_array_equal(allocation_index(history.allocation), actions)
    np.testing.assert_allclose(0.01 * history.spectral_efficiency + history.ssr.sum(axis=1), utility)
    assert history.run.tolist() == [0] * 10 + [1] * 10 + [2] * 5
    same, other = (record_history("random", small, seed=seed, decisions=25) for seed in (3, 4))
    np.testing.assert_array_equal(same.next_arrivals, history.next_arrivals)
    assert not np.array_equal(other.next_arrivals, history.next_arrivals)


def test_in_a_mixed_history_policies_take_turns_by_the_episode(small):
    history = record_history("mixed", small, seed=3, decisions=45)
    actions = allocation_index(history.allocation)
    seen = history.arrivals / small.nominal_arrivals
    by_chance = RandomPolicy(small, seed=3).predict(np.ones((20, 2)))[0]
    np.testing.assert_array_equal(actions[[*range(10), *range(30, 40)]], by_chance)
    assert (actions[10:20] == HardPolicy(small).predict(np.ones(2))[0]).all()
    expected = ProportionalPolicy(small).predict(seen[20:30])[0]
    np.testing.assert_array_equal(actions[20:30], expected)
    assert len(set(expected)) > 1
    assert (actions[40:] == actions[10]).all()


def test_a_history_in_a_file_is_taken_from_its_beginning(small, tmp_path):
    whole = record_history("random", small, 0, 30)
    name = str(tmp_path / "history.npz")
    whole.save(name)
    for decisions, number in ((None, 30), (12, 12), (30, 30)):
        history = make_history(name, get_scenario("paper"), 5, decisions)
        assert history.scenario == small
        np.testing.assert_array_equal(history.allocation, whole.allocation[:number])
        np.testing.assert_array_equal(history.next_arrivals, whole.next_arrivals[:number])
    with pytest.raises(ValueError, match=r"decisions: 31 given, the history '.*' has 30"):
        make_history(name, small, 0, 31)
    with pytest.raises(ValueError, match=r"history: unknown name 'randm'; did you mean 'random'.* file of a History"):
        check_history("randm")
    (tmp_path / "foreign.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"foreign\.npz"):
        make_history(str(tmp_path / "foreign.npz"), small, 0, None)


def test_lower_baselines_are_doing_as_was_done_and_the_best_that_was(small):
    """Of episodes of proportional slicing, where the state tells what is done, and of random ones."""
    mixed = record_history("mixed", small, seed=1, decisions=60)
    history = mixed.take(np.flatnonzero(mixed.run % 3 != 1))
    found = lower_baselines(history, seed=0)
    utility = 0.01 * history.spectral_efficiency + history.ssr.sum(axis=1)
    units = [tuple(row) for row in history.allocation]
    means = {each: np.mean([u for u, row in zip(utility, units, strict=True) if row == each]) for each in set(units)}
    assert tuple(found["best_in_data"].units) == max(means, key=means.get) != max(units, key=units.count)
    proportional = history.run % 3 == 2
    seen = (history.arrivals / small.nominal_arrivals).astype(np.float32)[proportional]
    done = allocation_index(history.allocation)[proportional]
    assert np.mean(found["behaviour_cloning"].predict(seen)[0] == done) > 0.8


def test_lower_baselines_of_a_cell_with_too_many_allocations_to_list():
    large = get_scenario("nr-8slices").replace(radio={"resolution_hz": 7 * 360e3, "slots_per_interval": 20})
    assert large.num_allocations == 12_620_256
    history = record_history("random", large, seed=0, decisions=20)
    found = lower_baselines(history, seed=0)
    best = history.allocation[utilities_of(history).argmax()]
    np.testing.assert_array_equal(found["best_in_data"].units, best)
    seen, actions = transitions_of(history)[:2]
    assert np.mean(found["behaviour_cloning"].predict(seen)[0] == actions) > 0.8
