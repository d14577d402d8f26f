"""What an agent, and wrappers around its environment, hold besides networks: stored with it, or refused by name."""

from __future__ import annotations

import io
import math

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
import torch

from agents import OffPolicyLearner
from tests.agents.test_packing import PARTS, Thing
from tests.helpers.learners import Follow, written
from tests.helpers.learners import _one_thread as _one_thread


class Odd(stable_baselines3.DQN):
    """Has whatever a test wants."""

    odd = None


class Hooked(Odd):
    def get_extra_state(self):
        return {"odd": self.odd.number, "array": self.odd.array}

    def set_extra_state(self, state):
        self.odd = Thing()
        self.odd.number, self.odd.array = state["odd"], state["array"]


def with_odd(part, kind=Odd, env=None):
    env = Follow() if env is None else env
    learner = OffPolicyLearner(lambda: kind("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, buffer_size=20, seed=0))
    learner.model.odd = part
    return learner


ODD = {
    "object": (Thing(), "Odd.odd is a Thing"),
    "deep": ({"a": [Thing()]}, r"Odd\.odd\.a\.0 is a Thing"),
    "file": (io.BytesIO(), r"Odd\.odd is a BytesIO"),
}


@pytest.mark.parametrize("what", ODD)
def test_an_agent_that_cannot_be_stored_is_refused(what):
    part, message = ODD[what]
    learner = with_odd(part)
    for refuses in (learner.check_storable, learner.state):
        with pytest.raises(ValueError, match=rf"{message}.*get_extra_state\(\).*docs/bring-your-own\.md"):
            refuses()


@pytest.mark.parametrize("part", [lambda: 0, print, Thing, gym.spaces.Discrete(2), np.float32, torch.float32, math])
def test_what_does_not_change_is_left_out(part):
    learner, other = with_odd(part), with_odd(part)
    learner.check_storable()
    other.restore(*learner.state())
    assert other.model.odd is part


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_attributes_of_agents_come_back(part):
    learner, other = with_odd(part), with_odd("another")
    learner.check_storable()
    other.restore(*written(*learner.state()))
    assert repr(other.model.odd) == repr(part)


def hooked():
    learner = with_odd(Thing(), Hooked)
    learner.model.odd.number, learner.model.odd.array = 3, np.ones(2)
    return learner


def test_an_agent_s_own_hook_stores_what_nothing_else_can():
    learner, other = hooked(), hooked()
    learner.model.data = [1, 2]
    learner.check_storable()
    other.model.odd.number, other.model.odd.array[:] = 7, 7.0
    other.restore(*written(*learner.state()))
    assert (other.model.odd.number, other.model.odd.array.tolist(), other.model.data) == (3, [1.0, 1.0], [1, 2])


@pytest.mark.parametrize("part", [{"array": np.zeros(2)}, np.zeros(2)])
def test_the_hook_s_arrays_are_not_those_of_an_attribute(part):
    learner, other = hooked(), hooked()
    learner.model.extra = part
    other.restore(*learner.state())
    np.testing.assert_array_equal(other.model.odd.array, [1.0, 1.0])
    np.testing.assert_equal(other.model.extra, part)


class Kept(gym.Wrapper):
    kept = None


def test_a_wrapper_that_cannot_be_stored_is_refused(small):
    env = Kept(gym.make("SliceRAN-v0", scenario=small))
    env.kept = {"a": [Thing()]}
    learner = with_odd(None, env=env)
    learner.learn(2)
    with pytest.raises(ValueError, match=r"env\.wrappers: Kept\.kept\.a\.0: a Thing is neither"):
        learner.state()
