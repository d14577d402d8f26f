"""Observers, reward functions and action codecs of a user's own, in every environment."""

# ruff: noqa: ARG001, ARG002, ARG005  # the environments fix what is passed

from __future__ import annotations

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from slicing_gym import (
    SCENARIOS,
    ActionCodec,
    AllocationIndexCodec,
    ArrivalsObserver,
    Constant,
    Observer,
    ScenarioReward,
    Uniform,
    allocation_index,
    get_scenario,
)
from slicing_gym.allocation import share_out
from slicing_gym.registration import ENVIRONMENT_IDS
from slicing_gym.space_spec import SpaceSpec
from twin.registration import TWIN_ID

each_id = pytest.mark.parametrize("env_id", [*ENVIRONMENT_IDS, TWIN_ID])


class SeesMuch(Observer):
    """Arrivals over nominal, then SSR: (2, n_slices)."""

    def space(self, scenario):
        high = np.stack([scenario.largest_arrivals / scenario.nominal_arrivals, np.ones(scenario.num_slices)])
        return gym.spaces.Box(np.zeros_like(high, np.float32), high.astype(np.float32), dtype=np.float32)

    def observe(self, scenario, info):
        rows = [info["arrivals"] / scenario.nominal_arrivals, info["ssr"]]
        return np.stack(rows, axis=1).astype(np.float32)


class SeesQueues(Observer):
    """Packets in queues (n_slices,)."""

    def space(self, scenario):
        return gym.spaces.Box(0.0, np.inf, (scenario.num_slices,), np.float32)

    def observe(self, scenario, info):
        return info["queued"].astype(np.float32)


class Shares(ActionCodec):
    """Weights of the slices."""

    def space(self, scenario):
        return gym.spaces.Box(0.0, 1.0, (scenario.num_slices,), np.float32)

    def units(self, scenario, actions):
        return share_out(actions, scenario.num_units)


def worst_ssr(scenario, info, thresholds):
    """The least satisfied slice counts, and whether U reaches the threshold."""
    return info["ssr"].min(axis=1) + 0.1 * (info["utility"] >= thresholds)


OWN = {"observer": SeesMuch(), "reward_function": worst_ssr, "action_codec": Shares()}


@each_id
def test_own_objects_say_what_is_seen_rewarded_and_done(env_id):
    env = gym.make(env_id, **OWN)
    observation, info = env.reset(seed=0)
    assert env.observation_space.shape == observation.shape == (2, 3)
    assert isinstance(env.action_space, gym.spaces.Box)
    nominal = env.unwrapped.scenario.nominal_arrivals
    observation, reward, *_, info = env.step(np.array([0.1, 0.6, 0.3], np.float32))
    np.testing.assert_array_equal(info["allocation"], share_out([0.1, 0.6, 0.3], 100))
    np.testing.assert_allclose(observation, [info["arrivals"] / nominal, info["ssr"]], rtol=1e-6)
    assert reward == info["ssr"].min() + 0.1 * (info["utility"] >= info["threshold"])
    assert len(env.unwrapped.allocations) == 4851
    check_env(gym.make(env_id, **OWN).unwrapped, skip_render_check=True)


@each_id
def test_the_batch_is_its_cells(env_id):
    short = {"scenario": get_scenario("paper").replace(decisions_per_episode=3)}
    envs = gym.make_vec(env_id, num_envs=3, autoreset_mode="SameStep", **short, **OWN)
    reference = gym.vector.SyncVectorEnv(
        [lambda: gym.make(env_id, **short, **OWN)] * 3, autoreset_mode=gym.vector.AutoresetMode.SAME_STEP
    )
    assert envs.single_observation_space == reference.single_observation_space
    assert envs.action_space == reference.action_space
    np.testing.assert_array_equal(envs.reset(seed=40)[0], reference.reset(seed=40)[0])
    envs.unwrapped.decisions = 20_000  # as in the test of the paper's reward, the thresholds of a batch count all cells
    for env in reference.envs:
        env.unwrapped.decisions = 20_000
    envs.action_space.seed(1)
    for _ in range(7):
        actions = envs.action_space.sample()
        mine, theirs = envs.step(actions), reference.step(actions)
        for part in range(4):
            np.testing.assert_array_equal(mine[part], theirs[part])
        np.testing.assert_array_equal(mine[4]["allocation"], theirs[4]["allocation"])


@each_id
def test_the_defaults_are_objects_like_any_other(env_id):
    given = {"observer": ArrivalsObserver(), "reward_function": ScenarioReward()}
    named = gym.make_vec(env_id, num_envs=2, action_codec=AllocationIndexCodec(), **given)
    plain = gym.make_vec(env_id, num_envs=2)
    assert named.observation_space == plain.observation_space
    assert named.action_space == plain.action_space
    np.testing.assert_array_equal(named.reset(seed=1)[0], plain.reset(seed=1)[0])
    for actions in ([0, 4850], [2000, 7]):
        for one, other in zip(named.step(np.array(actions))[:4], plain.step(np.array(actions))[:4], strict=True):
            np.testing.assert_array_equal(one, other)


@each_id
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_copies_go_on_alike(env_id, duplicate):
    env = gym.make(env_id, **OWN).unwrapped
    env.reset(seed=1)
    other = duplicate(env)
    for action in (np.array([0.2, 0.7, 0.1], np.float32), np.array([0.9, 0.0, 0.1], np.float32)):
        (o1, r1, *_), (o2, r2, *_) = env.step(action), other.step(action)
        np.testing.assert_array_equal(o1, o2)
        assert r1 == r2


@each_id
@pytest.mark.parametrize("action", [[0.5, 0.5], [0.2, 0.2, 1.5], "all", [0.1, np.nan, 0.2], [1j, 0.0, 0.0]])
def test_actions_outside_the_codecs_space_are_refused(env_id, action):
    env = gym.make(env_id, action_codec=Shares()).unwrapped
    env.reset(seed=0)
    with pytest.raises(gym.error.InvalidAction, match=r"action: .* given, allowed is one of Box"):
        env.step(action)
    envs = gym.make_vec(env_id, num_envs=2, action_codec=Shares())
    envs.reset(seed=0)
    with pytest.raises(gym.error.InvalidAction, match=r"actions.* given, allowed is"):
        envs.step([[0.1, 0.1, 0.1], action])


def test_what_was_not_measured_is_named_with_what_was():
    gym.make("SliceRAN-v0", observer=SeesQueues()).reset(seed=0)
    message = r"info: unknown name 'queued' \(allowed: .*arrivals, .*ssr"
    for make in (gym.make, gym.make_vec):
        with pytest.raises(ValueError, match=message):
            make(TWIN_ID, observer=SeesQueues()).reset(seed=0)
    env = gym.make(TWIN_ID, reward_function=lambda scenario, info, thresholds: -info["queued"].sum(axis=1))
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(0)
    with pytest.raises(ValueError, match=r"info: unknown name 'ssr'.*\(allowed: arrivals\)"):
        SpaceSpec("paper", observer=SeesMuch()).observe([1, 2, 3])


def test_a_penalty_is_taken_off_the_utility_that_an_own_reward_sees():
    def rewards(scenario, info, thresholds):
        return 2.0 * info["utility"]

    env = gym.make(TWIN_ID, uncertainty="penalty", penalty=3.0, reward_function=rewards)
    env.reset(seed=0)
    _, reward, *_, info = env.step(2000)
    assert info["epistemic_std"] > 0.0
    assert reward == pytest.approx(2.0 * (info["utility"] - 3.0 * info["epistemic_std"]))


class WrongSpace(SeesQueues):
    def space(self, scenario):
        return gym.spaces.Box(0.0, 1.0, (3,), np.float64)


class WrongShape(SeesQueues):
    def observe(self, scenario, info):
        return info["queued"][:, :2].astype(np.float32)


class NamesSlices(Shares):
    def space(self, scenario):
        return gym.spaces.Dict({name: gym.spaces.Discrete(9) for name in scenario.slice_names})


@each_id
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reward": "clip", "reward_function": worst_ssr}, "reward_function: given together with reward = 'clip'"),
        ({"reward_function": 3}, "reward_function: 3 given, allowed is a function"),
        ({"reward_function": ScenarioReward}, "reward_function: <class .* given, allowed is a function"),
        ({"observer": SeesQueues}, "observer: <class .* given, allowed is Observer"),
        ({"observer": Uniform(0.0, 1.0)}, r"observer: Uniform\(.* given, allowed is Observer"),
        ({"observer": WrongSpace()}, r"observer: its space is Box\(.*float64\), allowed is a Box of float32"),
        ({"action_codec": "index"}, "action_codec: 'index' given, allowed is ActionCodec"),
        ({"action_codec": NamesSlices()}, r"action_codec: its space is Dict\(.*, allowed is one of arrays or numbers"),
        ({"obsrever": SeesQueues()}, "unknown name 'obsrever'; did you mean 'observer'"),
    ],
)
def test_bad_objects_are_refused_by_name(env_id, arguments, message):
    for make in (gym.make, gym.make_vec):
        with pytest.raises((ValueError, TypeError), match=message):
            make(env_id, **arguments)


def test_results_of_a_wrong_shape_are_refused():
    with pytest.raises(ValueError, match=r"observer: made observations of shape \(1, 2\), allowed is \(1, 3\)"):
        gym.make("SliceRAN-v0", observer=WrongShape()).reset(seed=0)
    env = gym.make("SliceRAN-v0", reward_function=lambda scenario, info, thresholds: info["ssr"])
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"reward_function: made rewards of shape \(1, 3\), allowed is \(1,\)"):
        env.step(0)


class AddsUp:
    """A reward that says of itself that it is a sum over slices."""

    sums_over_slices = True

    def __call__(self, scenario, info, thresholds):
        return info["ssr"].sum(axis=1)


@each_id
@pytest.mark.parametrize(
    ("arguments", "sums"),
    [
        ({}, False),
        ({"reward": "clip"}, False),
        ({"reward": "utility"}, True),
        ({"reward_function": ScenarioReward()}, False),
        ({"reward_function": worst_ssr}, None),
        ({"reward_function": AddsUp()}, True),
    ],
)
def test_a_reward_says_whether_it_is_a_sum_over_slices(env_id, arguments, sums):
    for make in (gym.make, gym.make_vec):
        assert make(env_id, **arguments).unwrapped.sums_over_slices is sums


@pytest.mark.parametrize(("uncertainty", "sums"), [("none", True), ("truncate", True), ("penalty", False)])
def test_a_penalty_is_no_sum_over_slices(uncertainty, sums):
    for make in (gym.make, gym.make_vec):
        assert make(TWIN_ID, uncertainty=uncertainty, reward="utility").unwrapped.sums_over_slices is sums


def test_bounds_of_observations_suit_the_scenario():
    """A slice of 2000 users could bring a million packets by its queues; a bound clips, and nothing else."""
    crowd = get_scenario("paper").replace(
        slices={"urllc": {"num_users": 2000, "traffic": {"interarrival_s": Constant(100.0)}}}
    )
    usual = gym.make("SliceRAN-v0", scenario=crowd)
    np.testing.assert_allclose(usual.observation_space.high, [10.0, 10.0, 1.0 + 20.0 / np.sqrt(4.0) + 20.0 / 4.0])
    plain, bounded = (gym.make("SliceRAN-v0", scenario=crowd, observer=ArrivalsObserver(h)) for h in (None, 1.02))
    assert plain.observation_space.high[2] > 1e5
    np.testing.assert_array_equal(bounded.observation_space.high, np.float32([1.02] * 3))
    seen, clipped = (env.reset(seed=0)[0] for env in (plain, bounded))
    for _ in range(5):
        np.testing.assert_array_equal(clipped, np.minimum(seen, np.float32(1.02)))
        assert clipped in bounded.observation_space
        seen, clipped = (env.step(7)[0] for env in (plain, bounded))
    for wrong in (0.0, "none"):
        with pytest.raises(ValueError, match=rf"highest: {wrong!r} given"):
            ArrivalsObserver(wrong)


@pytest.mark.parametrize("name", SCENARIOS)
def test_all_presets_end_at_ten_and_nothing_is_clipped_there(name):
    """Random allocations starve slices for a while, which is when most packets join at once."""
    envs = [
        gym.make_vec("SliceRAN-v0", 4, scenario=name, observer=observer, max_episode_steps=300)
        for observer in (ArrivalsObserver(), ArrivalsObserver(None))
    ]
    assert (envs[0].single_observation_space.high == 10.0).all()
    generator = np.random.default_rng(0)
    scenario = get_scenario(name)
    seen = [env.reset(seed=0)[0] for env in envs]
    for _ in range(300):
        np.testing.assert_array_equal(*seen)
        units = 1 + generator.multinomial(
            scenario.num_units - scenario.num_slices, generator.dirichlet(np.full(scenario.num_slices, 0.3), 4)
        )
        actions = allocation_index(units, num_units=scenario.num_units)
        seen = [env.step(actions)[0] for env in envs]


def test_a_slice_whose_load_varies_ends_higher():
    quiet, busy = (
        {"active_users": {"kind": "jumps", "low": low, "high": 1.0, "mean_decisions": 50.0}} for low in (0.5, 0.001)
    )
    ends = [
        ArrivalsObserver().space(get_scenario("paper").replace(slices={"video": {"traffic": traffic}})).high
        for traffic in (quiet, busy)
    ]
    assert ends[0][1] == 10.0 < ends[1][1]
