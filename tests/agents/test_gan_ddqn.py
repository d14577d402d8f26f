"""Dueling GAN-DDQN: what the critic and the generator are taught, by whom, and of which shape."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from agents import DuelingGANDDQN
from agents.gan_ddqn.networks import Critic
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.learners import each_head, fill, filled, learner, same, weights


def gan(head="dense", **arguments):
    return filled(DuelingGANDDQN, head, **arguments)


def share_of(generator, number):
    """The next numbers of a generator, which keeps them."""
    return torch.as_tensor(deepcopy(generator).random((number, 1), dtype="float32"))


def parts(agent):
    """The weights of the generator, its target and the critic."""
    policy = agent.policy
    return [deepcopy(net.state_dict()) for net in (policy.q_net, policy.q_net_target, policy.critic)]


def scores_and_slopes(critic, states, particles):
    """D and its gradient by the particles, by the chain rule written out for two hidden layers."""
    first, _, second, _, last = critic.layers
    before = torch.cat([states, particles], dim=1) @ first.weight.T + first.bias
    between = before.clamp(min=0.0) @ second.weight.T + second.bias
    score = between.clamp(min=0.0) @ last.weight[0] + last.bias
    inner = (last.weight[0] * (between > 0)) @ second.weight
    slope = (inner * (before > 0)) @ first.weight
    return score, slope[:, states.shape[1] :]


@each_head
@pytest.mark.parametrize("penalty", [0.0, 10.0])
def test_critic_loss_is_that_of_the_paper(head, penalty):
    agent = gan(head, gradient_penalty=penalty, gamma=0.7)
    policy, batch = agent.policy, agent.replay_buffer.sample(40)
    noise, next_noise = agent._noise(40), agent._noise(40)
    share = share_of(agent.generator, 40)
    loss = agent._critic_loss(batch, noise, next_noise)
    with torch.no_grad():
        made = policy.q_net.value(policy.q_net.embed(batch.observations, noise))
        following = policy.q_net_target.value(policy.q_net_target.embed(batch.next_observations, next_noise))
        real = torch.stack(
            [
                reward.expand(len(value)) if done else reward + 0.7 * value
                for reward, done, value in zip(batch.rewards, batch.dones, following, strict=True)
            ]
        )
    score_made, _ = scores_and_slopes(policy.critic, batch.observations, made)
    score_real, _ = scores_and_slopes(policy.critic, batch.observations, real)
    _, slope = scores_and_slopes(policy.critic, batch.observations, made + share * (real - made))
    lengths = (slope**2).sum(dim=1).sqrt()
    wanted = score_made.mean() - score_real.mean() + penalty * ((lengths - 1.0) ** 2).mean()
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5, abs=1e-4)
    # The same gradients, too: also through the penalty, which is a gradient itself.
    parameters = [parameter for name, parameter in policy.critic.named_parameters() if name != "layers.4.bias"]
    for own, other in zip(torch.autograd.grad(loss, parameters), torch.autograd.grad(wanted, parameters), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-3, atol=1e-4)


def test_critic_loss_reaches_no_generator():
    agent = gan()
    batch = agent.replay_buffer.sample(40)
    agent._critic_loss(batch, agent._noise(40), agent._noise(40)).backward()
    assert all(parameter.grad is not None for parameter in agent.policy.critic.parameters())
    for net in (agent.q_net, agent.q_net_target):
        assert all(parameter.grad is None for parameter in net.parameters())


@each_head
@pytest.mark.parametrize("weight", [0.0, 1.0, 3.0])
def test_generator_loss_is_that_of_the_paper(head, weight):
    agent = gan(head, critic_weight=weight)
    net, batch = agent.q_net, agent.replay_buffer.sample(40)
    noise = torch.as_tensor(deepcopy(agent.generator).random((40, net.noise_size), dtype="float32"))
    loss = agent._compute_loss(batch)
    hidden = net.embed(batch.observations, noise)
    particles, advantages = net.value(hidden), net.advantage(hidden)
    values = torch.stack([particles[i].mean() + advantages[i, batch.actions[i, 0]] for i in range(40)])
    score, _ = scores_and_slopes(agent.policy.critic, batch.observations, particles)
    wanted = ((agent._td_target(batch) - values) ** 2).mean() / 2.0 - weight * score.mean()
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5, abs=1e-4)
    parameters = list(net.parameters())
    for own, other in zip(torch.autograd.grad(loss, parameters), torch.autograd.grad(wanted, parameters), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-3, atol=1e-4)


@each_head
def test_each_network_has_its_own_update(head):
    agent = gan(head)
    batch = agent.replay_buffer.sample(40)
    made, target, critic = parts(agent)
    agent._before_update(batch)
    made_then, target_then, critic_then = parts(agent)
    assert same(made, made_then)
    assert same(target, target_then)
    assert not same(critic, critic_then, tolerance=1e-4)
    agent.policy.optimizer.zero_grad()
    agent._compute_loss(batch).backward()
    agent.policy.optimizer.step()
    made_last, target_last, critic_last = parts(agent)
    assert not same(made, made_last, tolerance=1e-4)
    assert same(target, target_last)
    assert same(critic_then, critic_last)


def test_critic_takes_as_many_steps_as_are_asked_for():
    for steps in (1, 4):
        agent = gan(critic_steps=steps)
        agent.train(gradient_steps=3, batch_size=16)
        states = agent.policy.critic_optimizer.state_dict()["state"]
        assert {int(state["step"]) for state in states.values()} == {3 * steps}
        states = agent.policy.optimizer.state_dict()["state"]
        assert {int(state["step"]) for state in states.values()} == {3}


def test_generator_s_gradients_do_not_teach_the_critic():
    """What `_compute_loss` leaves in the critic's gradients is gone before its next step."""
    agent, other = gan(), gan()
    batch = agent.replay_buffer.sample(40)
    other.replay_buffer.sample(40)
    for parameter in other.policy.critic.parameters():
        parameter.grad = torch.full_like(parameter, 1e3)
    for each in (agent, other):
        each._before_update(batch)
    assert same(weights(agent), weights(other))


def test_critic_learns_to_tell_them_apart():
    agent = learner(DuelingGANDDQN, learning_rate=3e-3, critic_steps=60, policy={"critic_size": 32})
    fill(agent.replay_buffer, scale=0.1)
    agent.replay_buffer.rewards += 2.0  # the generator knows nothing of it yet
    batch = agent.replay_buffer.sample(60)

    def gap():
        with torch.no_grad():
            made = agent.q_net.value(agent.q_net.embed(batch.observations, agent._noise(60)))
            return agent.policy.critic(batch.observations, made + 2.0) - agent.policy.critic(batch.observations, made)

    assert gap().mean() < 1.0
    agent._before_update(batch)
    assert gap().mean() > 2.0  # 2 on each of 8 particles are 5.7 apart, and the slope is 1
    assert gap().mean() < 9.0


def test_learning_rate_is_scheduled_for_both():
    agent = gan(learning_rate=lambda left: 1e-3 * left)
    agent._current_progress_remaining = 0.25
    agent.train(gradient_steps=1, batch_size=8)
    for optimizer in (agent.policy.optimizer, agent.policy.critic_optimizer):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(2.5e-4)


@each_head
@pytest.mark.parametrize(("particles", "noise_size", "layers"), [(1, 1, [16]), (30, 10, [16, 24]), (8, 3, [8, 8, 8])])
def test_shapes(head, particles, noise_size, layers):
    settings = {"num_particles": particles, "noise_size": noise_size, "net_arch": layers, "critic_size": 12}
    agent = learner(DuelingGANDDQN, head, policy=settings)
    net, states = agent.q_net, torch.rand(5, 2)
    noise = agent._noise(5)
    assert noise.shape == (5, noise_size)
    assert 0.0 <= noise.min() < noise.max() < 1.0
    hidden = net.embed(states, noise)
    assert hidden.shape == (5, layers[-1])
    assert net.value(hidden).shape == (5, particles)
    assert net.advantage(hidden).shape == net(states).shape == (5, 7)
    assert agent.policy.critic(states, net.value(hidden)).shape == (5,)
    assert isinstance(agent.policy.critic, Critic)
    assert agent.policy.critic.layers[2].weight.shape == (12, 12)
    assert not torch.allclose(hidden, net.embed(states, agent._noise(5)))
    agent.learn(12)
    assert agent._n_updates == 4


@each_head
def test_it_acts_at_the_mean_of_the_noise(head):
    agent = gan(head)
    states = torch.rand(50, 2)
    with torch.no_grad():
        hidden = agent.q_net.embed(states, torch.full((50, agent.q_net.noise_size), 0.5))
        values = agent.q_net.value(hidden).mean(dim=1)[:, None] + agent.q_net.advantage(hidden)
    torch.testing.assert_close(agent.q_net(states).detach(), values, rtol=0.0, atol=1e-5)
    actions, _ = agent.predict(states.numpy(), deterministic=True)
    np.testing.assert_array_equal(actions, values.argmax(dim=1).numpy())


@pytest.mark.parametrize(
    ("policy", "arguments", "message"),
    [
        ({}, {"critic_steps": 0}, "critic_steps: 0 given, allowed is 1 or more"),
        ({}, {"gradient_penalty": -1.0}, "gradient_penalty: -1.0 given"),
        ({}, {"critic_weight": float("nan")}, "critic_weight: nan given"),
        ({"num_particles": 0}, {}, "num_particles: 0 given"),
        ({"noise_size": 0}, {}, "noise_size: 0 given"),
        ({"critic_size": 0}, {}, "critic_size: 0 given"),
    ],
)
def test_bad_arguments_are_refused(policy, arguments, message):
    with pytest.raises(ValueError, match=message):
        learner(DuelingGANDDQN, policy=policy, **arguments)
