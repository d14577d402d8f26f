"""Observers and reward functions of one's own through `train`, and what is refused before anything is run."""

from __future__ import annotations

import pickle

import gymnasium as gym
import numpy as np
import pytest
import torch

from experiments.environments import Environments
from experiments.evaluate import Settings as EvaluateSettings
from experiments.evaluate import evaluate
from experiments.offline import EstimateSettings, offline, record_history
from experiments.offline import Settings as OfflineSettings
from experiments.train import read_result, train
from slicing_gym import ArrivalsObserver, Observer
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import SCENARIO, make_ddqn, maker, short_settings, twin_settings


class Scaled(Observer):
    """Arrivals times a number."""

    def __init__(self, factor=2.0):
        self.factor = factor

    def space(self, scenario):
        high = self.factor * ArrivalsObserver().space(scenario).high
        return gym.spaces.Box(np.zeros_like(high), high, dtype=np.float32)

    def observe(self, scenario, info):
        return (self.factor * ArrivalsObserver().observe(scenario, info)).astype(np.float32)


class Secret(Scaled):
    """Does not say what it was made with."""

    def __init__(self, hidden=1.0):
        super().__init__(2.0 * hidden)


def least_satisfied(scenario, info, thresholds):
    del scenario, thresholds
    return info["ssr"].min(axis=1)


@pytest.fixture(scope="module")
def own_eyes(tmp_path_factory):
    environments = Environments(SCENARIO, observer=Scaled(50.0), reward_function=least_satisfied)
    folder = tmp_path_factory.mktemp("own")
    return train(make_ddqn, SCENARIO, settings=short_settings(300), folder=folder, environments=environments)


def test_an_agent_is_evaluated_with_the_observer_it_learned_with(own_eyes, monkeypatch):
    monkeypatch.setattr("agents.registry._imported", {__name__})  # as imports=[...] does
    assert own_eyes.summary["config"]["env"]["observer"] == {"_target_": f"{__name__}.Scaled", "factor": 50.0}
    again = read_result(own_eyes.folder)
    settings = EvaluateSettings(seeds=[100, 101], decisions=20, threads=1, progress=False)
    policies = {"now": own_eyes.policy, "again": again.policy}
    now, later = evaluate(policies, SCENARIO, settings).evaluations
    (file,) = evaluate(str(own_eyes.folder), SCENARIO, settings).evaluations
    for each in (later, file, own_eyes.evaluation[0]):
        np.testing.assert_array_equal(each.utility, now.utility)
    assert own_eyes.episodes["reward"].max() <= 1.0 < own_eyes.episodes["utility"].min()


def test_another_observer_is_another_run(own_eyes):
    environments = Environments(SCENARIO, observer=Scaled(7.0), reward_function=least_satisfied)
    more = {"folder": own_eyes.folder, "environments": environments, "resume": True}
    with pytest.raises(ValueError, match=r"env\.observer\.factor: 50\.0 there, 7\.0 given"):
        train(make_ddqn, SCENARIO, settings=short_settings(300), **more)


def test_parts_that_files_could_not_name_or_that_do_not_fit_are_refused():
    with pytest.raises(TypeError, match=r"env\.observer: a run's files cannot name .*: its argument hidden"):
        Environments(SCENARIO, observer=Secret())
    with pytest.raises(ValueError, match=r"env\.reward_function: .*threshold cannot be made so .*weight"):
        Environments(SCENARIO, reward_function={"_target_": "slicing_gym.reward.threshold", "weight": 3.0})
    with pytest.raises(TypeError, match=r"env\.observer: 3 given"):
        Environments(SCENARIO, observer=3)


def test_a_run_clears_what_one_with_a_twin_left(tmp_path):
    train(make_ddqn, SCENARIO, twin_settings(), short_settings(240), tmp_path)
    (tmp_path / "without_twin").mkdir()
    (tmp_path / "without_twin" / "summary.json").write_text("{}")
    train(make_ddqn, SCENARIO, settings=short_settings(100), folder=tmp_path)
    assert not (tmp_path / "twin.safetensors").exists()
    assert not (tmp_path / "without_twin" / "summary.json").exists()
    assert read_result(tmp_path).twin is None


def test_agents_that_could_not_share_weights_are_refused():
    def make(env, role):
        return maker(policy={"net_arch": [8 if role == "twin" else 16]})(env, role)

    with pytest.raises(ValueError, match=r"make: .* has shape \[16, 3\] in one role and \[8, 3\] in the other"):
        train(make, SCENARIO, twin_settings(), short_settings())
    with pytest.raises(ValueError, match="make: the agent for role 'real' is of another environment"):
        train(
            lambda _, role: make_ddqn(gym.make("SliceRAN-v0"), role),
            SCENARIO,
            settings=short_settings(),
        )


def test_a_run_is_not_resumed_with_other_arguments_of_its_agent(tmp_path):
    train(maker(gamma=0.8), SCENARIO, settings=short_settings(60), folder=tmp_path)
    with pytest.raises(ValueError, match=r"agent\.arguments\.gamma: 0\.8 there, 0\.5 given"):
        train(maker(gamma=0.5), SCENARIO, settings=short_settings(60), folder=tmp_path, resume=True)
    with pytest.raises(ValueError, match="resume: True given, allowed with a folder only"):
        train(make_ddqn, SCENARIO, settings=short_settings(60), resume=True)


def test_a_result_can_be_pickled_and_threads_are_put_back(own_eyes):
    assert pickle.loads(pickle.dumps(own_eyes)).summary == own_eyes.summary
    torch.set_num_threads(2)
    train(make_ddqn, SCENARIO, settings=short_settings(60, torch_threads=1))
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("changes", [{"foo": 1}, {"batch_size": 0}, {"kwargs": {}}])
def test_changes_for_the_estimate_are_looked_at_before_learning(changes):
    history = record_history("random", SCENARIO, 0, 100)
    settings = OfflineSettings(progress=False, estimate=EstimateSettings(agent=changes))
    with pytest.raises(ValueError, match=next(iter(changes))):
        offline(make_ddqn, history, settings=settings)
    with pytest.raises(TypeError, match="own_seed"):
        offline(make_ddqn, history, own_seed="a")
