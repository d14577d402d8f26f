from __future__ import annotations

from copy import deepcopy
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from agents import DQN, GymnasiumVecEnv
from tests.helpers.learners import Follow, each_head, each_kind, learner, same, weights
from tests.helpers.learners import _one_thread as _one_thread

# Randomness


@each_kind
def test_each_environment_draws_its_own_epsilon(kind):
    agent = learner(kind)
    agent.exploration_rate = 0.5
    seen = np.tile(np.array([[0.2, 0.9]], np.float32), (64, 1))
    greedy, _ = agent.predict(seen, deterministic=True)
    assert len(set(greedy.tolist())) == 1
    counts = [(agent.predict(seen)[0] != greedy).sum() for _ in range(20)]
    assert all(8 < count < 48 for count in counts)
    assert np.mean(counts) == pytest.approx(64 * 0.5 * 6 / 7, abs=4.5 * np.sqrt(64 * 0.43 * 0.57 / 20))
    agent.exploration_rate = 0.0
    np.testing.assert_array_equal(agent.predict(seen)[0], greedy)


class Watch(BaseCallback):
    """Keeps what was done in each step, and what would have been best."""

    def __init__(self):
        super().__init__()
        self.taken, self.greedy = [], []

    def _on_step(self):
        self.taken.append(self.locals["actions"].copy())
        seen = self.model._last_obs
        self.greedy.append(self.model.predict(seen, deterministic=True)[0])
        return True


@each_kind
def test_each_environment_draws_its_own_epsilon_while_learning(kind):
    envs = gym.vector.SyncVectorEnv([Follow] * 64)
    rates = {"exploration_initial_eps": 0.5, "exploration_final_eps": 0.5}
    agent = learner(
        kind, env=envs, learning_starts=64, gradient_steps=0, target_update_interval=1000, buffer_size=6400, **rates
    )
    watch = Watch()
    agent.learn(64 * 30, callback=watch)
    differs = np.array(watch.taken) != np.array(watch.greedy)  # (step, env); `_last_obs` is what was acted on
    assert differs[0].mean() > 0.6  # still random
    later = differs[1:].sum(axis=1)
    assert ((later > 8) & (later < 48)).all()
    assert later.mean() == pytest.approx(64 * 0.5 * 6 / 7, abs=4.5 * np.sqrt(64 * 0.43 * 0.57 / 29))
    assert len(np.unique(differs[1:], axis=1).T) > 50


@each_kind
def test_exploration_is_uniform(kind):
    agent = learner(kind)
    agent.exploration_rate = 1.0
    actions, _ = agent.predict(np.zeros((7000, 2), np.float32))
    counts = np.bincount(actions, minlength=7)
    assert ((counts - 1000) ** 2 / 1000).sum() < 6 + 4.5 * np.sqrt(12)
    assert len(counts) == 7


@each_kind
@each_head
def test_deterministic_actions_use_no_randomness(kind, head):
    agent = learner(kind, head)
    agent.exploration_rate = 1.0
    before, torch_before = deepcopy(agent.generator.bit_generator.state), torch.get_rng_state()
    first, _ = agent.predict(np.full((5, 2), 0.3, np.float32), deterministic=True)
    again, _ = agent.predict(np.full((5, 2), 0.3, np.float32), deterministic=True)
    np.testing.assert_array_equal(first, again)
    assert agent.generator.bit_generator.state == before
    assert torch.equal(torch.get_rng_state(), torch_before)
    agent.predict(np.zeros((5, 2), np.float32))
    assert agent.generator.bit_generator.state != before


@each_kind
def test_actions_have_the_shape_of_what_was_seen(kind):
    agent = learner(kind)
    for rate in (0.0, 1.0):
        agent.exploration_rate = rate
        for deterministic in (True, False):
            one, state = agent.predict(np.ones(2, np.float32), deterministic=deterministic)
            many, _ = agent.predict(np.ones((3, 2), np.float32), deterministic=deterministic)
            assert one.shape == ()
            assert many.shape == (3,)
            assert state is None
            assert agent.action_space.contains(np.int64(one))


@each_kind
def test_randomness_comes_from_the_seed_alone(kind, small):
    learned = []
    for disturbance in (1, 2):
        envs = gym.make_vec("SliceRAN-v0", num_envs=4, scenario=small, reward="utility")
        agent = learner(kind, env=envs)
        set_random_seed(disturbance)
        agent.action_space.seed(disturbance)
        agent.learn(80)
        learned.append((weights(agent), agent.generator.bit_generator.state))
    assert same(learned[0][0], learned[1][0])
    assert learned[0][1] == learned[1][1]
    other = learner(kind, env=gym.make_vec("SliceRAN-v0", num_envs=4, scenario=small, reward="utility"), seed=1)
    other.learn(80)
    assert not same(weights(other), learned[0][0], tolerance=1e-3)


def test_replay_draws_every_transition_alike():
    envs = gym.vector.SyncVectorEnv([Follow] * 3)
    agent = learner(DQN, env=envs, buffer_size=12, learning_starts=1000)
    agent.learn(9)
    buffer = agent.replay_buffer
    assert buffer.generator is agent.generator
    for written in (9, 12):
        buffer.rewards[:] = np.arange(12).reshape(4, 3)
        drawn = buffer.sample(6000)
        counts = np.bincount(drawn.rewards[:, 0].numpy().astype(int), minlength=written)
        assert len(counts) == written
        assert ((counts - 6000 / written) ** 2 / (6000 / written)).sum() < written - 1 + 4.5 * np.sqrt(2 * written)
        row, cell = np.divmod(drawn.rewards[:, 0].numpy().astype(int), 3)
        np.testing.assert_array_equal(drawn.observations.numpy(), buffer.observations[row, cell])
        np.testing.assert_array_equal(drawn.next_observations.numpy(), buffer.next_observations[row, cell])
        np.testing.assert_array_equal(drawn.actions.numpy(), buffer.actions[row, cell])
        agent.learn(6, reset_num_timesteps=False)


def test_a_buffer_goes_back_to_what_it_held():
    agent, other = (learner(DQN, seed=seed, buffer_size=50, learning_starts=1000) for seed in (0, 1))
    for steps in (20, 60):
        agent.learn(steps, reset_num_timesteps=False)
        state = agent.replay_buffer.state()
        other.learn(30, reset_num_timesteps=False)
        other.replay_buffer.restore(state)
        assert other.replay_buffer.size() == agent.replay_buffer.size() == min(agent.num_timesteps, 50)
        again = other.replay_buffer.state()
        assert again.keys() == state.keys()
        for name, array in state.items():
            np.testing.assert_array_equal(again[name], array)
        agent.learn(5, reset_num_timesteps=False)
        np.testing.assert_array_equal(again["rewards"], state["rewards"])  # a copy


# Batches


@each_kind
def test_autoreset_modes_give_the_same_transitions(kind, small):
    learned = []
    for mode in ("NextStep", "SameStep", "Disabled"):
        envs = gym.make_vec("SliceRAN-v0", num_envs=4, scenario=small, reward="utility", autoreset_mode=mode)
        agent = learner(kind, env=envs)
        agent.learn(120)
        assert agent.num_timesteps == 120
        learned.append((agent.replay_buffer.state(), weights(agent)))
    held = learned[0][0]
    assert held["dones"].sum() == held["timeouts"].sum() == 12
    assert len(held["rewards"]) == 30
    for other, after in learned[1:]:
        for name, array in held.items():
            np.testing.assert_array_equal(array, other[name], err_msg=name)
        assert same(learned[0][1], after)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_a_batch_is_its_cells_one_by_one(small, mode):
    envs = GymnasiumVecEnv(
        gym.make_vec("SliceRAN-v0", num_envs=3, scenario=small, reward="utility", autoreset_mode=mode)
    )
    cells = [gym.make("SliceRAN-v0", scenario=small, reward="utility") for _ in range(3)]
    envs.seed(5)
    seen = envs.reset()
    for cell, env in enumerate(cells):
        observation, info = env.reset(seed=5 + cell)
        np.testing.assert_array_equal(seen[cell], observation)
        np.testing.assert_array_equal(envs.reset_infos[cell]["arrivals"], info["arrivals"])
    rng, ended = np.random.default_rng(0), 0
    for _ in range(25):
        actions = rng.integers(7, size=3)
        seen, rewards, dones, infos = envs.step(actions)
        for cell, env in enumerate(cells):
            observation, reward, terminated, truncated, info = env.step(actions[cell])
            assert rewards[cell] == np.float32(reward)
            assert dones[cell] == (terminated or truncated)
            assert infos[cell]["utility"] == info["utility"]
            np.testing.assert_array_equal(infos[cell]["ssr"], info["ssr"])
            if dones[cell]:
                ended += 1
                np.testing.assert_array_equal(infos[cell]["terminal_observation"], observation)
                assert infos[cell]["TimeLimit.truncated"]
                observation, begun = env.reset()
                np.testing.assert_array_equal(envs.reset_infos[cell]["arrivals"], begun["arrivals"])
            else:
                assert "terminal_observation" not in infos[cell]
            np.testing.assert_array_equal(seen[cell], observation)
    assert ended == 6


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_episodes_of_different_lengths_end_one_by_one(mode):
    lengths, terminates = (2, 3, 5), (False, True, False)
    makers = [lambda n=n, t=t: Follow(n, t) for n, t in zip(lengths, terminates, strict=True)]
    envs = GymnasiumVecEnv(gym.vector.SyncVectorEnv(makers, autoreset_mode=gym.vector.AutoresetMode(mode)))
    theirs = DummyVecEnv([*makers])
    envs.seed(3)
    theirs.seed(3)
    np.testing.assert_array_equal(envs.reset(), theirs.reset())
    for step in range(12):
        seen, rewards, dones, infos = envs.step(np.full(3, step % 7))
        other_seen, other_rewards, other_dones, other_infos = theirs.step(np.full(3, step % 7))
        np.testing.assert_array_equal(seen, other_seen)
        np.testing.assert_array_equal(rewards, other_rewards)
        assert rewards.dtype == other_rewards.dtype
        assert dones.tolist() == other_dones.tolist() == [(step + 1) % length == 0 for length in lengths]
        for cell in np.flatnonzero(dones):
            mine, other = infos[cell], other_infos[cell]
            np.testing.assert_array_equal(mine["terminal_observation"], other["terminal_observation"])
            assert mine["TimeLimit.truncated"] == other["TimeLimit.truncated"] == (not terminates[cell])


def test_a_batch_tells_its_attributes_and_closes(small):
    envs = GymnasiumVecEnv(gym.make_vec("SliceRAN-v0", num_envs=3, scenario=small))
    assert envs.render_mode is None
    assert envs.get_attr("scenario", [0, 2]) == [small, small]
    envs.set_attr("note", 7)
    assert envs.get_attr("note") == [7, 7, 7]
    assert envs.env_is_wrapped(Monitor) == [False] * 3
    with pytest.raises(NotImplementedError, match="env_method: 'state'"):
        envs.env_method("state")
    envs.close()
    assert envs.envs.closed


@each_kind
def test_a_batch_is_normalized_as_sb3_does(kind):
    env = VecNormalize(GymnasiumVecEnv(gym.vector.SyncVectorEnv([Follow] * 4)), gamma=0.8)
    agent = learner(kind, env=env)
    agent.learn(200)
    batch = agent.replay_buffer.sample(500, env=env)
    assert batch.observations.dtype == batch.rewards.dtype == torch.float32
    assert batch.observations.mean(dim=0).abs().max() < 0.3
    assert batch.observations.std(dim=0).numpy() == pytest.approx(1.0, abs=0.2)
    assert agent.replay_buffer.observations.min() >= 0.0  # stored as they came


def test_a_batch_that_cannot_begin_one_episode_alone_is_refused():
    with pytest.raises(ValueError, match="has the autoreset mode 'NextStep', allowed is 'SameStep'"):
        GymnasiumVecEnv(gym.make_vec("CartPole-v1", num_envs=2, vectorization_mode="vector_entry_point"))


def test_wrappers_of_a_batch_may_put_dicts_into_its_info(small):
    envs = gym.make_vec("SliceRAN-v0", num_envs=3, scenario=small, autoreset_mode="SameStep")
    batch = GymnasiumVecEnv(gym.wrappers.vector.RecordEpisodeStatistics(envs))
    batch.reset()
    for _ in range(small.decisions_per_episode):
        *_, dones, infos = batch.step(np.zeros(3, np.int64))
    assert dones.all()
    assert [info["episode"]["l"] for info in infos] == [small.decisions_per_episode] * 3


# State


def test_a_batch_goes_on_from_its_state_to_the_bit():
    make = partial(gym.make_vec, "SliceRAN-v0", 3, scenario="paper-1mhz", autoreset_mode="SameStep")
    envs, other = make(), make(num_threads=2)
    actions = np.random.default_rng(0).integers(envs.single_action_space.n, size=(210, 3))
    envs.reset(seed=5)
    for row in actions[:195]:
        envs.step(row)
    state = envs.unwrapped.state()
    expected = [envs.step(row) for row in actions[195:]]  # an episode ends among them
    other.reset(seed=0)
    other.unwrapped.restore(state)
    for row, (observations, rewards, _, truncations, info) in zip(actions[195:], expected, strict=True):
        found = other.step(row)
        np.testing.assert_array_equal(found[0], observations)
        np.testing.assert_array_equal(found[1], rewards)
        np.testing.assert_array_equal(found[3], truncations)
        np.testing.assert_array_equal(found[4]["threshold"], info["threshold"])
    assert other.unwrapped.decisions == envs.unwrapped.decisions == 630


def test_the_state_of_another_batch_is_refused():
    envs, other = (gym.make_vec("SliceRAN-v0", number, scenario="paper-1mhz").unwrapped for number in (3, 2))
    with pytest.raises(gym.error.ResetNeeded):
        envs.state()
    envs.reset(seed=0)
    state = envs.state()
    with pytest.raises(ValueError, match=r"step_in_episode: shape \(3,\) given, allowed is \(2,\)"):
        other.restore(state)
    for name in state:
        with pytest.raises(ValueError, match=name):
            envs.restore({key: value for key, value in state.items() if key != name})
