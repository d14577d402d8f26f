"""Any off-policy agent goes on bit for bit, disturbs nothing else, and calls its listener."""

from __future__ import annotations

import io
import random

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
import torch
from gymnasium.wrappers import NormalizeReward
from sb3_contrib import QRDQN
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from agents import DDQN, NStepReplayBuffer, OffPolicyLearner, ReplayBuffer, Transitions
from agents.random_streams import RandomStreams
from tests.helpers.learners import Follow, same, weights, written
from tests.helpers.learners import _one_thread as _one_thread

OURS = {"replay_buffer_class": ReplayBuffer, "replay_buffer_kwargs": {"seed": 0}}
N_STEP = {"replay_buffer_class": NStepReplayBuffer, "replay_buffer_kwargs": {"seed": 0, "n_steps": 3, "gamma": 0.8}}
AGENTS = {
    "DQN": (stable_baselines3.DQN, OURS),
    "n steps": (stable_baselines3.DQN, N_STEP),
    "SB3's buffer": (stable_baselines3.DQN, {}),
    "SB3's n steps": (stable_baselines3.DQN, {"n_steps": 3}),
    "QRDQN": (QRDQN, OURS),
    "DDQN": (DDQN, {"center_rewards": True}),
}
each_agent = pytest.mark.parametrize("what", AGENTS)


def cell():
    return gym.make("SliceRAN-v0", scenario="paper-1mhz")


def normalized():
    return VecNormalize(DummyVecEnv([cell]), gamma=0.8)


def make(what="DQN", env=None, seed=0, kind=None, **changes):
    known, arguments = AGENTS[what]
    own = {name: dict(part) if isinstance(part, dict) else part for name, part in arguments.items()}
    policy = {"net_arch": [16], **({"n_quantiles": 5} if known is QRDQN else {})}
    shared = {"learning_starts": 8, "train_freq": 1, "buffer_size": 90, "batch_size": 16, "target_update_interval": 7}
    settings = {**shared, "gamma": 0.8, "exploration_fraction": 0.9, "device": "cpu", "seed": seed, **own, **changes}
    env = Follow() if env is None else env
    return OffPolicyLearner(lambda: (kind or known)("MlpPolicy", env, policy_kwargs=policy, **settings))


def stored(state):
    """Written and read again, as checkpoints are."""
    return written(*state)


def assert_alike(one, other, digest=True):
    assert not digest or one.digest() == other.digest()
    assert same(weights(one.model), weights(other.model))
    mine, its = one.model.replay_buffer, other.model.replay_buffer
    assert (mine.pos, mine.full) == (its.pos, its.full)
    for name in ("observations", "next_observations", "actions", "rewards", "dones", "timeouts"):
        np.testing.assert_array_equal(getattr(mine, name)[: mine.size()], getattr(its, name)[: its.size()])
    assert one.num_decisions == other.num_decisions
    assert one.model.exploration_rate == other.model.exploration_rate


@each_agent
@pytest.mark.parametrize("env", [cell, normalized], ids=["scalar", "normalized"])
def test_a_restored_agent_learns_on_bit_for_bit(what, env):
    one = make(what, env())
    one.learn(40)
    state, at_forty = stored(one.state()), one.digest()
    one.learn(30)
    other = make(what, env())
    other.learn(25)
    other.restore(*state)
    assert other.digest() == at_forty != one.digest()
    assert other.num_decisions == 40
    other.learn(30)
    assert_alike(one, other)
    seen = one.model.replay_buffer.observations[:50, 0]
    for _ in range(3):
        np.testing.assert_array_equal(one.predict(seen)[0], other.predict(seen)[0])
    np.testing.assert_array_equal(one.recall(9).observations, other.recall(9).observations)


@each_agent
def test_episodes_end_and_buffers_run_over(what, small):
    def env():
        return NormalizeReward(gym.make("SliceRAN-v0", scenario=small))

    one = make(what, env(), buffer_size=30)
    one.learn(43)
    state = stored(one.state())
    one.learn(50)
    other = make(what, env(), buffer_size=30)
    other.restore(*state)  # of one that never acted, too
    other.learn(50)
    assert_alike(one, other)


def test_without_replay_the_rest_is_restored():
    one = make(env=cell())
    one.learn(40)
    data, arrays = stored(one.state(replay=False))
    assert not [name for name in arrays if name.startswith(("replay.", "environment."))]
    other = make(env=cell())
    other.restore(data, arrays)
    for learner in (one, other):
        learner.forget()
        learner.act_in(cell(), 5)
        learner.learn(30)
    assert_alike(one, other)


class Seen:
    """Keeps what it is called with."""

    def __init__(self, on_settled=lambda: None):
        self.started, self.decisions, self.settled, self.do = [], [], 0, on_settled

    def on_start(self, reset_info):
        self.started.append(reset_info)

    def on_settled(self):
        self.settled += 1
        self.do()

    def on_decision(self, experience):
        self.decisions.append(experience)


@each_agent
def test_the_state_between_decisions_will_do(what):
    one, states = make(what, cell()), []

    def keep():
        if one.num_decisions == 30:
            states.append(stored(one.state()))

    one.learn(50, Seen(keep))
    other = make(what, cell())
    other.restore(*states[0])
    other.learn(20)
    one_more = one.state()[1]
    np.testing.assert_equal(other.state()[1], one_more)


def outside():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


@each_agent
def test_two_learners_disturb_nothing(what):
    alone = make(what)
    for _ in range(3):
        alone.learn(10)
    one, other = make(what), make(what, seed=1)
    for seed in range(3):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        before = outside()
        one.learn(10)
        other.learn(10)
        other.predict(np.zeros(2, np.float32))
        other.update(0.5)
        assert outside() == before
    assert_alike(one, alone, digest=False)  # for which an environment has to have a state
    other.act_in(Follow(), 3)
    OffPolicyLearner(make(what).model)
    other.save(io.BytesIO())
    assert outside() == before


def test_without_seeds_no_two_are_alike():
    assert not same(weights(make(seed=None).model), weights(make(seed=None).model), tolerance=1e-3)


def draw():
    return random.random(), np.random.rand(), torch.rand(1).item(), random.gauss(0, 1)  # noqa: NPY002


def test_streams_are_their_own():
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    streams = RandomStreams()
    kept = streams.state()
    with streams:
        first = draw()
        with streams:
            second = draw()
        inside = streams.state()
        third = draw()
    assert draw() == first  # outside nothing was drawn yet
    assert draw() == second
    streams.restore(inside)
    with streams:
        assert draw() == third
        streams.restore(kept)
        assert [draw(), draw()] == [first, second]


def decisions(number, last=None):
    rng = np.random.default_rng(3)
    first, following = rng.random((2, number, 2), dtype=np.float32)
    return Transitions(first, rng.integers(7, size=number), rng.standard_normal(number), following, last)


@each_agent
def test_what_it_is_given_it_remembers(what):
    learner, given = make(what), decisions(40, np.arange(40) % 5 == 4)
    learner.remember(given)
    buffer = learner.model.replay_buffer
    assert buffer.size() == 40
    np.testing.assert_array_equal(buffer.observations[:40, 0], given.observations)
    np.testing.assert_array_equal(buffer.next_observations[:40, 0], given.next_observations)
    np.testing.assert_array_equal(buffer.actions[:40, 0, 0], given.actions)
    np.testing.assert_allclose(buffer.rewards[:40, 0], given.rewards, rtol=1e-6)
    np.testing.assert_array_equal(buffer.dones[:40, 0], given.last)
    np.testing.assert_array_equal(buffer.timeouts[:40, 0], given.last)
    learner.update(0.5)
    with pytest.raises(ValueError, match="rewards: 51 given, there is room for 50"):
        learner.remember(decisions(51))
    assert learner.can_recall
    rows = learner.recall(100)
    assert {tuple(row) for row in rows.observations} <= {tuple(row) for row in given.observations}
    learner.forget()
    assert learner.model.replay_buffer.size() == 0
    with pytest.raises(ValueError, match="number: 3 given, allowed is 0, since the replay buffer is empty"):
        learner.recall(3)


@pytest.mark.parametrize("what", ["n steps", "SB3's n steps"])
@pytest.mark.parametrize("then", ["remember", "act_in", "restart"])
def test_returns_do_not_run_into_what_does_not_follow(what, then):
    """An episode of ten decisions is left after its fifth."""
    learner = make(what, Follow(bonus=0.0), learning_starts=1000)
    learner.learn(5)
    if then == "remember":
        learner.remember(decisions(5)._replace(rewards=np.full(5, 100.0)))
    else:
        if then == "act_in":
            learner.act_in(Follow(bonus=100.0), 1)
        learner.learn(5, restart=then == "restart")
    buffer = learner.model.replay_buffer
    batch = buffer._get_samples(np.array([4]))
    np.testing.assert_array_equal(batch.next_observations, buffer.next_observations[4])
    assert batch.rewards.item() == pytest.approx(buffer.rewards[4, 0])
    assert batch.dones.item() == 0.0


@each_agent
def test_weights_are_transferred(what):
    one, other = make(what), make(what, seed=1)
    one.learn(30)
    one.copy_from(other, optimizer=False)
    assert same(weights(one.model), weights(other.model))
    other.learn(30)
    one.copy_from(other)
    steps = [
        [each["step"] for each in learner.model.policy.optimizer.state_dict()["state"].values()]
        for learner in (one, other)
    ]
    assert steps[0] == steps[1] != []


def test_learning_may_begin_again():
    learner = make()
    learner.learn(20)
    assert learner.model.exploration_rate == pytest.approx(0.05)
    learner.learn(5, restart=True)
    assert learner.num_decisions == 5
    assert learner.model.replay_buffer.size() == 25


def test_others_are_refused():
    with pytest.raises(TypeError, match=r"agent: its actions are Box.*allowed are discrete"):
        OffPolicyLearner(lambda: stable_baselines3.SAC("MlpPolicy", "Pendulum-v1", buffer_size=9, device="cpu"))
    with pytest.raises(TypeError, match="agent: a A2C given, allowed are off-policy"):
        OffPolicyLearner(lambda: stable_baselines3.A2C("MlpPolicy", Follow(), device="cpu"))


class Counting(Follow):
    """Says which step and which episode it is."""

    begun = 0

    def reset(self, **arguments):
        observation, _ = super().reset(**arguments)
        self.begun += 1
        return observation, {"episode": self.begun}

    def step(self, action):
        *whole, _ = super().step(action)
        return (*whole, {"step": self.step_in_episode})


@pytest.mark.parametrize("terminates", [False, True])
@pytest.mark.parametrize("normalizes", [False, True])
@pytest.mark.parametrize("what", ["DQN", "DDQN", "SB3's buffer"])
def test_a_listener_is_called_with_what_is_stored(what, terminates, normalizes):
    env = DummyVecEnv([lambda: Counting(terminates=terminates)])
    learner, seen = make(what, VecNormalize(env, gamma=0.8, clip_obs=50.0) if normalizes else env), Seen()
    learner.learn(25, seen)
    assert seen.started == [{"episode": 1}]
    assert seen.settled == len(seen.decisions) == 25
    buffer = learner.model.replay_buffer
    for row, heard in enumerate(seen.decisions):
        over = row % 10 == 9
        np.testing.assert_array_equal(heard.observation.astype(np.float32), buffer.observations[row, 0])
        np.testing.assert_array_equal(heard.next_observation.astype(np.float32), buffer.next_observations[row, 0])
        assert (heard.action, np.float32(heard.reward)) == (buffer.actions[row, 0, 0], buffer.rewards[row, 0])
        assert (heard.terminated, heard.truncated) == (over and terminates, over and not terminates)
        assert (heard.terminated or heard.truncated, heard.truncated) == (buffer.dones[row], buffer.timeouts[row])
        assert heard.info["step"] == row % 10 + 1
        assert heard.reset_info == ({"episode": row // 10 + 2} if over else None)
        if row and row % 10:
            np.testing.assert_array_equal(heard.observation, seen.decisions[row - 1].next_observation)
    more = Seen()
    learner.learn(2, more)
    assert more.started == [{"episode": 3}]
    np.testing.assert_array_equal(more.decisions[0].observation, seen.decisions[-1].next_observation)


def test_a_restored_agent_knows_how_its_episode_began(small):
    one, other = (make(env=gym.make("SliceRAN-v0", scenario=small)) for _ in range(2))
    one.learn(13)
    other.restore(*stored(one.state()))
    seen = Seen(), Seen()
    for learner, each in zip((one, other), seen, strict=True):
        learner.learn(1, each)
    np.testing.assert_equal(seen[1].started, seen[0].started)
    np.testing.assert_equal(seen[1].decisions, seen[0].decisions)
