"""What other frameworks expect of an environment, in both ids."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from slicing_gym import (
    AllocationIndexCodec,
    AllocationListCodec,
    Simulator,
    allocation_index,
    get_scenario,
)
from slicing_gym.registration import ENVIRONMENT_IDS
from slicing_gym.threads import Threads
from tests.helpers.twins import quick_twin
from twin import RecordHistoryVector
from twin.planning import PlanningTwin
from twin.registration import TWIN_ID

each_id = pytest.mark.parametrize("env_id", [*ENVIRONMENT_IDS, TWIN_ID])


@each_id
def test_a_render_mode_needs_pygame_only_where_something_is_drawn(env_id, monkeypatch):
    """Stable-Baselines3 sets the mode in every environment that it makes of an id."""
    monkeypatch.setitem(sys.modules, "pygame", None)  # as where it is not installed
    env = gym.make(env_id, render_mode="rgb_array")
    env.reset(seed=0)
    env.step(0)
    with pytest.raises(gym.error.DependencyNotInstalled, match=r"slicing-gym\[render\]"):
        env.render()


@each_id
def test_unknown_arguments_are_reported_as_python_does(env_id):
    """TorchRL tries `frameskip`, and goes on without it where it finds this phrase."""
    with pytest.raises(TypeError, match=r"Env.__init__\(\) got an unexpected keyword argument 'frameskip'; .*allowed"):
        gym.make(env_id, frameskip=1)
    with pytest.raises(TypeError, match=r"Env.__init__\(\) got an unexpected keyword argument 'frameskip'; .*allowed"):
        gym.make_vec(env_id, num_envs=2, frameskip=1)


@each_id
def test_info_values_have_a_shape_and_a_type(env_id):
    env = gym.make(env_id)
    for info in (env.reset(seed=0)[1], env.step(0)[4]):
        assert all(isinstance(value, np.ndarray | np.float64) for value in info.values())


def with_read_only_arrays(thing):
    """A copy as Ray's object store and joblib make one: with arrays that nobody may write on."""
    buffers = []
    content = pickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(content, buffers=[bytes(buffer.raw()) for buffer in buffers])


@each_id
@pytest.mark.parametrize("num_envs", [0, 3], ids=["one", "batch"])
def test_what_arrives_with_read_only_arrays_goes_on(env_id, num_envs):
    env = gym.make_vec(env_id, num_envs=num_envs) if num_envs else gym.make(env_id).unwrapped
    action = np.full(num_envs, 7) if num_envs else 7
    env.reset(seed=1)
    env.step(action)
    other = with_read_only_arrays(env)
    for _ in range(3):
        (o1, r1, *_, i1), (o2, r2, *_, i2) = env.step(action), other.step(action)
        np.testing.assert_array_equal(o1, o2)
        np.testing.assert_array_equal(r1, r2)
        np.testing.assert_array_equal(i1["utility"], i2["utility"])
    np.testing.assert_array_equal(env.reset()[0], other.reset()[0])


def test_environments_of_spawned_processes_are_those_of_this_one():
    makers = [partial(gym.make, name) for name in ("slicing_gym:SliceRAN-v0", "twin:SliceTwin-v0")]
    apart, here = AsyncVectorEnv(makers, context="spawn"), SyncVectorEnv(makers)
    try:
        for envs in (apart, here):
            envs.reset(seed=[3, 4])
        for action in (7, 4000):
            for one, other in zip(apart.step([action] * 2)[:2], here.step([action] * 2)[:2], strict=True):
                np.testing.assert_array_equal(one, other)
    finally:
        apart.close()


def test_a_recorded_batch_with_read_only_arrays_goes_on():
    envs = RecordHistoryVector(gym.make_vec("SliceRAN-v0", num_envs=2, decisions=3))
    envs.reset(seed=0)
    for _ in range(3):
        envs.step(np.array([3, 4]))
    other = with_read_only_arrays(envs)
    for each in (envs, other):
        each.reset()
        each.step(np.array([5, 6]))
    same = envs.recorder.history(), other.recorder.history()
    np.testing.assert_array_equal(same[0].next_arrivals, same[1].next_arrivals)


def test_a_simulator_and_a_twin_with_read_only_arrays_go_on():
    simulator, twin = Simulator("paper", [1, 2]), quick_twin(get_scenario("paper"))
    simulator.warm_up()
    other = with_read_only_arrays(simulator)
    np.testing.assert_array_equal(simulator.advance([30, 30, 40]).utility, other.advance([30, 30, 40]).utility)
    other.redraw([0], [5])
    cells, again = twin.cells([1, 2]), with_read_only_arrays(twin).cells([1, 2])
    for each in (cells, again):
        each.begin_episode()
    np.testing.assert_array_equal(cells.advance([30, 30, 40]).utility, again.advance([30, 30, 40]).utility)


def test_a_planners_model_with_read_only_arrays_learns_on():
    env, model = gym.make("SliceRAN-v0", scenario="paper-1mhz"), PlanningTwin("paper-1mhz")
    model.begin(env.reset(seed=0)[1])
    model.observe(env.step(30)[4])
    other = with_read_only_arrays(model)
    for each in (model, other):
        for action in (40, 50):
            each.observe(copy.deepcopy(env).step(action)[4])
    for name, value in model.state()[1].items():
        np.testing.assert_array_equal(value, other.state()[1][name], err_msg=name)


@each_id
def test_a_configuration_of_rllib_is_refused_with_the_line_to_use(env_id):
    class EnvContext(dict):
        worker_index = vector_index = 0

    entry = gym.envs.registration.load_env_creator(gym.spec(env_id).entry_point)
    with pytest.raises(TypeError, match=rf"config.environment\('\w+:{env_id}', env_config="):
        entry(EnvContext(scenario="paper"))


@each_id
@pytest.mark.parametrize("vector", [False, True])
def test_a_second_thread_is_refused_and_nothing_is_spoilt(env_id, vector):
    """The reward function lets the second thread in while the first is in the middle of a step."""
    inside, tried = threading.Event(), threading.Event()

    def wait(_, info, __):
        env.render()  # what the thread that is inside does itself lets nobody else in
        inside.set()
        assert tried.wait(10.0)
        return info["utility"]

    env = (gym.make_vec if vector else gym.make)(env_id, reward_function=wait, render_mode="rgb_array").unwrapped
    action = np.array([3]) if vector else 3
    env.reset(seed=0)
    drawn = copy.deepcopy(env.np_random.bit_generator.state)
    first = threading.Thread(target=env.step, args=(action,))
    first.start()
    inside.wait(10.0)
    states = [env.state] if hasattr(env, "state") else []  # SliceRAN has it, alone and in a batch
    seeded = lambda: env.reset(seed=7)  # noqa: E731
    for use in (lambda: env.step(action), env.reset, seeded, env.render, lambda: pickle.dumps(env), *states):
        with pytest.raises(RuntimeError, match=rf"{env_id}: in use by another thread.*deepcopy"):
            use()
    assert env.np_random.bit_generator.state == drawn
    tried.set()
    first.join(10.0)
    assert env.decisions == 1
    env.step(action)  # once it is free again
    copy.deepcopy(env).step(action)


def test_cells_are_for_one_thread_at_a_time():
    threads = Threads(1)
    inside, tried = threading.Event(), threading.Event()

    def wait(*_):
        inside.set()
        assert tried.wait(10.0)

    first = threading.Thread(target=threads.run, args=(wait, np.arange(2), [None]))
    first.start()
    inside.wait(10.0)
    with pytest.raises(RuntimeError, match="cells: in use by another thread"):
        threads.run(lambda *_: None, np.arange(2), [None])
    tried.set()
    first.join(10.0)
    threads.run(lambda *_: None, np.arange(2), [None])


def test_a_fork_while_another_thread_compiles_leaves_no_lock_behind():
    code = """
import os, threading, time
from numba.core.compiler_lock import global_compiler_lock
from slicing_gym import SliceRANEnv
def compiles():
    with global_compiler_lock:
        inside.set()
        time.sleep(0.3)
inside = threading.Event()
thread = threading.Thread(target=compiles)
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    import signal
    signal.alarm(20)
    SliceRANEnv().reset(seed=0)
    with global_compiler_lock:
        os._exit(0)
thread.join()
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, (ran.returncode, ran.stderr)


@each_id
def test_a_batch_answers_as_gymnasiums_own(env_id):
    own = gym.make_vec(env_id, num_envs=2, render_mode="rgb_array", max_episode_steps=3, reward="utility")
    theirs = gym.make_vec(
        env_id, num_envs=2, vectorization_mode="sync", render_mode="rgb_array", max_episode_steps=3, reward="utility"
    )
    with pytest.raises(gym.error.ResetNeeded):
        own.render()
    for envs in (own, theirs):
        envs.reset(seed=4)
    for step in range(8):
        actions = np.array([100 * step, 4000])
        mine, other = own.step(actions), theirs.step(actions)
        for part in range(4):
            np.testing.assert_array_equal(mine[part], other[part], err_msg=f"step {step}, part {part}")
        pictures, wanted = own.render(), theirs.render()
        assert isinstance(pictures, tuple)
        np.testing.assert_array_equal(pictures[1], wanted[1])
    for name in ("scenario", "sums_over_slices", "render_mode"):
        assert own.get_attr(name) == own.call(name) == theirs.get_attr(name)
    for envs in (own, theirs):
        envs.set_attr("decisions", 10_000)
        envs.set_attr("decisions", [20_000, 20_000])
        assert envs.get_attr("decisions") == (20_000, 20_000)
        with pytest.raises(AttributeError, match="no_such"):
            envs.call("no_such")
        with pytest.raises(ValueError, match="alues"):
            envs.set_attr("decisions", [1, 2, 3])
    with pytest.raises(ValueError, match="have it in common"):
        own.set_attr("decisions", [1, 2])
    with pytest.raises(NotImplementedError, match="vectorization_mode='sync'"):
        own.call("reset")
    with pytest.raises(ValueError, match="max_episode_steps: 0 given"):
        gym.make_vec(env_id, num_envs=2, max_episode_steps=0)
    copied = copy.deepcopy(own)
    copied.reset()
    np.testing.assert_array_equal(copied.render()[0], own.render()[0] if own.reset() else None)


@each_id
@pytest.mark.parametrize("given", [np.array([3]), np.array([[3]]), 3.0, np.float32(3.0), np.array(3.0), True])
def test_a_refused_number_is_told_how_to_be_an_action(env_id, given):
    env = gym.make(env_id).unwrapped
    env.reset(seed=0)
    with pytest.raises(gym.error.InvalidAction, match=r"not a whole .*; int\(action(\.item\(\))?\) is one") as told:
        env.step(given)
    env.step(eval(str(told.value).split("; ")[1].removesuffix(" is one"), {"action": given}))


@each_id
@pytest.mark.parametrize("given", [[20, 60, 20], (20, 60, 20), np.array([20, 60, 20])])
def test_units_are_told_how_to_be_an_action(env_id, given):
    env = gym.make(env_id).unwrapped
    env.reset(seed=0)
    with pytest.raises(
        gym.error.InvalidAction, match=r"; slicing_gym\.allocation_index\(units, num_units=\.\.\.\) is "
    ):
        env.step(given)
    env.step(allocation_index(given, num_units=100))


@each_id
@pytest.mark.parametrize(
    "given",
    [
        *([[1], [1, 2]], ["a", "b"], np.array([[20, 60, 20]]), [0.2, 0.3], (True, False), np.array([True, False])),
        *(np.nan, 3.7, -2.0, 1e9, 1e300, np.array(["x"]), "3"),
    ],
)
def test_what_is_no_allowed_number_is_told_no_more(env_id, given):
    env = gym.make(env_id).unwrapped
    env.reset(seed=0)
    with pytest.raises(gym.error.InvalidAction, match=r"is not a whole number \(allowed: 0 to \d+\)$"):
        env.step(given)


@pytest.mark.parametrize("codec", [AllocationIndexCodec((1, 0, 1)), AllocationListCodec([[20, 60, 20], [30, 40, 30]])])
def test_units_are_told_of_no_function_that_numbers_them_otherwise(codec):
    env = gym.make("SliceRAN-v0", action_codec=codec).unwrapped
    env.reset(seed=0)
    with pytest.raises(gym.error.InvalidAction, match=r"is not a whole number \(allowed: 0 to \d+\)$"):
        env.step([20, 60, 20])


@each_id
@pytest.mark.parametrize("given", [np.array([[3], [4]]), np.array([3.0, 4.0]), np.array([[3.0], [4.0]])])
def test_refused_actions_of_a_batch_are_told_how_to_be_some(env_id, given):
    envs = gym.make_vec(env_id, num_envs=2).unwrapped
    envs.reset(seed=0)
    with pytest.raises(gym.error.InvalidAction, match=r"allowed are integers of shape \(2,\); .* are such") as told:
        envs.step(given)
    envs.step(eval(str(told.value).split("; ")[1].removesuffix(" are such"), {"actions": given}))
    with pytest.raises(gym.error.InvalidAction, match=r"allowed are integers of shape \(2,\)$"):
        envs.step(np.array([3.5, 4.0]))


def test_gymnasiums_own_batch_keeps_its_mask_to_itself():
    envs = gym.make_vec(
        "SliceRAN-v0", num_envs=2, scenario="paper-1mhz", vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode.DISABLED},
    )  # fmt: skip
    envs.reset(seed=0)
    before = envs.step(np.array([3, 3]))[0].copy()
    after, _ = envs.reset(options={"reset_mask": np.array([True, False])})
    np.testing.assert_array_equal(after[1], before[1])


def test_earlier_versions_of_gymnasium_need_no_types_at_run_time():
    """RLlib pins Gymnasium 1.2, whose MultiDiscrete is no generic class."""
    code = """
import gymnasium as gym
for kind in (gym.spaces.Box, gym.spaces.Discrete, gym.spaces.MultiDiscrete):
    kind.__class_getitem__ = classmethod(lambda cls, item: 1 / 0)
import agents.offline, experiments.train, slicing_gym, twin
gym.make("SliceRAN-v0"), gym.make("SliceTwin-v0")
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
