"""One contract for every registered id; then what is the simulator's own."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.env_checker import check_env as sb3_check_env

import slicing_gym
from slicing_gym import SCENARIOS, Reward, Scenario, Simulator, allocation_units, get_scenario
from slicing_gym.registration import ENVIRONMENT_IDS, register_environments
from tests.helpers.twins import quick_twin
from twin.registration import TWIN_ID, register_twin

INFO_KEYS = {"arrivals", "allocation", "ssr", "spectral_efficiency", "utility", "threshold"}
each_id = pytest.mark.parametrize("env_id", [*ENVIRONMENT_IDS, TWIN_ID])


def arguments_of(env_id: str, scenario: str | Scenario) -> dict[str, object]:
    """What `gym.make` needs for an environment of that scenario."""
    return {"scenario": scenario} | ({"twin": quick_twin(get_scenario(scenario))} if env_id == TWIN_ID else {})


@each_id
@pytest.mark.parametrize("render_mode", [None, "rgb_array", "human"])
def test_checkers_find_nothing(env_id, render_mode):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(env_id, render_mode=render_mode).unwrapped)
        sb3_check_env(gym.make(env_id))


@each_id
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_spaces_info_and_rewards_are_as_promised(env_id, scenario):
    env = gym.make(env_id, **arguments_of(env_id, scenario))
    described = env.unwrapped.scenario
    assert env.action_space == gym.spaces.Discrete(described.num_allocations)
    observation, info = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    assert set(info) >= INFO_KEYS
    action = described.num_allocations // 3
    observation, reward, terminated, truncated, info = env.step(action)
    assert env.observation_space.contains(observation)
    assert observation.dtype == np.float32
    np.testing.assert_allclose(observation, info["arrivals"] / described.nominal_arrivals, rtol=1e-6)
    units = allocation_units(action, described.num_units, described.num_slices)
    np.testing.assert_array_equal(info["allocation"], units)
    expected = described.reward.se_weight * info["spectral_efficiency"] + info["ssr"].sum()
    assert info["utility"] == pytest.approx(expected)
    shaped = described.reward.kind == "shaped"
    assert reward == (float(info["utility"] >= info["threshold"]) if shaped else pytest.approx(info["utility"]))
    assert (terminated, truncated) == (False, False)


@each_id
def test_two_environments_keep_step_and_other_seeds_differ(env_id):
    envs = [gym.make(env_id) for _ in range(3)]
    firsts = [env.reset(seed=seed)[0] for env, seed in zip(envs, (5, 5, 6), strict=True)]
    envs[0].action_space.seed(0)
    np.testing.assert_array_equal(firsts[0], firsts[1])
    differ = not np.array_equal(firsts[0], firsts[2])
    for _ in range(20):
        action = envs[0].action_space.sample()
        (o1, r1, *_, i1), (o2, r2, *_, i2), (o3, *_) = (env.step(action) for env in envs)
        np.testing.assert_array_equal(o1, o2)
        assert (r1, i1["utility"]) == (r2, i2["utility"])
        differ |= not np.array_equal(o1, o3)
    assert differ


@each_id
def test_an_episode_is_truncated_never_terminated(env_id):
    env = gym.make(env_id, **arguments_of(env_id, "paper-1mhz"))
    env.reset(seed=0)
    ends = [env.step(0)[2:4] for _ in range(200)]
    assert ends == [(False, False)] * 199 + [(False, True)]
    with pytest.raises(gym.error.ResetNeeded, match="reset"):
        env.step(0)
    env.reset()
    env.step(0)


@each_id
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_copies_go_on_alike(env_id, duplicate):
    env = gym.make(env_id, render_mode="rgb_array").unwrapped
    env.reset(seed=1)
    env.step(100)
    env.render()
    other = duplicate(env)
    for action in (7, 4000):
        (o1, *_, i1), (o2, *_, i2) = env.step(action), other.step(action)
        np.testing.assert_array_equal(o1, o2)
        assert i1["utility"] == i2["utility"]


@each_id
@pytest.mark.parametrize("action", [-1, 4851, 1.5, "3", None, True, np.array([1]), np.float64(2.0)])
def test_bad_actions_are_refused(env_id, action):
    env = gym.make(env_id).unwrapped
    env.reset(seed=0)
    with pytest.raises(gym.error.InvalidAction, match="allowed"):
        env.step(action)


@each_id
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scenario": "papper"}, "unknown name 'papper'; did you mean 'paper'"),
        ({"reward": "shape"}, "unknown name 'shape'; did you mean 'shaped'"),
        ({"reward": 3}, "reward: 3 is neither"),
        ({"decisions": -1}, "decisions: -1 given"),
        ({"scenario": 3}, "is neither a name nor a Scenario"),
        ({"scenario": {"name": "x"}}, "scenario.slices: None is not a mapping of name to slice"),
        ({"scenari": "paper"}, "Slice.*Env: unknown name 'scenari'; did you mean 'scenario'"),
    ],
)
def test_bad_arguments_are_refused_by_name(env_id, arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        gym.make(env_id, **arguments)
    with pytest.raises((ValueError, TypeError), match=message):
        gym.make_vec(env_id, num_envs=2, **arguments)


@each_id
@pytest.mark.parametrize("number", [0, 1025, 10**400])
def test_threads_beyond_reason_are_refused(env_id, number):
    with pytest.raises(ValueError, match=r"num_threads: .* (given|given,).*1 to 1024"):
        gym.make_vec(env_id, num_envs=2, num_threads=number)


@each_id
@pytest.mark.parametrize("number", [0, 10**12, 2**63])
def test_batches_beyond_reason_are_refused(env_id, number):
    with pytest.raises(ValueError, match=rf"num_envs: {number} given, allowed is 1 to 16777216"):
        gym.make_vec(env_id, num_envs=number)


@each_id
def test_the_batch_is_its_cells(env_id):
    envs = gym.make_vec(env_id, num_envs=3, num_threads=2)
    alone = [gym.make(env_id) for _ in range(3)]
    together, _ = envs.reset(seed=40)
    for i, env in enumerate(alone):
        np.testing.assert_array_equal(env.reset(seed=40 + i)[0], together[i])
    envs.action_space.seed(1)
    for _ in range(5):
        actions = envs.action_space.sample()
        observations, _, _, _, infos = envs.step(actions)
        for i, env in enumerate(alone):
            observation, *_, info = env.step(actions[i])
            np.testing.assert_array_equal(observation, observations[i])
            assert infos["utility"][i] == info["utility"]
            assert infos["_utility"][i]
            np.testing.assert_array_equal(infos["ssr"][i], info["ssr"])


@each_id
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_autoreset_is_that_of_gymnasium(env_id, mode):
    """The native batch compared with Gymnasium's SyncVectorEnv, over the end of episodes."""
    short = get_scenario("paper-1mhz").replace(decisions_per_episode=4)
    given = arguments_of(env_id, short)
    native = gym.make_vec(env_id, num_envs=2, reward="utility", autoreset_mode=mode, **given)
    reference = gym.vector.SyncVectorEnv([lambda: gym.make(env_id, reward="utility", **given)] * 2, autoreset_mode=mode)
    assert native.metadata["autoreset_mode"] is mode
    np.testing.assert_array_equal(native.reset(seed=3)[0], reference.reset(seed=3)[0])
    for step in range(11):
        actions = np.array([step, 170 - step])
        mine, theirs = native.step(actions), reference.step(actions)
        for part in range(4):
            np.testing.assert_array_equal(mine[part], theirs[part], err_msg=f"step {step}, part {part}")
        assert set(theirs[4]) <= set(mine[4])
        np.testing.assert_array_equal(mine[4]["utility"], theirs[4]["utility"])
        if "final_info" in theirs[4]:
            np.testing.assert_array_equal(mine[4]["_final_info"], theirs[4]["_final_info"])
            np.testing.assert_array_equal(mine[4]["final_info"]["utility"], theirs[4]["final_info"]["utility"])
            for one, other in zip(mine[4]["final_obs"], theirs[4]["final_obs"], strict=True):
                np.testing.assert_array_equal(one, other)


@each_id
def test_without_autoreset_the_user_resets(env_id):
    short = get_scenario("paper-1mhz").replace(decisions_per_episode=2)
    envs = gym.make_vec(env_id, num_envs=2, autoreset_mode="Disabled", **arguments_of(env_id, short))
    envs.reset(seed=0)
    envs.step(np.array([0, 0]))
    envs.reset(options={"reset_mask": np.array([True, False])})
    *_, truncations, _ = envs.step(np.array([0, 0]))
    assert truncations.tolist() == [False, True]
    with pytest.raises(gym.error.ResetNeeded, match=r"\[1\] need a reset"):
        envs.step(np.array([0, 0]))
    envs.reset(options={"reset_mask": np.array([False, True])})
    envs.step(np.array([0, 0]))
    with pytest.raises(ValueError, match="reset_mask"):
        envs.reset(options={"reset_mask": np.array([False, False])})


@each_id
def test_options_of_a_reset_that_nothing_reads_are_refused(env_id):
    short = arguments_of(env_id, get_scenario("paper-1mhz"))
    env, envs = gym.make(env_id, **short), gym.make_vec(env_id, num_envs=2, **short)
    with pytest.raises(ValueError, match=r"options: unknown name 'foo' \(allowed: none\); a cell is chosen by seed="):
        env.reset(options={"foo": 1})
    with pytest.raises(ValueError, match=r"'mask'; did you mean 'reset_mask'\? \(allowed: reset_mask\)"):
        envs.reset(options={"mask": np.array([True, False])})
    for each in (env, envs):
        with pytest.raises(TypeError, match="options: 'foo' given, allowed is one of Mapping"):
            each.reset(options="foo")
        for options in (None, {}):
            each.reset(seed=0, options=options)


@each_id
@pytest.mark.parametrize("actions", [[0], [0, 4851], [0, -1], [0.5, 1.0], [[0, 0]], [[0], [1, 2]]])
def test_bad_batches_of_actions_are_refused(env_id, actions):
    envs = gym.make_vec(env_id, num_envs=2)
    with pytest.raises(gym.error.ResetNeeded):
        envs.step(np.array([0, 0]))
    envs.reset(seed=0)
    with pytest.raises(gym.error.InvalidAction, match="actions"):
        envs.step(actions)
    with pytest.raises(TypeError, match=r"seed: 1\.5 given"):
        envs.reset(seed=1.5)


def test_stepping_or_rendering_before_reset_is_refused():
    env = gym.make("SliceRAN-v0", render_mode="rgb_array").unwrapped
    for act in (lambda: env.step(0), env.render, lambda: env.simulator):
        with pytest.raises(gym.error.ResetNeeded, match="reset"):
            act()


def test_the_threshold_counts_decisions_whatever_the_batch():
    one, four = gym.make("SliceRAN-v0"), gym.make_vec("SliceRAN-v0", num_envs=4, num_threads=1)
    one.reset(seed=0)
    four.reset(seed=0)
    alone = [one.step(0)[4]["threshold"] for _ in range(8)]
    together = np.concatenate([four.step(np.zeros(4, int))[4]["threshold"] for _ in range(2)])
    np.testing.assert_array_equal(alone, together)
    assert alone[0] == 5.0
    assert alone[1] == pytest.approx(5.0 + 2.5 / 20_000)
    assert one.unwrapped.decisions == four.unwrapped.decisions == 8


def test_the_count_of_decisions_can_be_set_and_outlives_episodes():
    env = gym.make("SliceRAN-v0", scenario="paper-1mhz", decisions=10_000)
    env.reset(seed=0)
    assert env.step(0)[4]["threshold"] == pytest.approx(6.25)
    env.reset()
    assert env.step(0)[4]["threshold"] > 6.25
    env.unwrapped.decisions = 20_000
    env.reset(seed=1)
    assert env.step(0)[4]["threshold"] == 7.5
    with pytest.raises(ValueError, match="decisions: -5"):
        env.unwrapped.decisions = -5


def test_rewards_by_name_and_by_object():
    for reward in ("utility", Reward("utility", se_weight=0.02)):
        env = gym.make("SliceRAN-v0", reward=reward)
        env.reset(seed=0)
        _, value, *_, info = env.step(2000)
        assert value == info["utility"]
    assert env.unwrapped.scenario.reward.se_weight == 0.02


def test_reset_without_a_seed_keeps_the_users_and_resamples_the_noise():
    env = gym.make("SliceRAN-v0").unwrapped
    env.reset(seed=3)
    users = env.simulator.state()["snr_hz"]
    first = [env.step(4000)[4]["utility"] for _ in range(3)]
    env.reset()
    np.testing.assert_array_equal(env.simulator.state()["snr_hz"], users)
    assert [env.step(4000)[4]["utility"] for _ in range(3)] != first
    env.reset(seed=3)
    assert [env.step(4000)[4]["utility"] for _ in range(3)] == first
    env.reset(seed=4)
    assert not np.array_equal(env.simulator.state()["snr_hz"], users)


def test_environment_is_the_simulator():
    env = gym.make("SliceRAN-v0")
    env.reset(seed=8)
    simulator = Simulator("paper", [8])
    simulator.warm_up()
    for action in (0, 4850, 2000):
        info = env.step(action)[4]
        interval = simulator.advance(env.unwrapped.allocations[action])
        assert info["utility"] == interval.utility[0]
        np.testing.assert_array_equal(info["queued"], interval.queued[0])
        np.testing.assert_array_equal(info["blocked"], interval.blocked[0])


def test_observations_are_the_callers_own():
    envs = gym.make_vec("SliceRAN-v0", num_envs=2)
    first, _ = envs.reset(seed=0)
    kept = first.copy()
    second = envs.step(np.array([0, 1]))[0]
    np.testing.assert_array_equal(first, kept)
    second[:] = -1.0
    assert (envs.step(np.array([0, 1]))[0] >= 0.0).all()


def test_unknown_render_mode_is_refused():
    with pytest.raises(ValueError, match="render_mode: unknown name 'ascii'"):
        slicing_gym.SliceRANEnv(render_mode="ascii")
    with pytest.raises(ValueError, match=r"render_mode: unknown name 'human'.*rgb_array"):
        slicing_gym.SliceRANVectorEnv(2, render_mode="human")


def test_registering_twice_changes_nothing():
    before = dict(gym.registry)
    register_environments()
    register_twin()
    assert dict(gym.registry) == before


@pytest.mark.parametrize(
    "code",
    [
        "import sys, slicing_gym; "
        "assert not {'torch', 'stable_baselines3', 'hydra', 'matplotlib', 'pygame'} & set(sys.modules)",
        "import gymnasium as gym; gym.make('slicing_gym:SliceRAN-v0').reset(seed=0)",
        "import sys, gymnasium as gym; env = gym.make('twin:SliceTwin-v0'); env.reset(seed=0); env.step(7); "
        "assert not {'torch', 'stable_baselines3', 'pandas', 'matplotlib'} & set(sys.modules)",
    ],
    ids=["import is light", "works by name without an import", "a twin is stepped without PyTorch"],
)
def test_in_a_fresh_process(code):
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
