"""Wrappers around the real environment and the twin's cells alike: what they change is right everywhere, or refused."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv

from agents.registry import import_modules
from experiments.environments import Environments, advance, scenario_of
from tests.helpers.runs import OWN, SCENARIO
from tests.helpers.wrappers import LOGS, MANY_LOGS, NORMALIZE, STACK


@pytest.fixture(autouse=True, scope="module")
def _asked_for():
    import_modules([OWN, __name__])


def rollout(envs, decisions=30):
    """Observations and utilities in two cells, over the end of an episode."""
    generator = np.random.default_rng(0)
    seen, _ = envs.reset(seed=[3, 4])
    rows = [(seen, np.zeros(2))]
    for _ in range(decisions):
        actions = generator.integers(171, size=2)
        seen, brought, _ = advance(envs, actions)
        rows.append((seen.copy(), brought["utility"]))
    return rows


@pytest.mark.parametrize("vector_wrappers", [(), (MANY_LOGS,)], ids=["one by one", "native"])
def test_a_wrapped_batch_shows_what_wrapped_cells_show(vector_wrappers):
    short = SCENARIO.replace(decisions_per_episode=13)
    plain = rollout(Environments(short).cells(2))
    wrapped = Environments(short, [LOGS], vector_wrappers)
    envs = wrapped.cells(2)
    assert isinstance(envs.unwrapped, SyncVectorEnv) == (not vector_wrappers)
    assert scenario_of(envs) == short
    for (seen, utility), (own_seen, own_utility) in zip(plain, rollout(envs), strict=True):
        np.testing.assert_array_equal(own_seen, np.log1p(seen))
        np.testing.assert_array_equal(own_utility, utility)


class Blind(gym.Wrapper):
    """Hides what a decision brought."""

    def step(self, action):
        return (*self.env.step(action)[:4], {})


class Remembers(gym.Wrapper):
    """Holds something that no checkpoint can."""

    def __init__(self, env):
        super().__init__(env)
        self.what = object()


class Drifts(gym.ObservationWrapper):
    """Subtracts a mean that it learns as it goes, and never says so."""

    def __init__(self, env):
        super().__init__(env)
        self.mean = np.zeros(3, np.float32)

    def observation(self, observation):
        self.mean = self.mean + 0.05 * (observation - self.mean)
        return observation - self.mean


class Doubled(gym.vector.VectorObservationWrapper):
    """Is not what a scalar wrapper does that halves."""

    def observations(self, observations):
        return 2.0 * observations


class Halved(gym.ObservationWrapper):
    def observation(self, observation):
        return 0.5 * observation


def gymnasiums(name):
    return {"_target_": f"gymnasium.wrappers.{name}"}


def own(name):
    return {"_target_": f"{__name__}.{name}"}


@pytest.mark.parametrize(
    ("wrappers", "vector_wrappers", "twin", "message"),
    [
        ([NORMALIZE], [], True, "NormalizeObservation learns statistics .* with a twin are wrappers without"),
        ([gymnasiums("MaxAndSkipObservation")], [], False, "take several decisions a step, allowed is one"),
        ([{**STACK, "stack_sise": 2}], [], False, r"unknown name 'stack_sise'; did you mean 'stack_size'"),
        ([gymnasiums("NormaliseReward")], [], False, "unknown name 'NormaliseReward'; did you mean 'NormalizeReward'"),
        ([{"_target_": "agents.HardPolicy"}], [], False, r"'agents\.HardPolicy' is no gymnasium\.core\.Wrapper"),
        ([{"_target_": "nowhere_at_all.Wrapper"}], [], False, r"type imports=\[nowhere_at_all\] as well"),
        ([{"stack_size": 2}], [], False, "allowed are mappings with _target_ and arguments"),
        ([], [MANY_LOGS], False, "env.vector_wrappers: given without env.wrappers"),
        ([STACK], [MANY_LOGS], False, "(?s)env.vector_wrappers: they make .* allowed are those that do the same"),
        ([own("Blind")], [], False, r"Blind hide info\['arrivals'\]"),
        ([own("Remembers")], [], False, r"Remembers\.what: a object is neither number"),
        ([own("Drifts")], [], True, r"Drifts\.mean goes on from episode to episode"),
        ([own("Halved")], [own("Doubled")], True, r"env.vector_wrappers: they show .* where env.wrappers show"),
    ],
)
def test_wrappers_that_would_not_be_right_are_refused(wrappers, vector_wrappers, twin, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Environments(SCENARIO, wrappers, vector_wrappers).check(with_twin=twin)


def test_wrappers_that_are_right_pass():
    Environments(SCENARIO, [LOGS], [MANY_LOGS]).check(with_twin=True)
    Environments(SCENARIO, [STACK]).check(with_twin=True)
    Environments(SCENARIO, [NORMALIZE]).check(with_twin=False)
    assert Environments(SCENARIO, [LOGS]).names == "LogObservation"


@pytest.mark.parametrize(
    ("wrapper", "message"),
    [
        ({"_target_": "gymnasium.wrappers.TransformObservation", "func": "os._exit"}, "type imports=\\[os\\] as well"),
        ({"_target_": "gymnasium.wrappers.TransformReward", "func": "torch.load"}, "type imports=\\[torch\\] as well"),
        ({"_target_": "gymnasium.wrappers.RecordVideo", "video_folder": "x"}, "writes files"),
        ({"_target_": "stable_baselines3.common.monitor.Monitor"}, "type imports=\\[stable_baselines3\\] as well"),
    ],
)
def test_the_files_of_a_run_name_no_code(wrapper, message):
    """Typed, the first is refused, too: nobody asked for that module."""
    with pytest.raises(ValueError, match=message):
        Environments.of(SCENARIO, {"wrappers": [wrapper]}, typed=False)
    assert Environments.of(SCENARIO, {"wrappers": [STACK, LOGS]}, typed=False).wrapped
