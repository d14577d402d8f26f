"""Single decisions are drawn from the replay buffers of Stable-Baselines3, and put into others."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
from gymnasium import spaces
from stable_baselines3.common import buffers

from agents import OffPolicyLearner, ReplayBuffer
from agents.replay import recall, remember
from tests.helpers.learners import Follow
from tests.helpers.learners import _one_thread as _one_thread

STOCK = {"SB3's": buffers.ReplayBuffer, "SB3's n steps": buffers.NStepReplayBuffer}
each_stock = pytest.mark.parametrize("kind", STOCK.values(), ids=STOCK)
NO_TIMEOUTS = {"handle_timeout_termination": False}
SAVING = {"optimize_memory_usage": True, **NO_TIMEOUTS}


def empty(kind, rows=13, n_envs=1, **arguments):
    return kind(rows * n_envs, Follow.observation_space, Follow.action_space, "cpu", n_envs=n_envs, **arguments)


def fill(buffer, number, rng):
    """Episodes of a cell each that end terminal or truncated; by observation what came of it, the oldest first."""
    log, observation = {}, rng.random((buffer.n_envs, 2), dtype=np.float32)
    for _ in range(number):
        following = rng.random((buffer.n_envs, 2), dtype=np.float32)
        action, reward = rng.integers(7, size=buffer.n_envs), rng.standard_normal(buffer.n_envs).astype(np.float32)
        kinds = rng.integers(6, size=buffer.n_envs)  # 0 is truncated, 1 is terminal
        infos = [{"TimeLimit.truncated": bool(kind == 0)} for kind in kinds]
        buffer.add(observation, following, action, reward, kinds < 2, infos)
        for cell in range(buffer.n_envs):
            came = action[cell], reward[cell], tuple(following[cell]), kinds[cell] == 1, kinds[cell] == 0
            log[tuple(observation[cell])] = came
        observation = following
    return log


@each_stock
@pytest.mark.parametrize("n_envs", [1, 3])
@pytest.mark.parametrize("handles", [True, False])
@pytest.mark.parametrize("number", [7, 20])
def test_decisions_are_recalled_as_they_were(kind, n_envs, handles, number):
    buffer = empty(kind, n_envs=n_envs, handle_timeout_termination=handles)
    log = fill(buffer, number, np.random.default_rng(1))
    seen = recall(buffer, 1000)
    assert seen.last is None
    assert {tuple(each) for each in seen.observations} == set(list(log)[-13 * n_envs :])
    for observation, action, reward, following, terminal in zip(*seen[:4], seen.terminal, strict=True):
        *came, truncated = log[tuple(observation)]
        assert [action, reward, tuple(following)] == came[:3]
        assert terminal == (came[3] or (truncated and not handles))


@pytest.mark.parametrize(("number", "first"), [(7, 0), (13, 1), (20, 8)])
def test_half_the_memory_will_do(number, first):
    """The row that is overwritten next holds the observation after the last decision, so it is none to recall."""
    buffer = empty(buffers.ReplayBuffer, n_envs=2, **SAVING)
    log = fill(buffer, number, np.random.default_rng(1))
    seen = recall(buffer, 1000)
    assert {tuple(each) for each in seen.observations} == set(list(log)[2 * first :])
    for observation, action, reward, following in zip(*seen[:4], strict=True):
        assert (action, reward, tuple(following)) == log[tuple(observation)][:3]


@each_stock
@pytest.mark.parametrize("into", [buffers.ReplayBuffer, buffers.NStepReplayBuffer, ReplayBuffer])
def test_what_is_recalled_can_be_remembered(kind, into):
    buffer, other = empty(kind, n_envs=2), empty(into, 60)
    log = fill(buffer, 20, np.random.default_rng(1))
    remember(other, recall(buffer, 50))
    again = recall(other, 500)
    for observation, action, reward, following, terminal in zip(*again[:4], again.terminal, strict=True):
        assert (action, reward, tuple(following), terminal) == log[tuple(observation)][:4]
    assert other.dones[:50].all()  # no row continues another
    np.testing.assert_array_equal(
        other.timeouts[:50, 0], [not log[tuple(row)][3] for row in other.observations[:50, 0]]
    )
    batch = other._get_samples(np.arange(50))
    np.testing.assert_array_equal(batch.rewards[:, 0], other.rewards[:50, 0])
    np.testing.assert_array_equal(batch.next_observations, other.next_observations[:50, 0])


def test_without_timeouts_a_decision_is_no_terminal_one_for_being_alone():
    buffer, other = empty(buffers.ReplayBuffer), empty(buffers.ReplayBuffer, 60, **NO_TIMEOUTS)
    log = fill(buffer, 20, np.random.default_rng(1))
    remember(other, recall(buffer, 50))
    np.testing.assert_array_equal(other.dones[:50, 0], [log[tuple(row)][3] for row in other.observations[:50, 0]])
    with pytest.raises(ValueError, match="handle_timeout_termination=False given, allowed is True"):
        remember(empty(buffers.NStepReplayBuffer, 60, **NO_TIMEOUTS), recall(buffer, 50))


def test_draws_are_the_learners_own():
    def filled():
        made = OffPolicyLearner(lambda: stable_baselines3.DQN("MlpPolicy", Follow(), device="cpu"), seed=3)
        made.learn(30)
        return made

    one, other = filled(), filled()
    np.random.seed(7)  # noqa: NPY002
    first = one.recall(20)
    outside = np.random.rand()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    assert np.random.rand() == outside  # noqa: NPY002
    np.testing.assert_equal(other.recall(20), first)
    assert not np.array_equal(one.recall(20).observations, first.observations)


class Pairs(gym.ObservationWrapper):
    """Observations by name."""

    def __init__(self, env):
        super().__init__(env)
        self.observation_space = spaces.Dict({"arrivals": env.observation_space})

    def observation(self, observation):
        return {"arrivals": observation}


def test_buffers_of_dicts_are_refused():
    made = OffPolicyLearner(
        lambda: stable_baselines3.DQN("MultiInputPolicy", Pairs(Follow()), buffer_size=9, device="cpu")
    )
    assert not made.can_recall
    with pytest.raises(ValueError, match="replay_buffer: a DictReplayBuffer given, allowed to recall from are"):
        made.recall(3)
