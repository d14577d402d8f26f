"""What every learning agent keeps to, with every head: the values, the losses, the luck, the batches and the files."""

from __future__ import annotations

import subprocess
import sys
from copy import deepcopy

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
import torch
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3.common import buffers
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, CheckpointCallback, EvalCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from agents import DDQN, DQN, DuelingGANDDQN, GymnasiumVecEnv
from agents.dqn import HEADS
from agents.dqn.heads import share_features
from slicing_gym import Constant, Exponential, Radio, Scenario, Simulator, Slice, Traffic, allocation_table
from slicing_gym.allocation import units_of_table

KINDS = {kind.__name__: kind for kind in (DQN, DDQN, DuelingGANDDQN)}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
each_head = pytest.mark.parametrize("head", HEADS)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Follow(gym.Env):
    """The best of seven actions is what the first of two numbers asks for; as far off as that, as much less reward."""

    observation_space = spaces.Box(0.0, 1.0, (2,), np.float32)
    action_space = spaces.Discrete(7)

    def __init__(self, length=10, terminates=False, bonus=0.0):
        self.length, self.terminates, self.bonus, self.step_in_round = length, terminates, bonus, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed, options=options)
        self.step_in_round = 0
        return self._observe(), {}

    def step(self, action):
        reward = self.bonus - abs(int(action) - int(best_to_follow(self.observation[None])[0])) / 6.0
        self.step_in_round += 1
        over = self.step_in_round >= self.length
        return self._observe(), reward, over and self.terminates, over and not self.terminates, {}

    def _observe(self):
        self.observation = self.np_random.random(2, dtype=np.float32)
        return self.observation


def best_to_follow(observations):
    return np.round(6.0 * observations[:, 0]).astype(int)


def learner(kind, head="dense", env=None, *, policy=None, **arguments):
    """A small agent; `policy` holds more of its `policy_kwargs`."""
    settings = {"net_arch": [16, 16], "head": head}
    if kind is DuelingGANDDQN:
        settings |= {"critic_size": 16, "num_particles": 8}
        arguments = {"critic_steps": 2, **arguments}
    arguments = {"buffer_size": 1000, "learning_starts": 8, "seed": 0, "device": "cpu", **arguments}
    agent = kind("MlpPolicy", Follow() if env is None else env, policy_kwargs=settings | (policy or {}), **arguments)
    agent.set_logger(Logger(None, []))
    return agent


def weights(agent):
    return {name: value.clone() for name, value in agent.policy.state_dict().items()}


def same(one, other, tolerance=0.0):
    return one.keys() == other.keys() and all(
        torch.allclose(one[name], other[name], rtol=0.0, atol=tolerance) for name in one
    )


def fill(buffer, number=60, seed=0, scale=3.0):
    """Random transitions; a third ends a round, half of these are truncated."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        kind = rng.integers(6)
        buffer.add(
            rng.random((1, 2), dtype=np.float32),
            rng.random((1, 2), dtype=np.float32),
            rng.integers(7, size=1),
            scale * rng.standard_normal(1).astype(np.float32),
            np.array([kind < 2]),
            [{"TimeLimit.truncated": kind == 0}],
        )


def stir(agent, seed=1):
    """Make the target network differ from the other, as after some updates."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in agent.q_net_target.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)


def filled(kind, head="dense", **arguments):
    agent = learner(kind, head, **arguments)
    fill(agent.replay_buffer)
    stir(agent)
    return agent


class WholeBuffer(buffers.ReplayBuffer):
    """Stable-Baselines3's, handing out everything in the order in which it came."""

    def sample(self, batch_size, env=None):
        del batch_size
        return self._get_samples(np.arange(self.size()), env)


# Values


@each_kind
@each_head
def test_taken_values_and_gradients_are_those_of_the_full_forward(kind, head):
    agent = learner(kind, head)
    net, generator = agent.q_net, torch.Generator().manual_seed(0)
    observations = 2.0 * torch.rand(50, 2, generator=generator)
    actions, pull = torch.randint(7, (50,), generator=generator), torch.randn(50, generator=generator)
    if kind is DuelingGANDDQN:
        hidden = net.embed(observations, torch.full((50, net.noise_size), 0.5))
        taken = net.value(hidden).mean(dim=1) + net.advantage.taken(hidden, actions)
    else:
        taken = net.taken(observations, actions)
    full = net(observations)[torch.arange(50), actions]
    torch.testing.assert_close(taken, full, rtol=0.0, atol=1e-5)
    parameters = list(net.parameters())
    ours = torch.autograd.grad((pull * taken).sum(), parameters)
    theirs = torch.autograd.grad((pull * full).sum(), parameters)
    assert len(ours) > 5
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=0.0, atol=1e-5)


@each_kind
@each_head
@pytest.mark.parametrize("number", [1, 33])
def test_values_without_gradients_are_the_same(kind, head, number):
    agent = learner(kind, head)
    observations = torch.rand(number, 2)
    with_gradients = agent.q_net(observations)
    assert with_gradients.requires_grad
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            torch.testing.assert_close(agent.q_net(observations), with_gradients.detach(), rtol=0.0, atol=1e-5)


# Stable-Baselines3


@each_kind
def test_dense_begins_as_sb3_does(kind):
    stock = stable_baselines3.DQN("MlpPolicy", Follow(), policy_kwargs={"net_arch": [16, 16]}, seed=3, device="cpu")
    ours = learner(kind, seed=3)
    if kind is DuelingGANDDQN:  # a network of its own; like theirs it begins with both of the same weights
        assert same(ours.q_net.state_dict(), ours.q_net_target.state_dict())
        assert same(weights(ours), weights(learner(kind, seed=3)))
    else:
        assert same(weights(ours), weights(stock))
    assert not same(weights(ours), weights(learner(kind, seed=4)))


@pytest.mark.parametrize(
    ("optimizer", "arguments"),
    [
        (torch.optim.Adam, None),
        (torch.optim.Adam, {}),
        (torch.optim.AdamW, None),
        (torch.optim.SGD, None),
    ],
)
@pytest.mark.parametrize("max_grad_norm", [0.05, 10.0])
def test_dqn_steps_as_sb3_does(optimizer, arguments, max_grad_norm):
    common = {
        "learning_rate": 1e-3 if optimizer is not torch.optim.SGD else 0.1,
        "gamma": 0.7,
        "seed": 3,
        "max_grad_norm": max_grad_norm,
        "replay_buffer_class": WholeBuffer,
    }
    plain = {"net_arch": [16, 16], "optimizer_class": optimizer, "optimizer_kwargs": {}}
    stock = stable_baselines3.DQN("MlpPolicy", Follow(), policy_kwargs=plain, device="cpu", **common)
    stock.set_logger(Logger(None, []))
    ours = learner(DQN, policy={"optimizer_class": optimizer, "optimizer_kwargs": arguments}, **common)
    before = weights(ours)
    for agent in (stock, ours):
        fill(agent.replay_buffer)
        stir(agent)
        agent.train(gradient_steps=3, batch_size=60)
    assert same(weights(ours), weights(stock), tolerance=2e-6)
    assert not same(weights(ours), before, tolerance=1e-4)


# Losses


def values_by_hand(agent, next_observations):
    """V(s') of each next state, by the full forward."""
    with torch.no_grad():
        target, online = agent.q_net_target(next_observations), agent.q_net(next_observations)
    if isinstance(agent, DDQN):
        return torch.tensor([target[row, online[row].argmax()] for row in range(len(target))])
    return torch.tensor([target[row].max() for row in range(len(target))])


@each_kind
@each_head
def test_targets_are_those_of_the_paper(kind, head):
    agent = filled(kind, head, gamma=0.7)
    batch = agent.replay_buffer.sample(80)
    values = values_by_hand(agent, batch.next_observations)
    wanted = [
        reward if done else reward + 0.7 * value
        for reward, done, value in zip(batch.rewards[:, 0], batch.dones[:, 0], values, strict=True)
    ]
    target = agent._td_target(batch)
    assert not target.requires_grad
    torch.testing.assert_close(target, torch.stack(wanted), rtol=0.0, atol=1e-5)


def test_double_and_single_targets_differ():
    one, two = (filled(kind) for kind in (DQN, DDQN))
    batch = one.replay_buffer.sample(80)
    single, double = one._td_target(batch), two._td_target(batch)
    assert (double <= single + 1e-6).all()
    assert (double < single - 1e-3).any()


@pytest.mark.parametrize("kind", [DQN, DDQN])
@each_head
def test_loss_is_huber_of_the_error(kind, head):
    agent = filled(kind, head)
    batch = agent.replay_buffer.sample(80)
    values = agent.q_net(batch.observations)
    errors = torch.stack(
        [values[row, batch.actions[row, 0]] - target for row, target in enumerate(agent._td_target(batch))]
    )
    huber = torch.where(errors.abs() < 1.0, errors**2 / 2.0, errors.abs() - 0.5)
    assert 2 < (errors.abs() < 1.0).sum() < 78  # both branches
    assert agent._compute_loss(batch).item() == pytest.approx(huber.mean().item(), rel=1e-5, abs=1e-5)


@each_kind
@pytest.mark.parametrize("terminates", [True, False])
def test_only_terminal_rounds_have_no_next_value(kind, terminates):
    agent = learner(kind, env=Follow(length=4, terminates=terminates), learning_starts=1000)
    agent.learn(40)
    buffer = agent.replay_buffer
    assert buffer.dones[:40].sum() == 10.0
    batch = buffer.sample(300)
    assert batch.dones.unique().tolist() == ([0.0, 1.0] if terminates else [0.0])
    stir(agent)
    values = values_by_hand(agent, batch.next_observations)
    assert (values.abs() > 1e-3).all()
    follows = (agent._td_target(batch) - batch.rewards[:, 0]) / (0.8 * values)  # 1 where the next value counts
    torch.testing.assert_close(follows, 1.0 - batch.dones[:, 0], rtol=0.0, atol=1e-2)


@each_kind
def test_several_steps_are_discounted_as_sb3_does(kind):
    agent = learner(kind, n_steps=3, gamma=0.5, learning_starts=1000)
    agent.learn(30)
    set_random_seed(0)
    batch = agent.replay_buffer.sample(50)
    assert set(batch.discounts[:, 0].tolist()) >= {0.125}
    stir(agent)
    values = values_by_hand(agent, batch.next_observations)
    wanted = batch.rewards[:, 0] + (1.0 - batch.dones[:, 0]) * batch.discounts[:, 0] * values
    torch.testing.assert_close(agent._td_target(batch), wanted, rtol=0.0, atol=1e-5)


@each_kind
def test_target_network_follows_at_its_interval(kind):
    agent = learner(kind, target_update_interval=20, learning_starts=4)
    agent.learn(19)
    assert not same(agent.q_net.state_dict(), agent.q_net_target.state_dict(), tolerance=1e-5)
    held = {name: value.clone() for name, value in agent.q_net.state_dict().items()}
    agent.learn(1, reset_num_timesteps=False)  # the target is renewed before the update
    assert same(agent.q_net_target.state_dict(), held)
    assert not same(agent.q_net.state_dict(), held)


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

    low, high, plain = values(0.0, True), values(50.0, True), values(50.0, False)
    apart, without = (low - high).abs().max(), (plain - high).abs().max()
    assert apart < 0.1 * without


def test_centred_rewards_are_centred_when_normalized_too():
    env = VecNormalize(DummyVecEnv([lambda: Monitor(Follow(bonus=50.0))]), gamma=0.8)
    agent = learner(DQN, env=env, center_rewards=True, learning_starts=1000)
    agent.learn(300)
    plain = env.normalize_reward(agent.replay_buffer.rewards[:300])
    assert abs(agent._sample(3000).rewards.mean().item()) < 0.1 * abs(plain.mean()) + 3.0 * plain.std() / 50.0


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
    """Random 5.04, the best allocation 5.66 and the one beside it 5.51 on either side."""
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


# Luck


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
def test_deterministic_actions_use_no_luck(kind, head):
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
def test_luck_comes_from_the_seed_alone(kind, small):
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
def test_rounds_of_different_lengths_end_one_by_one(mode):
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


# Files


def test_a_saved_agent_acts_alike_in_another_process(tmp_path):
    seen = np.random.default_rng(0).random((200, 2), dtype=np.float32)
    np.save(tmp_path / "seen.npy", seen)
    wanted = []
    for kind in KINDS.values():
        for head in HEADS:
            agent = learner(kind, head)
            agent.learn(40)
            agent.save(tmp_path / f"{kind.__name__}-{head}")
            wanted.append(agent.predict(seen, deterministic=True)[0])
    assert len(np.unique(wanted, axis=0)) > 1
    script = """
import sys, numpy as np, agents
folder, *names = sys.argv[1:]
seen = np.load(folder + "/seen.npy")
found = [getattr(agents, name.split("-")[0]).load(f"{folder}/{name}") for name in names]
np.save(folder + "/actions.npy", [agent.predict(seen, deterministic=True)[0] for agent in found])
"""
    names = [f"{kind}-{head}" for kind in KINDS for head in HEADS]
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path), *names], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "actions.npy"), wanted)


@each_kind
@each_head
def test_a_loaded_agent_is_the_saved_one(kind, head, tmp_path):
    agent = learner(kind, head, center_rewards=True, gamma=0.3)
    agent.learn(40)
    agent.save(tmp_path / "agent")
    loaded = kind.load(tmp_path / "agent", device="cpu")
    assert same(weights(loaded), weights(agent))
    assert loaded.generator.bit_generator.state == agent.generator.bit_generator.state
    assert loaded.mean_reward == agent.mean_reward is not None
    assert loaded.gamma == 0.3
    assert loaded.num_timesteps == 40
    assert loaded.policy.head == head
    for name in agent._get_torch_save_params()[0]:
        if "optimizer" in name:
            part = name.split(".")[1]
            own, other = (getattr(each.policy, part).state_dict()["state"] for each in (agent, loaded))
            assert own.keys() == other.keys()
            assert len(own) > 3
            for number, moments in own.items():
                assert torch.equal(moments["exp_avg"], other[number]["exp_avg"])


@each_kind
def test_continuations_are_identical(kind, tmp_path):
    agent = learner(kind)
    agent.learn(40)
    agent.save(tmp_path / "agent")
    agent.save_replay_buffer(tmp_path / "buffer")
    ends = []
    for disturbance in (1, 2):
        set_random_seed(disturbance)
        loaded = kind.load(tmp_path / "agent", env=Follow(), device="cpu")
        loaded.load_replay_buffer(tmp_path / "buffer")
        np.testing.assert_array_equal(loaded.replay_buffer.rewards, agent.replay_buffer.rewards)
        loaded.learn(40, reset_num_timesteps=False)
        assert loaded.num_timesteps == 80
        ends.append(weights(loaded))
    assert same(*ends)
    assert not same(ends[0], weights(agent), tolerance=1e-3)


@each_kind
def test_updates_go_on_after_loading_as_if_nothing_had_been(kind, tmp_path):
    agent = learner(kind)
    agent.learn(40)
    agent.save(tmp_path / "agent")
    agent.save_replay_buffer(tmp_path / "buffer")
    loaded = kind.load(tmp_path / "agent", env=Follow(), device="cpu")
    loaded.set_logger(Logger(None, []))
    loaded.load_replay_buffer(tmp_path / "buffer")
    for each in (agent, loaded):
        each.train(gradient_steps=5, batch_size=16)
    assert same(weights(loaded), weights(agent))
    assert loaded.generator.bit_generator.state == agent.generator.bit_generator.state


@each_kind
def test_set_env_changes_where_it_learns(kind):
    agent = learner(kind)
    agent.learn(20)
    agent.set_env(Follow(bonus=100.0))
    agent.learn(20, reset_num_timesteps=False)
    rewards = agent.replay_buffer.rewards[:40, 0]
    assert (rewards[:20] <= 0.0).all()
    assert (rewards[20:] > 90.0).all()
    with pytest.raises(ValueError, match="Observation spaces do not match"):
        agent.set_env(gym.make("SliceRAN-v0"))


@each_kind
def test_a_batch_of_gymnasium_is_taken_everywhere(kind, small, tmp_path):
    def envs(number):
        return gym.make_vec("SliceRAN-v0", num_envs=number, scenario=small)

    agent = learner(kind, env=envs(2))
    agent.set_env(envs(2))
    agent.learn(20)
    agent.save(tmp_path / "agent")
    loaded = kind.load(tmp_path / "agent", env=envs(3), device="cpu")
    loaded.learn(30)
    assert loaded.n_envs == 3
    assert loaded.replay_buffer.pos == 10


@each_kind
@each_head
def test_a_policy_alone_can_be_kept(kind, head, tmp_path):
    agent = learner(kind, head)
    agent.learn(30)
    agent.policy.save(tmp_path / "policy")
    loaded = type(agent.policy).load(tmp_path / "policy", device="cpu")
    assert same(loaded.state_dict(), weights(agent))
    seen = np.random.default_rng(0).random((50, 2), dtype=np.float32)
    np.testing.assert_array_equal(loaded.predict(seen)[0], agent.predict(seen, deterministic=True)[0])


@each_kind
def test_sb3_evaluates_and_keeps_it(kind, tmp_path):
    agent = learner(kind)
    kept = CheckpointCallback(20, str(tmp_path), save_replay_buffer=True)
    evaluates = EvalCallback(
        Monitor(Follow()), n_eval_episodes=2, eval_freq=20, best_model_save_path=str(tmp_path), verbose=0
    )
    middle = {}

    class Middle(BaseCallback):
        def _on_step(self):
            if self.num_timesteps == 20:
                middle.update(weights(self.model))
            return True

    agent.learn(40, callback=CallbackList([kept, evaluates, Middle()]))
    assert same(weights(kind.load(tmp_path / "rl_model_20_steps", device="cpu")), middle)
    assert not same(weights(agent), middle)
    assert (tmp_path / "rl_model_replay_buffer_40_steps.pkl").exists()
    best = kind.load(tmp_path / "best_model", device="cpu")
    env = Monitor(Follow())
    env.reset(seed=9)
    measured, spread = evaluate_policy(best, env, n_eval_episodes=3)
    env = Follow()
    env.reset(seed=9)
    totals = []
    for _ in range(3):
        seen, _ = env.reset()
        total, over = 0.0, False
        while not over:
            seen, reward, _, over, _ = env.step(best.predict(seen, deterministic=True)[0])
            total += reward
        totals.append(total)
    assert measured == pytest.approx(np.mean(totals), abs=1e-4)
    assert spread == pytest.approx(np.std(totals), abs=1e-4)


# Heads


def wide(number):
    """As many slices as asked for, two units each and two over."""
    slices = tuple(
        Slice(f"s{i}", 2, Traffic(Exponential(0.004), Constant(200.0)), rate_sla_bps=1e5, latency_sla_s=2e-3)
        for i in range(number)
    )
    radio = Radio(bandwidth_hz=2e5 * (2 * number + 2), slots_per_interval=20)
    return Scenario("wide", slices, radio, decisions_per_round=10)


@each_kind
@pytest.mark.parametrize("number", [2, 4])
def test_geometry_serves_any_number_of_slices(kind, number):
    scenario = wide(number)
    agent = learner(kind, "geometry", env=gym.make("SliceRAN-v0", scenario=scenario))
    before = weights(agent)
    agent.learn(30)
    assert not same(weights(agent), before)
    values = agent.q_net(torch.rand(5, number))
    assert values.shape == (5, len(allocation_table(scenario.num_units, number)))
    action, _ = agent.predict(np.ones(number, np.float32), deterministic=True)
    units = allocation_table(scenario.num_units, number)[int(action)]
    assert np.isfinite(Simulator(scenario, [0]).advance(units).utility).all()


@each_kind
def test_geometry_has_as_many_weights_for_any_number_of_actions(kind):
    sizes = {}
    for head in HEADS:
        for units in (8, 32):
            env = gym.make("SliceRAN-v0", scenario=wide(2).replace(radio={"bandwidth_hz": 2e5 * units}))
            agent = learner(kind, head, env=env)
            assert agent.action_space.n == units - 1
            sizes[head, units] = sum(parameter.numel() for parameter in agent.q_net.parameters())
    assert sizes["geometry", 8] == sizes["geometry", 32]
    assert sizes["dense", 32] - sizes["dense", 8] == 24 * 17


def test_neighbours_look_alike_to_the_geometry_head():
    space = spaces.Box(0.0, 1.0, (3,), np.float32)
    features = share_features(space, spaces.Discrete(len(allocation_table(12, 3)))).numpy()
    table = allocation_table(12, 3)
    assert features.shape == (len(table), 9)
    assert features.mean(axis=0) == pytest.approx(0.0, abs=1e-5)
    assert features.std(axis=0) == pytest.approx(1.0, abs=1e-5)
    assert len(np.unique(features, axis=0)) == len(table)
    for column in range(9):  # more units, a larger feature
        order = np.argsort(table[:, column % 3], kind="stable")
        assert (np.diff(features[order, column]) >= 0.0).all()
    apart = np.abs(table[:, None] - table[None]).sum(axis=2)
    distance = np.linalg.norm(features[:, None] - features[None], axis=2)
    assert distance[apart == 2].mean() < 0.5 * distance[apart >= 8].mean()


class Odd(gym.Env):
    """Three slices, and five actions: no number of allocations to three."""

    observation_space = spaces.Box(0.0, 1.0, (3,), np.float32)
    action_space = spaces.Discrete(5)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed, options=options)
        return np.zeros(3, np.float32), {}

    def step(self, action):
        return np.zeros(3, np.float32), float(action), False, False, {}


@each_kind
@pytest.mark.parametrize(
    ("env", "policy", "error", "message"),
    [
        (Odd, {"head": "geometry"}, ValueError, r"head: 'geometry' wants .*5 actions .*3 slices"),
        (Follow, {"head": "geometri"}, ValueError, r"head: unknown name 'geometri'; did you mean 'geometry'.*dense"),
        (Follow, {"head": "dens"}, ValueError, r"head: unknown name 'dens'; did you mean 'dense'"),
        (
            Follow,
            {"head": "geometry", "head_kwargs": {"embedding_size": 0}},
            ValueError,
            "head_kwargs.embedding_size: 0 given",
        ),
        (
            Follow,
            {"head": "geometry", "head_kwargs": {"hidden_size": 1.5}},
            TypeError,
            "head_kwargs.hidden_size: 1.5 is not",
        ),
        (Follow, {"head_kwargs": {"depth": 3}}, TypeError, "depth"),
    ],
)
def test_heads_that_cannot_be_are_refused(kind, env, policy, error, message):
    with pytest.raises(error, match=message):
        learner(kind, env=env(), policy=policy)


def test_dense_serves_what_geometry_refuses():
    agent = learner(DQN, env=Odd())
    agent.learn(20)
    assert agent.q_net(torch.zeros(1, 3)).shape == (1, 5)


@given(st.integers(2, 6), st.integers(0, 12))
def test_the_number_of_actions_tells_the_units(slices, over):
    units = slices + over
    assert units_of_table(len(allocation_table(units, slices)), slices) == units


@pytest.mark.parametrize("slices", [1, 2, 3, 4])
def test_other_numbers_of_actions_tell_of_no_units(slices):
    possible = {len(allocation_table(units, slices)): units for units in range(slices, 60)} if slices > 1 else {}
    assert [units_of_table(number, slices) for number in range(1, 50)] == [
        possible.get(number) for number in range(1, 50)
    ]


# What is there


@each_kind
def test_devices_that_are_not_there_are_refused(kind, tmp_path):
    learner(kind, device=torch.device("cpu")).save(tmp_path / "agent")
    missing = ["cuda:99", "gpu"]
    if not torch.cuda.is_available():
        missing += ["cuda", torch.device("cuda", 0)]
        with pytest.raises(ValueError, match="device: 'cuda' is not there, allowed are auto, cpu"):
            kind.load(tmp_path / "agent", device="cuda")
    for device in missing:
        with pytest.raises(ValueError, match=f"device: '{device}' is not there, allowed are auto, cpu"):
            learner(kind, device=device)


def test_agents_wait_with_torch_until_it_is_needed():
    script = """
import sys
import agents
late = {"torch", "stable_baselines3"}
assert not late & set(sys.modules), late & set(sys.modules)
from agents import DQN, HardPolicy
assert late <= set(sys.modules)
import agents.dqn
assert agents.DQN is DQN is agents.dqn.DQN
assert all(getattr(agents, name) for name in agents.__all__)
try:
    agents.DQM
except AttributeError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "module 'agents' has no attribute 'DQM'" in run.stdout


def test_a_batch_that_cannot_begin_one_round_alone_is_refused():
    with pytest.raises(ValueError, match="has the autoreset mode 'NextStep', allowed is 'SameStep'"):
        GymnasiumVecEnv(gym.make_vec("CartPole-v1", num_envs=2, vectorization_mode="vector_entry_point"))


def test_wrappers_of_a_batch_may_put_dicts_into_its_info(small):
    envs = gym.make_vec("SliceRAN-v0", num_envs=3, scenario=small, autoreset_mode="SameStep")
    batch = GymnasiumVecEnv(gym.wrappers.vector.RecordEpisodeStatistics(envs))
    batch.reset()
    for _ in range(small.decisions_per_round):
        *_, dones, infos = batch.step(np.zeros(3, np.int64))
    assert dones.all()
    assert [info["episode"]["l"] for info in infos] == [small.decisions_per_round] * 3


def test_a_dense_head_can_be_exported():
    env = gym.make("SliceRAN-v0", scenario="paper-1mhz")
    network = DQN("MlpPolicy", env, policy_kwargs={"net_arch": [16]}, seed=0, device="cpu").policy.q_net
    seen = torch.rand(5, 3)
    with torch.no_grad():
        exported = torch.export.export(network, (seen,))
        np.testing.assert_allclose(exported.module()(seen), network(seen), rtol=1e-5, atol=1e-5)
    assert not any("mkldnn" in str(node.target) for node in exported.graph.nodes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"center_rewards": True, "n_steps": 3}, "n_steps: 3 given, with center_rewards allowed is 1"),
        ({"device": "nonsense"}, "device: 'nonsense' is not there, allowed are auto, cpu"),
        ({"device": "cuda:99"}, "device: 'cuda:99' is not there, allowed are auto, cpu"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DQN("MlpPolicy", gym.make("SliceRAN-v0", scenario="paper-1mhz"), **arguments)


def test_a_policy_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="allowed are 'MlpPolicy' and subclasses of SlicingPolicy"):
        DQN(stable_baselines3.dqn.MlpPolicy, gym.make("SliceRAN-v0", scenario="paper-1mhz"))
