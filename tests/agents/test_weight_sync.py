"""Handing on what was learned: afterwards both agents are one, and what does not fit is refused by name."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
import torch
from gymnasium import spaces
from sb3_contrib import QRDQN
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from agents import DDQN, DQN, DuelingGANDDQN, sync
from tests.helpers.learners import Follow, each_head, each_kind, learner, same, weights
from tests.helpers.learners import _one_thread as _one_thread

SEEN = np.random.default_rng(7).random((300, 2), dtype=np.float32)


class Longer(Follow):
    """Three numbers are seen, of which the third means nothing."""

    observation_space = spaces.Box(0.0, 1.0, (3,), np.float32)

    def _observe(self):
        self.observation = self.np_random.random(3, dtype=np.float32)
        return self.observation


class Fewer(Follow):
    """Six actions."""

    action_space = spaces.Discrete(6)


def normalized(**arguments):
    return VecNormalize(DummyVecEnv([Follow]), gamma=0.8, **arguments)


def stock(kind, seed=0, steps=40, env=None, net_arch=(16, 16), **arguments):
    policy = {"net_arch": list(net_arch), **({"n_quantiles": 5} if kind is QRDQN else {})}
    env = Follow() if env is None else env
    agent = kind(
        "MlpPolicy", env, policy_kwargs=policy, learning_starts=8, train_freq=1, seed=seed, device="cpu", **arguments
    )
    agent.learn(steps)
    return agent


def taught(kind, head="dense", seed=0, steps=40, **arguments):
    agent = learner(kind, head, seed=seed, **arguments)
    agent.learn(steps)
    return agent


def moments(optimizer):
    return [each["exp_avg"].clone() for each in optimizer.state_dict()["state"].values()]


def equal(one, other):
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@each_kind
@each_head
def test_afterwards_both_act_alike(kind, head):
    source, target = taught(kind, head), taught(kind, head, seed=1)
    held = weights(source)
    assert not same(held, weights(target), tolerance=1e-2)
    sync(source, target)
    assert same(weights(target), held)
    assert same(weights(source), held)
    assert same(dict(source.policy.state_dict()), dict(target.policy.state_dict()))
    for agent_net, target_net in ((source.q_net, target.q_net), (source.q_net_target, target.q_net_target)):
        seen = torch.as_tensor(SEEN)
        torch.testing.assert_close(agent_net(seen), target_net(seen), rtol=0.0, atol=0.0)
    own, other = (agent.predict(SEEN, deterministic=True)[0] for agent in (source, target))
    np.testing.assert_array_equal(own, other)
    # Both learn on alone.
    target.learn(20, reset_num_timesteps=False)
    assert same(weights(source), held)
    assert not same(weights(target), held, tolerance=1e-4)


def test_the_critic_is_transferred():
    source, target = taught(DuelingGANDDQN), taught(DuelingGANDDQN, seed=1)
    particles = torch.randn(300, 8)
    before = target.policy.critic(torch.as_tensor(SEEN), particles)
    sync(source, target)
    after = target.policy.critic(torch.as_tensor(SEEN), particles)
    torch.testing.assert_close(after, source.policy.critic(torch.as_tensor(SEEN), particles), rtol=0.0, atol=0.0)
    assert not torch.allclose(before, after, atol=1e-3)


@each_kind
def test_the_optimizer_only_if_asked(kind):
    source, target = taught(kind), taught(kind, seed=1)
    names = ["optimizer", *(["critic_optimizer"] if kind is DuelingGANDDQN else [])]
    own = {name: moments(getattr(target.policy, name)) for name in names}
    sync(source, target)
    for name in names:
        assert equal(moments(getattr(target.policy, name)), own[name])
    sync(source, target, optimizer=True)
    for name in names:
        theirs = moments(getattr(source.policy, name))
        assert len(theirs) > 3
        assert equal(moments(getattr(target.policy, name)), theirs)
        assert not equal(own[name], theirs)
    held = [moments(getattr(source.policy, name)) for name in names]
    target.train(gradient_steps=3, batch_size=16)
    assert all(equal(moments(getattr(source.policy, name)), own) for name, own in zip(names, held, strict=True))


@each_kind
def test_with_its_optimizer_it_learns_on_as_the_source_would(kind):
    source, target = taught(kind), taught(kind, seed=1)
    sync(source, target, optimizer=True)
    target.replay_buffer.restore(source.replay_buffer.state())
    target.generator.bit_generator.state = source.generator.bit_generator.state
    for agent in (source, target):
        agent.train(gradient_steps=3, batch_size=16)
    assert same(weights(source), weights(target))


@each_kind
def test_luck_and_memory_stay_each_agent_s_own(kind):
    source, target = taught(kind), taught(kind, seed=1, steps=60)
    rewards, state = target.replay_buffer.rewards.copy(), target.generator.bit_generator.state
    env = target.get_env()
    sync(source, target, optimizer=True)
    np.testing.assert_array_equal(target.replay_buffer.rewards, rewards)
    assert target.generator.bit_generator.state == state != source.generator.bit_generator.state
    assert target.replay_buffer.generator is target.generator
    assert target.get_env() is env is not source.get_env()
    assert target.num_timesteps == 60


@each_kind
def test_the_mean_of_the_rewards_is_transferred(kind):
    source = taught(kind, center_rewards=True, env=Follow(bonus=5.0))
    target = taught(kind, center_rewards=True, seed=1)
    assert abs(source.mean_reward - target.mean_reward) > 4.0
    sync(source, target)
    assert target.mean_reward == source.mean_reward
    fresh = learner(kind, center_rewards=True, seed=1)
    assert fresh.mean_reward is None
    sync(fresh, target)
    assert target.mean_reward is None


@each_kind
def test_statistics_of_normalization_are_transferred(kind):
    source = taught(kind, env=normalized(), steps=60)
    target = taught(kind, env=normalized(), seed=1, steps=20)
    mine, theirs = source.get_vec_normalize_env(), target.get_vec_normalize_env()
    assert np.abs(mine.obs_rms.mean - theirs.obs_rms.mean).max() > 1e-4
    sync(source, target)
    np.testing.assert_array_equal(mine.normalize_obs(SEEN), theirs.normalize_obs(SEEN))
    np.testing.assert_array_equal(mine.normalize_reward(SEEN[:, 0]), theirs.normalize_reward(SEEN[:, 0]))
    own, other = (
        agent.predict(env.normalize_obs(SEEN), deterministic=True)[0]
        for agent, env in ((source, mine), (target, theirs))
    )
    np.testing.assert_array_equal(own, other)
    held, count = mine.obs_rms.mean.copy(), mine.obs_rms.count
    target.learn(20, reset_num_timesteps=False)
    np.testing.assert_array_equal(mine.obs_rms.mean, held)
    assert mine.obs_rms.count == count < theirs.obs_rms.count


@pytest.mark.parametrize("kind", [stable_baselines3.DQN, QRDQN])
def test_stock_agents_are_transferred_too(kind):
    source, target = stock(kind), stock(kind, seed=1)
    assert not same(weights(source), weights(target), tolerance=1e-2)
    own = moments(target.policy.optimizer)
    sync(source, target)
    assert same(weights(source), weights(target))
    own_actions, other_actions = (agent.predict(SEEN, deterministic=True)[0] for agent in (source, target))
    np.testing.assert_array_equal(own_actions, other_actions)
    assert equal(moments(target.policy.optimizer), own)
    sync(source, target, optimizer=True)
    assert equal(moments(target.policy.optimizer), moments(source.policy.optimizer))


@pytest.mark.parametrize("pair", [(stable_baselines3.DQN, DQN), (DQN, stable_baselines3.DQN), (DQN, DDQN)])
def test_kinds_with_the_same_networks_go_together(pair):
    source, target = (
        stock(kind, seed) if kind is stable_baselines3.DQN else taught(kind, seed=seed)
        for seed, kind in enumerate(pair)
    )
    sync(source, target)
    assert same(weights(source), weights(target))


REFUSED = {
    "observations": (
        lambda: taught(DQN),
        lambda: taught(DQN, env=Longer(), seed=1),
        r"observation_space: the source has Box\(0.0, 1.0, \(2,\), float32\), the target Box\(0.0, 1.0, \(3,\)",
    ),
    "actions": (
        lambda: taught(DuelingGANDDQN),
        lambda: taught(DuelingGANDDQN, env=Fewer(), seed=1),
        r"action_space: the source has Discrete\(7\), the target Discrete\(6\)",
    ),
    "head": (
        lambda: taught(DQN, "geometry"),
        lambda: taught(DQN, seed=1),
        "head: the source has geometry, the target dense",
    ),
    "head of a stock agent": (
        lambda: stock(stable_baselines3.DQN),
        lambda: taught(DQN, "geometry", seed=1),
        "head: the source has dense, the target geometry",
    ),
    "width": (
        lambda: taught(DQN),
        lambda: taught(DQN, seed=1, policy={"net_arch": [16, 12]}),
        r"size of q_net\.q_net\.2\.weight: the source has \(16, 16\), the target \(12, 16\)",
    ),
    "depth": (
        lambda: taught(DQN),
        lambda: taught(DQN, seed=1, policy={"net_arch": [16, 16, 16]}),
        r"size of q_net\.q_net\.4\.weight: the source has \(7, 16\), the target \(16, 16\)",
    ),
    "a layer more in the head": (
        lambda: taught(DQN, "geometry"),
        lambda: taught(DQN, "geometry", seed=1, policy={"head_kwargs": {"hidden_size": 8}}),
        r"size of q_net\..*embedding.*: the source has",
    ),
    "how a head values units": (
        lambda: taught(DQN, "factored"),
        lambda: taught(DQN, "factored", seed=1, policy={"head_kwargs": {"values": "table"}}),
        r"size of q_net\..*embedding.*: the source has",
    ),
    "optimizer": (
        lambda: taught(DQN),
        lambda: taught(DQN, seed=1, policy={"optimizer_class": torch.optim.AdamW}),
        "optimizer_class: the source has Adam, the target AdamW",
    ),
    "critic": (
        lambda: taught(DuelingGANDDQN),
        lambda: taught(DuelingGANDDQN, seed=1, policy={"critic_size": 12}),
        r"size of critic\.layers\.0\.weight: the source has \(16, 10\), the target \(12, 10\)",
    ),
    "particles": (
        lambda: taught(DuelingGANDDQN),
        lambda: taught(DuelingGANDDQN, seed=1, policy={"num_particles": 9}),
        r"size of q_net\.value\.weight: the source has \(8, 16\), the target \(9, 16\)",
    ),
    "stock width": (
        lambda: stock(QRDQN),
        lambda: stock(QRDQN, 1, net_arch=[12, 12]),
        r"size of quantile_net\.\S*: the source has \(16, 2\), the target \(12, 2\)",
    ),
    "kinds": (
        lambda: stock(stable_baselines3.DQN),
        lambda: stock(QRDQN, 1),
        "size of q_net.*the target no such weights",
    ),
    "kinds, the other way": (
        lambda: stock(QRDQN),
        lambda: taught(DQN, seed=1),
        "size of quantile_net.*the target no such weights",
    ),
    "GAN and DQN": (
        lambda: taught(DuelingGANDDQN),
        lambda: taught(DQN, seed=1),
        "learned parts: the source has .*critic_optimizer.*, the target",
    ),
    "centred": (
        lambda: taught(DQN, center_rewards=True),
        lambda: taught(DQN, seed=1),
        "center_rewards: the source has True, the target False",
    ),
    "stock and centred": (
        lambda: stock(stable_baselines3.DQN),
        lambda: taught(DQN, center_rewards=True, seed=1),
        "center_rewards: the source has False, the target True",
    ),
    "normalized": (
        lambda: taught(DQN, env=normalized()),
        lambda: taught(DQN, seed=1),
        "VecNormalize: the source has",
    ),
    "normalized target": (
        lambda: taught(DQN),
        lambda: taught(DQN, env=normalized(), seed=1),
        "VecNormalize: the source has",
    ),
    "normalized otherwise": (
        lambda: taught(DQN, env=normalized(norm_obs=False)),
        lambda: taught(DQN, env=normalized(), seed=1),
        "VecNormalize",
    ),
    "activation": (
        lambda: taught(DQN, policy={"activation_fn": torch.nn.Tanh}),
        lambda: taught(DQN, seed=1),
        "activation",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused(what):
    make_source, make_target, message = REFUSED[what]
    source, target = make_source(), make_target()
    held, mean = weights(target), getattr(target, "mean_reward", None)
    optimizer = moments(target.policy.optimizer)
    normalize = target.get_vec_normalize_env()
    statistics = None if normalize is None else normalize.obs_rms.mean.copy()
    with pytest.raises(ValueError, match=message):
        sync(source, target, optimizer=True)
    assert same(weights(target), held)
    assert getattr(target, "mean_reward", None) == mean
    assert equal(moments(target.policy.optimizer), optimizer)
    if normalize is not None:
        np.testing.assert_array_equal(normalize.obs_rms.mean, statistics)


@each_kind
def test_an_agent_on_a_batch_takes_over_from_one_on_a_cell(kind, small):
    source = taught(kind, env=gym.make("SliceRAN-v0", scenario=small))
    target = taught(kind, env=gym.make_vec("SliceRAN-v0", num_envs=3, scenario=small), seed=1)
    sync(source, target)
    assert same(weights(source), weights(target))
