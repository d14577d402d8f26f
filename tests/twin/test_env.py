"""The environments on a twin, and the twin that comes with the package."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import DQN

from slicing_gym import Reward, allocation_table, get_scenario
from tests.helpers.twins import quick_twin, small_twin
from twin import (
    DigitalTwin,
)


@pytest.mark.parametrize("reward", ["utility", "shaped"])
def test_penalty_takes_the_spread_off_the_utility(reward):
    twin = quick_twin(get_scenario("paper-1mhz"))
    ordinary = gym.make("SliceTwin-v0", twin=twin, reward=reward)
    careful = gym.make("SliceTwin-v0", twin=twin, reward=reward, uncertainty="penalty", penalty=3.0)
    for env in (ordinary, careful):
        env.reset(seed=0)
    for action in range(0, 171, 10):
        _, one, *_, info = ordinary.step(action)
        _, other, *_, penalised = careful.step(action)
        assert info["epistemic_std"] == penalised["epistemic_std"] > 0.0
        assert info["utility"] == penalised["utility"]
        expected = info["utility"] - 3.0 * info["epistemic_std"]
        if reward == "utility":
            assert one - other == pytest.approx(3.0 * info["epistemic_std"])
        else:
            assert other == float(expected >= info["threshold"])


def test_truncate_ends_episodes_where_the_members_disagree():
    twin = quick_twin(get_scenario("paper-1mhz"))
    env = gym.make("SliceTwin-v0", twin=twin, uncertainty="truncate", largest_std=0.0)
    env.reset(seed=0)
    assert env.step(5)[3]
    patient = gym.make_vec("SliceTwin-v0", num_envs=3, twin=twin, uncertainty="truncate", largest_std=1e9)
    patient.reset(seed=0)
    assert not any(patient.step(np.full(3, 5))[3].any() for _ in range(20))
    for reward in (Reward(), Reward(se_weight=0.1)):  # whatever the reward, few of the usual decisions end a episode
        usual = gym.make("SliceTwin-v0", twin=twin, reward=reward, uncertainty="truncate")
        ends, rng = 0, np.random.default_rng(0)
        usual.reset(seed=0)
        for _ in range(300):
            if usual.step(int(rng.integers(171)))[3]:
                ends += 1
                usual.reset()
        assert ends < 60


def test_stock_dqn_trains_on_the_twin():
    env = gym.make("SliceTwin-v0", twin=quick_twin(get_scenario("paper-1mhz")), reward="utility")
    agent = DQN("MlpPolicy", env, learning_starts=20, policy_kwargs={"net_arch": [16]}, seed=0)
    before = [value.clone() for value in agent.policy.parameters()]
    agent.learn(60)
    assert any(not torch.equal(a, b) for a, b in zip(before, agent.policy.parameters(), strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"twin": "gan-ddqn"}, "there is no file 'gan-ddqn'.*come paper, diurnal, flash-crowd, nr-8slices\\)$"),
        ({"twin": "diurnl"}, "there is no file 'diurnl'.*; did you mean 'diurnal'\\?"),
        ({"twin": 3}, "twin: 3 is neither"),
        ({"twin": DigitalTwin()}, "it was not fitted"),
        ({"uncertainty": "penalt"}, "uncertainty: unknown name 'penalt'; did you mean 'penalty'"),
        ({"penalty": -1.0}, "penalty: -1.0 given"),
        ({"largest_std": float("nan")}, "largest_std: nan given"),
        (
            {"scenario": "paper-1mhz"},
            "'paper-1mhz' given, the twin is of 'paper': radio.resolution_hz is 200000.0 there",
        ),
        (
            {"scenario": "diurnal"},
            "'diurnal' given, the twin is of 'paper'; twin='diurnal' is the twin of that scenario",
        ),
        (
            {"scenario": get_scenario("diurnal").replace(decisions_per_episode=9, radio={"bandwidth_hz": 40e6})},
            "'diurnal' given, the twin is of 'paper': radio.bandwidth_hz is 20000000.0 there, not 40000000.0",
        ),
        ({"scenario": "drift"}, "of 'paper': slices.*is 'steady' there, not 'drift'; a twin of its own is "),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    for make in (gym.make, gym.make_vec):
        with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message):
            make("SliceTwin-v0", **arguments)


@pytest.mark.parametrize("twin", ["paper-1mhz", "runs/first/twin.safetensors"])
def test_no_twin_is_proposed_for_a_scenario_that_has_none_and_for_a_path(twin):
    with pytest.raises(FileNotFoundError) as refused:
        gym.make("SliceTwin-v0", twin=twin)
    assert "did you mean" not in str(refused.value)


def test_a_log_without_a_reward_makes_a_twin_but_no_environment(history):
    bare = replace(
        history, columns=(history.columns[1],), performance={"spectral_efficiency": history.spectral_efficiency}
    )
    twin = small_twin(bare)
    interval = twin.sample(allocation_table(20, 3)[:2], [0])[-1]
    assert np.isnan(interval.utility).all()
    assert interval.performance["spectral_efficiency"] > 0.0
    with pytest.raises(ValueError, match="measured no 'ssr' or no 'spectral_efficiency'"):
        gym.make("SliceTwin-v0", twin=twin)


def test_the_shipped_twin_is_small_and_of_paper():
    env = gym.make("SliceTwin-v0").unwrapped
    assert env.scenario == get_scenario("paper")
    from twin.env import _SHIPPED

    assert (_SHIPPED / "paper.safetensors").stat().st_size < 1e6
    best, hard = (
        np.mean([i.utility.mean() for i in DigitalTwin.load(_SHIPPED / "paper").sample([units] * 20, range(20))])
        for units in ([1, 96, 3], [33, 33, 34])
    )
    assert best == pytest.approx(8.1, abs=0.3)
    assert hard == pytest.approx(5.3, abs=0.15)
