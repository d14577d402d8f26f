"""The spec of an environment that was made, in both ids: it goes through files, and has the length of an episode."""

from __future__ import annotations

import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from slicing_gym import Reward, get_scenario
from slicing_gym.registration import ENVIRONMENT_IDS
from twin.registration import TWIN_ID

each_id = pytest.mark.parametrize("env_id", [*ENVIRONMENT_IDS, TWIN_ID])


@each_id
@pytest.mark.parametrize("vector", [False, True])
def test_a_spec_goes_through_json_with_scenarios_and_rewards(env_id, vector):
    short = get_scenario("paper").replace(decisions_per_episode=3, reward={"kind": "clip"})
    make = gym.make_vec if vector else gym.make
    env = make(env_id, scenario=short, reward=Reward("utility", se_weight=0.02))
    spec = EnvSpec.from_json(env.unwrapped.spec.to_json())
    again = make(spec)
    assert again.unwrapped.scenario == env.unwrapped.scenario
    assert again.unwrapped.scenario.reward == Reward("utility", se_weight=0.02)
    assert make(env.unwrapped.spec).unwrapped.scenario == env.unwrapped.scenario


@each_id
@pytest.mark.parametrize("vector", [False, True])
@pytest.mark.parametrize("length", [200, 3, 500])
def test_a_made_spec_has_the_scenarios_length_which_no_wrapper_cuts(env_id, vector, length):
    make = gym.make_vec if vector else gym.make
    scenario = get_scenario("paper").replace(decisions_per_episode=length)
    env = make(env_id, scenario=scenario) if length != 200 else make(env_id)
    assert gym.spec(env_id).max_episode_steps is None
    assert env.spec.max_episode_steps == length
    again = make(EnvSpec.from_json(env.spec.to_json()))
    assert again.spec.max_episode_steps == pickle.loads(pickle.dumps(env)).spec.max_episode_steps == length
    for each in (env, again):
        assert decisions_until_truncated(each, vector) == length


@each_id
@pytest.mark.parametrize("vector", [False, True])
def test_a_made_spec_has_the_length_that_was_asked_for(env_id, vector):
    make = gym.make_vec if vector else gym.make
    env = make(env_id, max_episode_steps=3)
    for each in (env, make(EnvSpec.from_json(env.spec.to_json()))):
        assert each.spec.max_episode_steps == 3
        assert decisions_until_truncated(each, vector) == 3


def decisions_until_truncated(env, vector):
    """How long an episode is."""
    env.reset(seed=0)
    action = np.zeros(1, np.int64) if vector else 0
    for taken in range(1, 1001):
        if np.all(env.step(action)[3]):
            return taken
    raise AssertionError("no episode of 1000 decisions or fewer")
