"""The planner with the twin that learns from the first decision on."""

from __future__ import annotations

import io
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from agents import OneStepOraclePolicy, Planner, PlanningPolicy, ProportionalPolicy
from experiments.config.threads import torch_threads
from slicing_gym import get_scenario
from slicing_gym.allocation import allocation_units
from tests.agents.planner.test_planner import followed
from tests.helpers.learners import written
from twin import PlanningTwin

NAME = "paper-1mhz"


@pytest.fixture(autouse=True)
def _one_thread():
    with torch_threads(1):
        yield


def planner(scenario=NAME, **arguments):
    return Planner(gym.make("SliceRAN-v0", scenario=scenario), PlanningTwin(scenario), **arguments)


def earned(scenario, make_policy, decisions, seed):
    env = gym.make("SliceRAN-v0", scenario=scenario)
    observation, _ = env.reset(seed=seed)
    policy, utility = make_policy(env.unwrapped), []
    for _ in range(decisions):
        observation, *_, info = env.step(policy.predict(observation)[0])
        utility.append(info["utility"])
    return np.array(utility)


def test_it_is_near_the_oracle_from_the_first_decisions_on():
    oracle = earned(NAME, lambda env: OneStepOraclePolicy(NAME, env), 100, seed=0).mean()
    proportional = earned(NAME, lambda _: ProportionalPolicy(NAME), 100, seed=0).mean()
    utility = followed(planner(), 100).utility
    assert utility[10:].mean() > oracle - 0.3 * (oracle - proportional)


@pytest.mark.parametrize("choose_by", ["sample", "mean"])
def test_it_goes_on_bit_for_bit(choose_by):
    one = planner(choose_by=choose_by)
    one.learn(12)
    state = written(*one.state())
    other = planner(choose_by=choose_by)
    other.restore(*state)
    assert other.digest() == one.digest()
    assert followed(one, 12).actions == followed(other, 12).actions
    assert other.digest() == one.digest()


@pytest.mark.parametrize("kind", [io.BytesIO, Path, str])
def test_it_is_read_as_it_was_written(kind, tmp_path):
    one = planner(min_ssr={"urllc": 0.9})
    one.learn(30)
    file = io.BytesIO() if kind is io.BytesIO else kind(tmp_path / "planner.safetensors")
    one.save(file)
    if isinstance(file, io.BytesIO):
        file.seek(0)
    other = Planner.load(file, PlanningTwin.from_bytes)
    observations = np.random.default_rng(0).uniform(0.2, 2.0, (9, 3))
    wanted, _ = one.predict(observations, deterministic=True)
    np.testing.assert_array_equal(other.predict(observations, deterministic=True)[0], wanted)
    assert other.constraint_report() == one.constraint_report()


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"planner: the file '.*nowhere\.safetensors' does not exist"):
        Planner.load(tmp_path / "nowhere.safetensors", PlanningTwin.from_bytes)


def test_a_horizon_counts_what_is_left_in_queues():
    made = planner("diurnal", horizon=3, choose_by="mean")
    made.learn(15)
    one = planner("diurnal", choose_by="mean")
    one.copy_from(made)
    observations = np.ones((1, 3))
    assert made.slice_values(observations).shape == one.slice_values(observations).shape
    assert (made.slice_values(observations) != one.slice_values(observations)).any()


def test_a_demand_is_met_where_the_reward_tempts_to_give_it_up():
    """With twice the weight of the spectral efficiency, URLLC costs more than it brings."""
    scenario = get_scenario("large-urllc").replace(reward={"se_weight": 0.02})
    demanded = 0.95
    free, bound = planner(scenario, seed=1), planner(scenario, seed=1, min_ssr={"urllc": demanded})
    for made in (free, bound):
        made.learn(80)
    ssr = {}
    for name, made in (("free", free), ("bound", bound)):
        env = gym.make("SliceRAN-v0", scenario=scenario)
        observation, _ = env.reset(seed=5)
        rows = []
        for _ in range(40):
            observation, *_, info = env.step(made.predict(observation, deterministic=True)[0])
            rows.append(info["ssr"][2])
        ssr[name] = np.mean(rows)
    assert "some allocations meet it" in bound.constraint_report()
    assert ssr["bound"] > demanded - 0.02
    assert ssr["free"] < demanded - 0.02


def test_it_plans_where_no_allocation_can_be_listed():
    made = planner("nr-8slices")
    made.learn(3)
    action, _ = made.predict(np.ones(8), deterministic=True)
    assert allocation_units(action, 273, 8).sum() == 273


def test_before_the_first_decision_it_answers_too():
    """Its constraints go by nominal arrivals then, and the report says that nothing is known yet."""
    policy = PlanningPolicy(NAME, PlanningTwin(NAME), min_ssr={"urllc": 0.95})
    units = allocation_units(policy.predict(np.ones(3))[0], 20, 3)
    assert units.sum() == 20
    assert "by what the model knows no allocation meets it" in policy.constraint_report()


def test_no_observations_get_no_actions():
    taught = planner()
    taught.learn(8)
    for deterministic in (True, False):
        assert taught.predict(np.zeros((0, 3)), deterministic=deterministic)[0].shape == (0,)


def test_values_of_allocations_that_cannot_be_listed_are_refused_also_of_a_set():
    whole = get_scenario("nr-8slices")
    corner = [[whole.num_units - 7, *[1] * 7]]
    with pytest.raises(ValueError, match=r"allocation_values: 20218614631344 allocations cannot be listed, at most"):
        PlanningPolicy(whole, PlanningTwin(whole), allowed=corner).allocation_values(np.ones((1, 8)))
