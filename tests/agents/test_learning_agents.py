from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3
import torch
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3.common import buffers
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import set_random_seed

from agents import DDQN, DQN, DuelingGANDDQN
from agents.dqn import HEADS
from agents.dqn.heads import share_features
from slicing_gym import Constant, Exponential, Radio, Scenario, Simulator, Slice, Traffic, allocation_table
from slicing_gym.allocation import units_of_table
from tests.helpers.learners import Follow, each_head, each_kind, fill, filled, learner, same, stir, weights
from tests.helpers.learners import _one_thread as _one_thread


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
    shape = {"net_arch": [16, 16], "optimizer_class": optimizer, "optimizer_kwargs": {}}
    stock = stable_baselines3.DQN("MlpPolicy", Follow(), policy_kwargs=shape, device="cpu", **common)
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
def test_only_terminal_episodes_have_no_next_value(kind, terminates):
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


# Heads


def wide(number):
    """As many slices as asked for, two units each and two over."""
    slices = tuple(
        Slice(f"s{i}", 2, Traffic(Exponential(0.004), Constant(200.0)), rate_sla_bps=1e5, latency_sla_s=2e-3)
        for i in range(number)
    )
    radio = Radio(bandwidth_hz=2e5 * (2 * number + 2), slots_per_interval=20)
    return Scenario("wide", slices, radio, decisions_per_episode=10)


@each_kind
@pytest.mark.parametrize("head", ["geometry", "factored"])
@pytest.mark.parametrize("number", [2, 4])
def test_both_heads_serve_any_number_of_slices(kind, head, number):
    scenario = wide(number)
    agent = learner(kind, head, env=gym.make("SliceRAN-v0", scenario=scenario, reward="utility"))
    before = weights(agent)
    agent.learn(30)
    assert not same(weights(agent), before)
    values = agent.q_net(torch.rand(5, number))
    assert values.shape == (5, len(allocation_table(scenario.num_units, number)))
    action, _ = agent.predict(np.ones(number, np.float32), deterministic=True)
    units = allocation_table(scenario.num_units, number)[int(action)]
    assert np.isfinite(Simulator(scenario, [0]).advance(units).utility).all()


@each_kind
def test_embeddings_have_as_many_weights_for_any_number_of_actions(kind):
    sizes = {}
    for head in HEADS:
        for units in (8, 32):
            scenario = wide(2).replace(radio={"bandwidth_hz": 2e5 * units})
            env = gym.make("SliceRAN-v0", scenario=scenario, reward="utility")
            agent = learner(kind, head, env=env)
            assert agent.action_space.n == units - 1
            sizes[head, units] = sum(parameter.numel() for parameter in agent.q_net.parameters())
    assert sizes["geometry", 8] == sizes["geometry", 32]
    assert sizes["factored", 8] == sizes["factored", 32]
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
        *(
            (Follow, {"head": "geometry", "head_kwargs": given}, error, message)
            for given, error, message in (
                ({"embedding_size": 0}, ValueError, "head_kwargs.embedding_size: 0 given"),
                ({"hidden_size": 1.5}, TypeError, "head_kwargs.hidden_size: 1.5 is not"),
            )
        ),
        (Follow, {"head_kwargs": {"depth": 3}}, TypeError, "depth"),
        (Odd, {"head": "factored"}, ValueError, r"head: 'factored' wants .*5 actions .*3 slices"),
        *(
            (Follow, {"head": "factored", "head_kwargs": given}, error, message)
            for given, error, message in (
                ({"values": "tabel"}, ValueError, "head_kwargs.values: unknown name 'tabel'; did you mean 'table'"),
                ({"embedding_size": 0}, ValueError, "head_kwargs.embedding_size: 0 given, allowed is 1 or more"),
                ({"hidden_size": 1.5}, TypeError, "head_kwargs.hidden_size: 1.5 is not"),
                ({"approximate": "no"}, TypeError, "head_kwargs.approximate: 'no' given, allowed is bool"),
                ({"depth": 3}, TypeError, "depth"),
            )
        ),
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


# What is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "nonsense"}, "device: 'nonsense' is not there, allowed are auto, cpu"),
        ({"device": "meta"}, "device: 'meta' is not there, allowed are auto, cpu.*tensors on it hold no values"),
        ({"device": "cuda:99"}, "device: 'cuda:99' is not there, allowed are auto, cpu"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DQN("MlpPolicy", gym.make("SliceRAN-v0", scenario="paper-1mhz"), **arguments)


def test_a_policy_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="allowed are 'MlpPolicy' and subclasses of SlicingPolicy"):
        DQN(stable_baselines3.dqn.MlpPolicy, gym.make("SliceRAN-v0", scenario="paper-1mhz"))
