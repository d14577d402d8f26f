"""A planner goes on bit for bit from its state, and is read from its file as it was written."""

from __future__ import annotations

import io

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import NormalizeReward

from agents import Planner
from agents.planner.file import read_planner
from tests.agents.planner.test_planner import followed
from tests.helpers.learners import written
from tests.helpers.planning import TableModel

NAME = "paper-1mhz"


def planner(scenario=NAME, **arguments):
    env = NormalizeReward(gym.make("SliceRAN-v0", scenario=scenario))
    return Planner(env, TableModel(scenario), seed=2, **arguments)


def bytes_of(made):
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


@pytest.mark.parametrize("first", [0, 7, 10, 23])
def test_a_restored_planner_goes_on_bit_for_bit(small, first):
    one = planner(small, min_ssr={"calls": 0.9})
    if first:
        one.learn(first)
    state, digest = written(*one.state()), one.digest()
    later = followed(one, 20)
    other = planner(small, min_ssr={"calls": 0.9})
    other.learn(5)
    other.restore(*state)
    assert (other.digest(), other.num_decisions) == (digest, first)
    again = followed(other, 20)
    assert again.actions == later.actions
    np.testing.assert_array_equal(
        [each.reward for each in again.experiences], [each.reward for each in later.experiences]
    )
    np.testing.assert_array_equal(again.arrivals, later.arrivals)
    np.testing.assert_array_equal(again.started[0]["arrivals"], later.started[0]["arrivals"])
    assert other.digest() == one.digest() != digest
    assert bytes_of(other) == bytes_of(one)
    np.testing.assert_array_equal(one.predict(np.ones((9, 2)))[0], other.predict(np.ones((9, 2)))[0])


def test_without_the_environment_the_rest_is_restored(small):
    one = planner(small)
    one.learn(13)
    data, arrays = written(*one.state(replay=False))
    assert not [name for name in arrays if name.startswith(("environment.", "acting", "seen"))]
    other = planner(small)
    other.restore(data, arrays)
    for made in (one, other):
        made.act_in(gym.make("SliceRAN-v0", scenario=small), 5)
    assert followed(one, 15).actions == followed(other, 15).actions


def test_what_has_learned_is_taken_over():
    one, other = planner(), planner()
    one.learn(30)
    other.copy_from(one)
    assert other.digest() == one.digest()
    one.learn(5)
    assert other.digest() != one.digest()


def test_a_file_holds_model_and_settings():
    settings = {"choose_by": "mean", "horizon": 2, "gamma": 0.5, "lowest": {"urllc": 2}, "min_ssr": {"volte": 0.9}}
    one = planner(**settings, highest=[9, 9, 9], min_probability=0.7)
    one.learn(60)
    other = Planner.load(io.BytesIO(bytes_of(one)), TableModel.from_bytes)
    observations = np.random.default_rng(0).uniform(0.2, 2.0, (20, 3))
    for deterministic in (True, False):
        wanted, _ = one.predict(observations, deterministic=deterministic)
        np.testing.assert_array_equal(other.predict(observations, deterministic=deterministic)[0], wanted)
    assert bytes_of(other) == bytes_of(one)
    assert (other.num_decisions, other.choose_by, other.horizon, other.gamma, other.seed) == (60, "mean", 2, 0.5, 2)
    assert other.constraints.to_dict() == one.constraints.to_dict()
    assert other.scenario == one.scenario
    rows = [[2, 2, 16], [5, 5, 10]]
    one = planner(allowed=rows)
    assert Planner.load(io.BytesIO(bytes_of(one)), TableModel.from_bytes).constraints.rows.tolist() == rows


def test_damaged_files_are_refused():
    content = bytearray(bytes_of(planner()))
    for place in (3, 40, len(content) - 1):
        damaged = content.copy()
        damaged[place] ^= 1
        with pytest.raises(ValueError, match="planner: the file does not hold a planner, or is damaged"):
            read_planner(io.BytesIO(bytes(damaged)))
    for other in (b"", b"something else", bytes(content[:-5])):
        with pytest.raises(ValueError, match="planner: the file does not hold a planner"):
            read_planner(io.BytesIO(other))
