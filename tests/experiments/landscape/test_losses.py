"""The losses of agents, as functions of their weights."""

from __future__ import annotations

import numpy as np
import pytest
import stable_baselines3
import torch
from stable_baselines3.common.logger import Logger
from torch import nn
from torch.nn import functional

from agents import DDQN, DQN, DuelingGANDDQN
from agents.hooks import with_fixed_targets
from experiments.landscape.flatness import flatness_of, random_directions
from experiments.landscape.losses import LOSSES, agent_loss, batch_of, stored
from tests.helpers.learners import Follow, each_head, each_kind, filled, same, weights


@each_kind
@each_head
def test_the_loss_of_an_agent_is_its_own(kind, head):
    agent = filled(kind, head, center_rewards=True)
    agent.mean_reward = 0.4
    data = stored(agent)
    loss = agent_loss(agent, data)
    batch = agent.replay_buffer._get_samples(np.arange(len(data.rewards)))
    rewards = torch.as_tensor(data.rewards - 0.4, dtype=torch.float32)[:, None]
    torch.testing.assert_close(batch.rewards, rewards)
    batch = batch._replace(rewards=rewards, dones=torch.zeros_like(batch.dones))
    before = agent.generator.bit_generator.state
    own = agent._compute_loss(batch)
    agent.generator.bit_generator.state = before
    assert loss.here() == pytest.approx(own.item(), rel=1e-6)
    (first, *_) = torch.autograd.grad(own, agent.q_net.parameters())
    torch.testing.assert_close(loss.gradient()[: first.numel()], first.reshape(-1), rtol=1e-4, atol=1e-6)


@each_kind
@each_head
def test_the_hessian_of_an_agent_is_the_change_of_its_gradient(kind, head):
    agent = filled(kind, head, policy={"activation_fn": nn.Tanh})  # without kinks, here and in the critic
    if kind is DuelingGANDDQN:
        agent.policy.critic.layers[1] = agent.policy.critic.layers[3] = nn.Tanh()
    loss = agent_loss(agent, stored(agent))
    direction = loss.gradient()
    direction /= direction.norm()
    step, gradients = 3e-3, []
    for sign in (1.0, -1.0):
        for parameter, part in zip(loss.parameters, loss.parts(loss.weights + sign * step * direction), strict=True):
            parameter.data.copy_(part)
        gradients.append(loss.gradient())
    for parameter, part in zip(loss.parameters, loss.parts(loss.weights), strict=True):
        parameter.data.copy_(part)
    change = (gradients[0] - gradients[1]) / (2.0 * step)
    product = loss.hessian_times(direction)
    assert (product - change).norm() < 0.03 * product.norm()
    assert flatness_of(loss, rise=0.1, size=0.1, directions=1, seed=0).top_eigenvalue >= 0.999 * float(
        direction @ product
    )


@pytest.mark.parametrize("kind", [DQN, DDQN])
def test_targets_stay_while_the_weights_move(kind):
    agent = filled(kind)
    data = stored(agent)
    loss = agent_loss(agent, data)
    tensors = [torch.as_tensor(part) for part in data[:4]]
    with torch.no_grad():
        following = agent.q_net_target(tensors[3])
        best = (agent.q_net if kind is DDQN else agent.q_net_target)(tensors[3]).argmax(dim=1, keepdim=True)
        targets = tensors[2].float() + agent.gamma * following.gather(1, best)[:, 0]
        for parameter in agent.q_net_target.parameters():
            parameter += 1.0
    (direction,) = random_directions(loss, 1, seed=0)
    moved = loss.at(direction)
    with torch.no_grad():
        for parameter, part in zip(loss.parameters, loss.parts(loss.weights + direction), strict=True):
            parameter.copy_(part)
        values = agent.q_net(tensors[0]).gather(1, tensors[1][:, None])[:, 0]
    assert moved == pytest.approx(functional.smooth_l1_loss(values, targets).item(), rel=1e-5)


@each_kind
def test_an_agent_is_left_as_it_was(kind):
    agent = filled(kind)
    before, state = weights(agent), agent.generator.bit_generator.state
    loss = agent_loss(agent, stored(agent), "squared")
    one, other = (flatness_of(loss, rise=0.1, size=0.3, directions=2, seed=0) for _ in range(2))
    assert one == other
    assert same(weights(agent), before)
    assert agent.generator.bit_generator.state == state
    assert all(parameter.requires_grad for parameter in agent.policy.q_net.parameters())
    assert all(parameter.grad is None for parameter in agent.policy.q_net.parameters())
    if kind is DuelingGANDDQN:
        assert agent.critic_weight == 1.0
        assert all(parameter.requires_grad for parameter in agent.policy.critic.parameters())


def test_half_the_squared_error_of_dueling_gan_ddqn_is_its_loss_without_the_critics_term():
    agent = filled(DuelingGANDDQN)
    data, state = stored(agent), agent.generator.bit_generator.state
    states, actions, rewards, following = (torch.as_tensor(part) for part in data[:4])
    with torch.no_grad():
        hidden = agent.policy.q_net.embed(states, agent._noise(len(states)))
        particles = agent.policy.q_net.value(hidden)
        values = particles.mean(dim=1) + agent.policy.q_net.advantage(hidden).gather(1, actions[:, None])[:, 0]
        targets = rewards.float() + agent.gamma * agent.policy.q_net_target(following).amax(dim=1)
        score = agent.policy.critic(states, particles).mean()
    agent.generator.bit_generator.state = state
    half = 0.5 * (targets - values).square().mean().item()
    assert agent_loss(agent, data, "squared").here() == pytest.approx(half, rel=1e-5)
    assert agent_loss(agent, data).here() == pytest.approx(half - score.item(), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("kind", [DQN, DDQN])
def test_where_all_errors_are_large_the_own_loss_is_straight_and_the_squared_one_is_not(kind):
    agent = filled(kind, center_rewards=True)
    agent.mean_reward = -50.0  # all targets far above all values
    data = stored(agent)
    own, squared = agent_loss(agent, data), agent_loss(agent, data, "squared")
    batch = with_fixed_targets(agent, batch_of(agent, data))
    with torch.no_grad():
        errors = batch.rewards - agent.q_net(batch.observations).gather(1, batch.actions)
    assert float(errors.min()) > 1.0
    assert own.here() == pytest.approx(errors.mean().item() - 0.5, rel=1e-5)
    assert squared.here() == pytest.approx(0.5 * errors.square().mean().item(), rel=1e-5)
    unit = own.gradient() / own.gradient().norm()
    rates = [(own.at(sign * 1e-2 * unit) - own.here()) / (sign * 1e-2) for sign in (1.0, -1.0)]
    assert rates == pytest.approx([float(own.gradient().norm())] * 2, rel=0.05)


def test_stock_sb3s_loss_is_the_one_it_logs():
    stock = stable_baselines3.DQN("MlpPolicy", Follow(), learning_starts=1, seed=3, device="cpu", gamma=0.7)
    logger = Logger(None, [])
    stock.set_logger(logger)
    rng = np.random.default_rng(0)
    for parameter in stock.q_net_target.parameters():
        parameter.data += 0.1
    one, two = rng.random((2, 1, 2), dtype=np.float32)
    stock.replay_buffer.add(one, two, np.array([4]), np.array([2.5]), np.array([False]), [{}])
    ours = DQN("MlpPolicy", Follow(), policy_kwargs={"net_arch": [64, 64]}, seed=0, device="cpu", gamma=0.7)
    ours.policy.load_state_dict(stock.policy.state_dict())
    measured = agent_loss(stock, stored(stock)).here()
    for kind in LOSSES:
        assert agent_loss(ours, stored(stock), kind).here() == agent_loss(stock, stored(stock), kind).here()
    stock.train(1, batch_size=8)  # eight times the one transition; the loss is that before the update
    assert measured == pytest.approx(logger.name_to_value["train/loss"], rel=1e-5)
