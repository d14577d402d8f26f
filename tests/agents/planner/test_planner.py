"""A planner chooses the best by its model, learns from every decision, and refuses what it cannot plan for."""

from __future__ import annotations

import logging

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
from gymnasium.wrappers import FrameStackObservation, TransformReward

from agents import OffPolicyLearner, OneStepOraclePolicy, Planner, PlanningPolicy
from slicing_gym import ActionCodec, get_scenario
from slicing_gym.allocation import allocation_index, allocation_table
from tests.helpers.planning import OracleModel, TableModel

NAME = "paper-1mhz"
SCENARIO = get_scenario(NAME)
TABLE = allocation_table(SCENARIO.num_units, SCENARIO.num_slices)
SLICES = np.arange(SCENARIO.num_slices)
MOST = SCENARIO.num_units - SCENARIO.num_slices + 1


def cell(scenario=NAME, **arguments):
    return gym.make("SliceRAN-v0", scenario=scenario, **arguments)


def planner(env=None, model=None, **arguments):
    return Planner(cell() if env is None else env, TableModel(NAME) if model is None else model, **arguments)


class Follower:
    """Keeps what it is called with."""

    def __init__(self):
        self.calls, self.experiences, self.started = [], [], []

    def on_start(self, reset_info):
        self.calls.append("start")
        self.started.append(reset_info)

    def on_settled(self):
        self.calls.append("settled")

    def on_decision(self, experience):
        self.calls.append("decision")
        self.experiences.append(experience)

    def __getattr__(self, name):
        return np.array([each.info[name] for each in self.experiences])

    @property
    def actions(self):
        return [each.action for each in self.experiences]


def followed(made, decisions, **arguments):
    follower = Follower()
    made.learn(decisions, follower, **arguments)
    return follower


@pytest.mark.parametrize("listed", [False, True])
def test_its_deterministic_choice_is_that_of_brute_force(listed):
    made = planner(model=TableModel(NAME, listed=listed))
    made.learn(40)
    observations = np.random.default_rng(0).uniform(0.2, 2.0, (5, 3))
    values = made.model.values(observations * SCENARIO.nominal_arrivals, None, None)
    wanted = values[:, SLICES, TABLE - 1].sum(axis=2).argmax(axis=1)
    actions, state = made.predict(observations, "as it came", deterministic=True)
    np.testing.assert_array_equal(actions, wanted)
    assert state == "as it came"
    assert made.predict(observations[2], deterministic=True)[0] == wanted[2]


def test_with_an_oracle_for_a_model_it_earns_the_one_step_optimum():
    env = cell()
    made = planner(env, OracleModel(env), choose_by="mean", seed=7)
    earned = followed(made, 30).utility
    other = cell()
    observation, _ = other.reset(seed=7)
    oracle = OneStepOraclePolicy(NAME, other.unwrapped)
    for own in earned:
        observation, *_, info = other.step(oracle.predict(observation)[0])
        assert own == info["utility"]


def test_it_learns_to_choose_well_within_a_hundred_decisions():
    env = cell()
    oracle = followed(planner(env, OracleModel(env)), 200).utility.mean()
    rng = np.random.default_rng(0)
    random = [env.step(rng.integers(len(TABLE)))[4]["utility"] for _ in range(100) if env.reset()]
    earned = followed(planner(), 300).utility
    assert earned[100:].mean() > np.mean(random) + 0.8 * (oracle - np.mean(random))


def test_samples_explore_and_the_mean_does_not_draw():
    by_sample, by_mean = followed(planner(), 60), followed(planner(choose_by="mean"), 60)
    assert len(set(by_sample.actions)) > 10
    assert by_sample.actions == followed(planner(), 60).actions
    assert by_sample.actions != followed(planner(seed=1), 60).actions
    made = planner(choose_by="mean")
    before = made.generator.bit_generator.state
    assert followed(made, 60).actions == by_mean.actions
    made.predict(np.ones(3))
    assert made.generator.bit_generator.state == before
    rows = np.ones((40, 3))
    sampling = planner()
    assert len(set(sampling.predict(rows)[0].tolist())) > 1
    assert len(set(sampling.predict(rows, deterministic=True)[0].tolist())) == 1


def test_its_listener_hears_what_an_agents_listener_hears(small):
    """Episodes of ten decisions; the same order of calls, the same infos and observations for the same actions."""
    model = TableModel(small)
    made = planner(cell(small), model, seed=3)
    agent = OffPolicyLearner(stable_baselines3.DQN("MlpPolicy", cell(small), seed=3, train_freq=1, buffer_size=50))
    own, others = Follower(), Follower()
    made.learn(14, own)
    agent.learn(14, others)
    made.learn(9, own)
    agent.learn(9, others)
    assert own.calls == others.calls
    assert made.num_decisions == agent.num_decisions == model.num_decisions == 23
    assert model.episodes == 3
    for mine, its in zip(own.started, others.started, strict=True):
        assert mine.keys() == its.keys()
    np.testing.assert_array_equal(own.started[0]["arrivals"], others.started[0]["arrivals"])
    for mine, its in zip(own.experiences, others.experiences, strict=True):
        assert (mine.truncated, mine.terminated) == (its.truncated, its.terminated)
        assert (mine.reset_info is None) == (its.reset_info is None)
        assert mine.observation.shape == its.observation.shape == mine.next_observation.shape
        np.testing.assert_allclose(mine.next_observation * small.nominal_arrivals, mine.info["arrivals"], rtol=1e-6)
    seen = [each.observation for each in own.experiences]
    for before, after in zip(own.experiences, seen[1:], strict=False):
        if not before.truncated:
            np.testing.assert_array_equal(before.next_observation, after)


def test_a_restart_begins_another_episode_and_counts_from_zero(small):
    made = planner(cell(small), TableModel(small))
    made.learn(4)
    made.learn(3, restart=True)
    assert (made.num_decisions, made.model.num_decisions, made.model.episodes) == (3, 7, 2)


def test_wrappers_and_rewards_do_not_matter_to_it():
    plain = followed(planner(), 30)
    wrapped = FrameStackObservation(TransformReward(cell(reward="clip"), lambda reward: -reward), 2)
    made = planner(wrapped)
    other = followed(made, 30)
    assert other.actions == plain.actions
    assert other.experiences[0].observation.shape == (2, 3)
    assert made.predict(np.ones(3), deterministic=True)[0] == made.predict(np.ones((1, 3)), deterministic=True)[0][0]


def test_bounds_sets_and_horizons_reach_the_choice():
    rows = TABLE[::17]
    held = followed(planner(allowed=rows), 40).allocation
    assert {tuple(row) for row in held.tolist()} <= {tuple(row) for row in rows.tolist()}
    held = followed(planner(lowest={"video": 5}, highest={"urllc": 6}), 40).allocation
    assert held[:, 1].min() >= 5
    assert held[:, 2].max() <= 6
    one, three = planner(), planner(horizon=3, gamma=0.5)
    np.testing.assert_allclose(three.slice_values(np.ones((1, 3))), 1.75 * one.slice_values(np.ones((1, 3))))


def test_what_is_demanded_is_kept_or_said_to_be_impossible(caplog):
    made = planner(min_ssr={"urllc": 0.9}, min_probability=0.8)
    with caplog.at_level(logging.WARNING):
        made.learn(400)
    assert not caplog.records
    assert made.constraint_report().startswith("min_ssr: urllc 0.9 with a probability of 0.8 is demanded; some ")
    action, _ = made.predict(np.ones(3), deterministic=True)
    held = TABLE[action]
    assert made.model.satisfied(made.constraints.demanded)[2, held[2] - 1] >= 0.8

    impossible = planner(min_ssr={"video": 0.99, "volte": 0.99}, highest={"video": 2})
    with caplog.at_level(logging.WARNING):
        impossible.learn(200)
        impossible.learn(200)
    (record,) = caplog.records  # once
    assert "by what the model knows no allocation meets it" in record.message
    assert "(expected SSR over an episode: volte " in impossible.constraint_report()
    satisfied = impossible.model.satisfied(impossible.constraints.demanded)[SLICES, TABLE - 1]
    smallest = np.where(TABLE[:, 1] <= 2, satisfied[:, :2].min(axis=1), -1.0)
    assert smallest[impossible.predict(np.ones(3), deterministic=True)[0]] == smallest.max()
    assert planner().constraint_report() == "min_ssr: nothing is demanded"


def test_tensorboard_has_values_and_decisions():
    made = planner(min_ssr={"urllc": 0.5})
    made.learn(5)
    assert made.logger.name_to_value["planner/decisions"] == 4  # when it took the fifth
    assert {"planner/value", "planner/probability"} <= made.logger.name_to_value.keys()


def test_others_can_let_it_decide():
    """`begin`, `decide` and `observe` alone do what `learn` does."""
    policy, env = PlanningPolicy(NAME, TableModel(NAME), seed=4), cell()
    with pytest.raises(ValueError, match="decide: no episode has begun"):
        policy.decide()
    _, info = env.reset(seed=4)
    policy.begin(info)
    actions = []
    for _ in range(20):
        actions.append(policy.decide()[0])
        policy.observe(env.step(actions[-1])[4])
    assert actions == followed(planner(seed=4), 20).actions


class Shares(ActionCodec):
    """Each slice's first units, in order; as many numbers as there are allocations."""

    def space(self, scenario):
        return gym.spaces.Discrete(scenario.num_allocations)

    def units(self, scenario, actions):
        assert scenario.num_allocations == len(TABLE)
        return TABLE[::-1][actions]


class Strange(TableModel):
    """Values without the slices."""

    def values(self, *arguments, **more):
        return super().values(*arguments, **more)[0]


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: planner(choose_by="max"), ValueError, "choose_by: unknown name 'max'"),
        (lambda: planner(horizon=0), ValueError, "horizon: 0 given, allowed is 1 to 10000"),
        (lambda: planner(horizon=2**64), ValueError, "horizon: 18446744073709551616 given, allowed is 1 to 10000"),
        (lambda: planner(gamma=1.5), ValueError, r"gamma: 1\.5 given, allowed is at most 1\.0"),
        (lambda: planner(seed=-1), ValueError, "seed: -1 given"),
        (lambda: planner(model=TableModel("paper")), ValueError, "model: it has 100 units for slices"),
        (lambda: planner(model=Strange(NAME)), ValueError, r"model: its values of a state have shape \(3, 18\)"),
        (lambda: planner(model=TableModel("nr-8slices")), ValueError, "model: it has 273 units for slices .'voice'"),
        (
            lambda: planner(cell("nr-8slices"), TableModel("nr-8slices", listed=True)),
            ValueError,
            "model: its utility is no sum over slices, and .* allocations cannot be listed",
        ),
        (lambda: planner(cell(action_codec=Shares())), ValueError, "env: its action_codec is a Shares"),
        (lambda: planner(gym.make("CartPole-v1")), TypeError, "env: .* has no scenario"),
        (
            lambda: planner(gym.make_vec("SliceRAN-v0", 2, scenario=NAME)),
            TypeError,
            "env: a SliceRANVectorEnv given, allowed is a scalar",
        ),
        (lambda: planner().act_in(cell("paper"), 0), ValueError, "env: it has 100 units for slices"),
        (lambda: planner().learn(0), ValueError, "decisions: 0 given"),
        (lambda: planner().predict(np.ones(4)), ValueError, r"observation: shape \(4,\) given, allowed are \(3,\)"),
        (lambda: planner(model=TableModel(NAME, listed=True)).slice_values(np.ones((1, 3))), ValueError, "no sum over"),
        (lambda: planner().forget(), NotImplementedError, "forget"),
        (lambda: planner().recall(3), NotImplementedError, "recall"),
    ],
)
def test_what_is_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def test_it_acts_in_another_cell():
    made = planner()
    made.learn(5)
    made.act_in(cell(), 9)
    follower = followed(made, 5)
    other = cell()
    np.testing.assert_array_equal(follower.started[0]["arrivals"], other.reset(seed=9)[1]["arrivals"])
    assert made.num_decisions == 10
    assert allocation_index(follower.allocation[0]) == follower.actions[0]
