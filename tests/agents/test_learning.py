from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from agents import DQN, DuelingGANDDQN
from slicing_gym import allocation_table
from tests.helpers.learners import Follow, best_to_follow, each_head, each_kind, learner
from tests.helpers.learners import _one_thread as _one_thread

# Rewards about their mean


@each_kind
def test_centred_learning_does_not_see_a_constant(kind):
    def values(bonus, center_rewards):
        agent = learner(kind, env=Follow(bonus=bonus), center_rewards=center_rewards, gamma=0.5, learning_starts=50)
        agent.learn(60)
        first = agent.replay_buffer.rewards[:51].mean()
        assert agent.mean_reward == (pytest.approx(first, abs=1e-4) if center_rewards else None)
        with torch.no_grad():
            return agent.q_net(torch.as_tensor(agent.replay_buffer.observations[:60, 0]))

    low, high, raw = values(0.0, True), values(50.0, True), values(50.0, False)
    apart, without = (low - high).abs().max(), (raw - high).abs().max()
    assert apart < 0.1 * without


def test_centred_rewards_are_centred_when_normalized_too():
    env = VecNormalize(DummyVecEnv([lambda: Monitor(Follow(bonus=50.0))]), gamma=0.8)
    agent = learner(DQN, env=env, center_rewards=True, learning_starts=1000)
    agent.learn(300)
    raw = env.normalize_reward(agent.replay_buffer.rewards[:300])
    centred = agent.replay_buffer.sample(3000, env).rewards.mean().item()
    assert abs(centred) < 0.1 * abs(raw.mean()) + 3.0 * raw.std() / 50.0


# Learning


def gentle(kind):
    """In so few updates the critic's term is more hindrance than help."""
    return {"critic_weight": 0.03} if kind is DuelingGANDDQN else {}


@each_kind
@each_head
def test_it_learns_what_a_state_asks_for(kind, head):
    agent = learner(
        kind,
        head,
        env=gym.vector.SyncVectorEnv([Follow] * 4),
        gamma=0.0,
        learning_rate=3e-3,
        learning_starts=200,
        exploration_fraction=0.5,
        buffer_size=4000,
        policy={"net_arch": [32, 32]},
        **gentle(kind),
    )
    observations = np.random.default_rng(1).random((500, 2), dtype=np.float32)

    def regret():
        actions, _ = agent.predict(observations, deterministic=True)
        return np.abs(actions - best_to_follow(observations)).mean()

    assert regret() > 1.5
    agent.learn(2400)
    assert regret() < 0.75  # random 2.6, the best single action 1.7


@each_kind
@each_head
def test_it_learns_to_share_out(kind, head, small):
    """Random 5.04, the best allocation 5.66 and the one next to it 5.51 on either side."""
    agent = learner(
        kind,
        head,
        env=gym.make_vec("SliceRAN-v0", num_envs=8, scenario=small, reward="utility"),
        gamma=0.0,
        learning_rate=3e-3,
        center_rewards=True,
        learning_starts=400,
        exploration_fraction=0.8,
        gradient_steps=1 if kind is DuelingGANDDQN else 2,
        buffer_size=4000,
        policy={"net_arch": [32, 32]},
        **gentle(kind),
    )
    agent.learn(4000)
    table = allocation_table(8, 2)
    fixed = np.array([played(small, lambda seen, a=a: np.full(len(seen), a)) for a in range(len(table))])
    mine = played(small, lambda seen: agent.predict(seen, deterministic=True)[0])
    assert mine > fixed.mean() + 0.7 * (fixed.max() - fixed.mean())


def played(scenario, choose, cells=30, decisions=20):
    """The mean utility of a policy."""
    envs = gym.make_vec("SliceRAN-v0", num_envs=cells, scenario=scenario, reward="utility", autoreset_mode="SameStep")
    seen, _ = envs.reset(seed=1000)
    total = 0.0
    for _ in range(decisions):
        seen, rewards, *_ = envs.step(choose(seen))
        total += rewards.mean()
    return total / decisions
