"""Replay buffers for any agent: what is sampled, centred, added at once, and summed over several decisions."""

from __future__ import annotations

import io

import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3.common import buffers

from agents import DQN, NStepReplayBuffer, ReplayBuffer, Transitions
from tests.helpers.learners import Follow, fill, learner
from tests.helpers.learners import _one_thread as _one_thread

KINDS = [ReplayBuffer, NStepReplayBuffer]
each_buffer = pytest.mark.parametrize("kind", KINDS)
GAMMA = 0.8


def empty(kind=ReplayBuffer, rows=50, n_envs=1, **arguments):
    if kind is not ReplayBuffer:
        arguments = {"gamma": GAMMA, **arguments}
    return kind(rows * n_envs, Follow.observation_space, Follow.action_space, "cpu", n_envs=n_envs, **arguments)


def live(buffers_, number, seed=0, n_envs=1):
    """Decisions, added to all buffers; returned as a list of what was added, one tuple each."""
    rng = np.random.default_rng(seed)
    log = []
    for _ in range(number):
        kinds = rng.integers(6, size=n_envs)  # 0 is truncated, 1 is terminal
        row = (
            rng.random((n_envs, 2), dtype=np.float32),
            rng.random((n_envs, 2), dtype=np.float32),
            rng.integers(7, size=n_envs),
            rng.standard_normal(n_envs).astype(np.float32),
        )
        for buffer in buffers_:
            buffer.add(*row, kinds < 2, [{"TimeLimit.truncated": bool(kind == 0)} for kind in kinds])
        log.append((*row, kinds))
    return log


def oracle(log, rows, number, n_envs, n_steps, mean=0.0):
    """One return, from what was added: (observation, action, next observation, done, return, discount)."""
    row, cell = number // n_envs, number % n_envs
    begin = next(time for time in range(max(0, len(log) - rows), len(log)) if time % rows == row)
    total, discount, time = 0.0, 1.0, begin
    while True:
        total += discount * (float(log[time][3][cell]) - mean)
        discount *= GAMMA
        if log[time][4][cell] < 2 or time + 1 == len(log) or time + 1 == begin + n_steps:
            break
        time += 1
    _, following, _, _, kinds = log[time]
    return log[begin][0][cell], log[begin][2][cell], following[cell], float(kinds[cell] == 1), total, discount


def assert_as_oracle(buffer, log, rows, n_envs, n_steps, mean=0.0):
    numbers = np.arange(buffer.size() * n_envs)
    batch = buffer._get_samples(numbers)
    expected = [oracle(log, rows, int(number), n_envs, n_steps, mean) for number in numbers]
    observations, actions, following, dones, returns, discounts = (
        np.array(each) for each in zip(*expected, strict=True)
    )
    np.testing.assert_array_equal(batch.observations, observations)
    np.testing.assert_array_equal(batch.actions[:, 0], actions)
    np.testing.assert_array_equal(batch.next_observations, following)
    np.testing.assert_array_equal(batch.dones[:, 0], dones)
    np.testing.assert_allclose(batch.rewards[:, 0], returns, rtol=1e-5, atol=1e-5)
    if batch.discounts is not None:
        np.testing.assert_allclose(batch.discounts[:, 0], discounts, rtol=1e-6)
        assert batch.discounts.dtype == torch.float32
    assert batch.rewards.dtype == batch.dones.dtype == torch.float32
    assert {tuple(each.shape) for each in (batch.rewards, batch.dones, batch.actions)} == {(len(numbers), 1)}


@pytest.mark.parametrize("number", [1, 2, 9, 13, 20, 26, 27, 40])  # rows: 13
@pytest.mark.parametrize("n_envs", [1, 3])
@pytest.mark.parametrize("n_steps", [1, 2, 3, 5, 13])
def test_returns_are_those_of_a_simple_loop(number, n_envs, n_steps):
    buffer = empty(NStepReplayBuffer, 13, n_envs, n_steps=n_steps)
    log = live([buffer], number, seed=number, n_envs=n_envs)
    assert_as_oracle(buffer, log, 13, n_envs, n_steps)
    buffer = empty(rows=13, n_envs=n_envs)
    live([buffer], number, seed=number, n_envs=n_envs)
    assert_as_oracle(buffer, log, 13, n_envs, 1)


@pytest.mark.parametrize("number", [5, 13, 30])
def test_centred_returns_are_those_of_centred_rewards(number):
    buffer = empty(NStepReplayBuffer, 13, 2, n_steps=4, centering={"mean": 0.7})
    log = live([buffer], number, n_envs=2)
    assert_as_oracle(buffer, log, 13, 2, 4, mean=0.7)


def test_one_step_is_the_single_step_buffer():
    single, one = empty(seed=3, centering={}), empty(NStepReplayBuffer, n_steps=1, seed=3, centering={})
    live([single, one], 70)
    for _ in range(3):
        own, other = single.sample(64), one.sample(64)
        for name in ("observations", "actions", "next_observations", "dones"):
            assert torch.equal(getattr(own, name), getattr(other, name))
        torch.testing.assert_close(own.rewards, other.rewards)
        torch.testing.assert_close(other.discounts, torch.full((64, 1), GAMMA))


@pytest.mark.parametrize("number", [4, 13, 26, 31])
@pytest.mark.parametrize("n_steps", [1, 3, 6])
def test_returns_are_those_of_stable_baselines3(number, n_steps):
    ours, theirs = (empty(kind, 13, n_steps=n_steps) for kind in (NStepReplayBuffer, buffers.NStepReplayBuffer))
    live([ours, theirs], number, seed=number)
    numbers = np.random.default_rng(0).integers(ours.size(), size=100)
    for own, other in zip(ours._get_samples(numbers), theirs._get_samples(numbers), strict=True):
        torch.testing.assert_close(own, other)


@each_buffer
def test_constant_rewards_are_nothing_when_centred(kind):
    buffer = empty(kind, n_envs=2, centering={}, seed=0)
    for _ in range(70):
        ends = np.arange(2) + buffer.pos % 7 == 0
        buffer.add(np.zeros((2, 2)), np.ones((2, 2)), np.zeros(2), np.full(2, 0.3), ends, [{}, {}])
    torch.testing.assert_close(buffer.sample(200).rewards, torch.zeros(200, 1), rtol=0.0, atol=1e-6)


@each_buffer
def test_the_first_mean_stays(kind):
    centering = {}
    buffer = empty(kind, centering=centering, seed=0)
    live([buffer], 20)
    assert buffer.mean_reward is None
    buffer.sample(4)
    mean = buffer.rewards[:20].mean()
    assert centering == {"mean": pytest.approx(mean)}
    live([buffer], 20, seed=1)
    buffer.sample(4)
    buffer.reset()
    assert centering == {"mean": pytest.approx(mean)}
    buffer.mean_reward = None
    assert centering == {}
    buffer.mean_reward = np.float32(2.0)
    assert centering == {"mean": 2.0}
    assert type(centering["mean"]) is float


def test_without_centring_there_is_no_mean():
    buffer = empty(seed=0)
    live([buffer], 20)
    buffer.sample(4)
    assert buffer.mean_reward is None
    buffer.mean_reward = None
    with pytest.raises(ValueError, match=r"mean_reward: 1\.0 given"):
        buffer.mean_reward = 1.0


@each_buffer
def test_samples_are_uniform_and_their_own(kind):
    one, other = empty(kind, 8, 2, seed=5), empty(kind, 8, 2, seed=5)
    live([one, other], 11, n_envs=2)
    before = np.random.get_state()[1].copy()  # noqa: NPY002  # that of Stable-Baselines3
    assert torch.equal(one.sample(50).observations, other.sample(50).observations)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    _, counts = np.unique(one.sample(16_000).observations.numpy(), axis=0, return_counts=True)
    assert len(counts) == 16
    assert 850 < counts.min() < counts.max() < 1150


def stock(**options):
    return stable_baselines3.DQN(
        "MlpPolicy",
        Follow(bonus=5.0),
        policy_kwargs={"net_arch": [16]},
        learning_starts=8,
        train_freq=1,
        buffer_size=100,
        seed=0,
        device="cpu",
        replay_buffer_class=ReplayBuffer,
        replay_buffer_kwargs=options,
    )


def saved(agent):
    file = io.BytesIO()
    agent.save(file)
    file.seek(0)
    return file


def test_a_stock_agent_s_file_keeps_the_mean():
    agent = stock(seed=0, centering={})
    agent.learn(30)
    mean = agent.replay_buffer.mean_reward
    assert 3.5 < mean < 5.5
    assert agent.replay_buffer_kwargs["centering"] == {"mean": mean}
    loaded = stable_baselines3.DQN.load(saved(agent), device="cpu", env=Follow(bonus=9.0))
    assert type(loaded.replay_buffer) is ReplayBuffer
    assert loaded.replay_buffer.mean_reward == mean
    loaded.learn(30)
    assert loaded.replay_buffer.mean_reward == mean
    loaded.replay_buffer.mean_reward = 1.5  # what `sync` does
    again = stable_baselines3.DQN.load(saved(loaded), device="cpu")
    assert again.replay_buffer.mean_reward == 1.5


def test_the_file_keeps_the_mean_of_a_loaded_replay_buffer():
    agent, other = (learner(DQN, center_rewards=True) for _ in range(2))
    agent.learn(30)
    file = io.BytesIO()
    agent.save_replay_buffer(file)
    file.seek(0)
    other.load_replay_buffer(file)
    mean = agent.replay_buffer.mean_reward
    assert other.replay_buffer.mean_reward == mean is not None
    assert type(other).load(saved(other), device="cpu").replay_buffer.mean_reward == mean


@each_buffer
def test_single_decisions_are_recalled_as_they_were(kind):
    buffer = empty(kind, 13, 2, seed=0, centering={"mean": 3.0})
    log = live([buffer], 20, n_envs=2)
    seen = buffer.recall(400)
    assert seen.last is None
    assert (seen.terminal.dtype, seen.actions.shape) == (np.bool_, (400,))
    stored = {
        tuple(row[0][cell]): (row[2][cell], row[3][cell], tuple(row[1][cell]), row[4][cell] == 1)
        for row in log[-13:]
        for cell in range(2)
    }
    assert {tuple(each) for each in seen.observations} == stored.keys()
    for observation, action, reward, following, terminal in zip(*seen[:4], seen.terminal, strict=True):
        assert stored[tuple(observation)] == (action, reward, tuple(following), terminal)


def decisions(number, seed=0, last=None, terminal=None):
    rng = np.random.default_rng(seed)
    first, following = rng.random((2, number, 2), dtype=np.float32)
    return Transitions(first, rng.integers(7, size=number), rng.standard_normal(number), following, last, terminal)


@each_buffer
@pytest.mark.parametrize("number", [8, 13])
def test_all_at_once_is_as_one_by_one(kind, number):
    last = np.arange(number) % 4 == 3
    given = decisions(number, last=last, terminal=np.arange(number) % 8 == 3)
    at_once, one_by_one = empty(kind, 13), empty(kind, 13)
    at_once.add_all(given)
    ends = last | given.terminal
    ends[-1] = True
    for row, (observation, action, reward, following) in enumerate(zip(*given[:4], strict=True)):
        info = {"TimeLimit.truncated": bool(ends[row] and not given.terminal[row])}
        one_by_one.add(observation, following, np.array([action]), np.array([reward]), ends[row : row + 1], [info])
    for name, array in one_by_one.state().items():
        np.testing.assert_array_equal(at_once.state()[name], array)
    assert (at_once.full, at_once.pos) == (number == 13, number % 13)
    np.testing.assert_array_equal(last, np.arange(number) % 4 == 3)  # what was given is left alone


def test_what_does_not_fit_is_refused():
    buffer = empty(rows=13)
    buffer.add_all(decisions(10))
    with pytest.raises(ValueError, match="rewards: 4 given, there is room for 3 of one environment"):
        buffer.add_all(decisions(4))
    buffer.add_all(decisions(3))
    with pytest.raises(ValueError, match="rewards: 1 given, there is room for 0"):
        buffer.add_all(decisions(1))
    with pytest.raises(ValueError, match="of one environment"):
        empty(rows=13, n_envs=2).add_all(decisions(1))
    fill(buffer, 5)  # one by one, the oldest make room
    assert (buffer.full, buffer.pos) == (True, 5)


def test_unrelated_rows_give_returns_of_one_step_that_bootstrap():
    buffer = empty(NStepReplayBuffer, n_steps=4)
    given = decisions(20)
    buffer.add_all(given)
    batch = buffer._get_samples(np.arange(20))
    np.testing.assert_allclose(batch.rewards[:, 0], given.rewards, rtol=1e-6)
    np.testing.assert_array_equal(batch.next_observations, given.next_observations)
    np.testing.assert_allclose(batch.discounts, GAMMA)
    assert not batch.dones.any()


@pytest.mark.parametrize("terminal", [False, True])
def test_returns_go_on_where_rows_do(terminal):
    buffer = empty(NStepReplayBuffer, n_steps=3)
    ends = np.arange(6) == 3
    given = decisions(6, last=ends, terminal=ends if terminal else None)
    buffer.add_all(given)
    batch = buffer._get_samples(np.arange(6))
    np.testing.assert_allclose(batch.discounts[:, 0], GAMMA ** np.array([3, 3, 2, 1, 2, 1]), rtol=1e-6)
    np.testing.assert_array_equal(batch.next_observations, given.next_observations[[2, 3, 3, 3, 5, 5]])
    np.testing.assert_array_equal(batch.dones[:, 0], [0, terminal, terminal, terminal, 0, 0])


def test_added_rows_do_not_continue_those_before():
    """The agent may be in the middle of an episode when it is given what others saw."""
    buffer = empty(NStepReplayBuffer, n_steps=3)
    buffer.add(np.zeros((1, 2)), np.ones((1, 2)), np.zeros(1), np.array([100.0]), np.array([False]), [{}])
    buffer.add_all(decisions(5))
    batch = buffer._get_samples(np.arange(1))
    assert batch.rewards.item() == 100.0
    np.testing.assert_array_equal(batch.next_observations, [[1.0, 1.0]])
    assert batch.dones.item() == 0.0


@each_buffer
@pytest.mark.parametrize("number", [5, 13, 17])
def test_states_come_back(kind, number):
    buffer, other = empty(kind, 13, 2), empty(kind, 13, 2)
    live([buffer], number, n_envs=2)
    live([other], 30, seed=1, n_envs=2)
    state = buffer.state()
    held = {name: array.copy() for name, array in state.items()}
    live([buffer], 3, seed=2, n_envs=2)
    other.restore(state)
    assert (other.pos, other.full, other.size()) == (number % 13, number >= 13, min(number, 13))
    for name, array in other.state().items():
        np.testing.assert_array_equal(array, held[name])
    live([other], 3, seed=2, n_envs=2)
    for name, array in other.state().items():
        np.testing.assert_array_equal(array, buffer.state()[name])


@pytest.mark.parametrize("wrong", [{"n_steps": 0}, {"n_steps": 1.5}, {"gamma": 1.1}, {"gamma": -0.1}])
def test_arguments_are_checked(wrong):
    with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
        empty(NStepReplayBuffer, **wrong)
