"""What the loops ask of an algorithm: its values, its loss and its targets are those that it learns with."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import stable_baselines3
import torch
from sb3_contrib import QRDQN
from stable_baselines3.common.utils import LinearSchedule
from torch.nn import functional

from agents import DDQN, DQN, DuelingGANDDQN, NStepReplayBuffer, OffPolicyLearner, ReplayBuffer
from agents.hooks import (
    MissingHookError,
    action_values,
    has_hook,
    require_hook,
    squared_error,
    td_loss,
    td_target,
    with_fixed_targets,
)
from tests.helpers.learners import Follow, fill, learner, stir
from tests.helpers.learners import _one_thread as _one_thread

SEEN = np.random.default_rng(7).random((300, 2), dtype=np.float32)
STOCK = (stable_baselines3.DQN, QRDQN)
OWN = (DQN, DDQN, DuelingGANDDQN)
HOOKS = (action_values, td_loss, td_target)
each_stock = pytest.mark.parametrize("kind", STOCK)
each_own = pytest.mark.parametrize("kind", OWN)
every = pytest.mark.parametrize("kind", STOCK + OWN)
each_length = pytest.mark.parametrize("n_steps", [1, 3])


def stock(kind, n_steps=1, **arguments):
    policy = {"net_arch": [16], **({"n_quantiles": 5} if issubclass(kind, QRDQN) else {})}
    options = {"seed": 0} if n_steps == 1 else {"seed": 0, "n_steps": n_steps, "gamma": 0.8}
    buffer = ReplayBuffer if n_steps == 1 else NStepReplayBuffer
    shared = {"replay_buffer_class": buffer, "replay_buffer_kwargs": options, "buffer_size": 200, "gamma": 0.8}
    settings = {"learning_starts": 8, "train_freq": 1, "seed": 0, "device": "cpu", **shared, **arguments}
    agent = kind("MlpPolicy", Follow(terminates=True), policy_kwargs=policy, **settings)
    agent.learn(60)
    return agent


def taught(kind, n_steps=1, **arguments):
    """Its target network is another one than its Q-network, and some of its episodes end for good."""
    if kind in OWN:
        agent = learner(kind, env=Follow(terminates=True), n_steps=n_steps, **arguments)
        agent.learn(60)
        stir(agent)
        return agent
    agent = stock(kind, n_steps, **arguments)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in target_net(agent).parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return agent


def target_net(agent):
    return agent.policy.quantile_net_target if isinstance(agent, QRDQN) else agent.policy.q_net_target


def next_batch(agent, size=32):
    """That which its `train` will see."""
    state = copy.deepcopy(agent.replay_buffer.generator.bit_generator.state)
    batch = agent.replay_buffer.sample(size)
    agent.replay_buffer.generator.bit_generator.state = state
    assert batch.dones.any()
    return batch


@pytest.mark.parametrize("kind", [*STOCK, DQN, DDQN])
@each_length
def test_the_loss_is_that_of_training(kind, n_steps):
    agent = taught(kind, n_steps)
    loss = td_loss(agent, next_batch(agent))
    again = td_loss(agent, next_batch(agent))
    agent.train(1, 32)
    assert loss.item() == again.item() == pytest.approx(agent.logger.name_to_value["train/loss"], rel=1e-5)
    assert loss.shape == ()
    assert loss.requires_grad
    assert td_loss(agent, next_batch(agent)).item() != loss.item()


@pytest.mark.parametrize("kind", [*STOCK, DQN, DDQN])
def test_its_gradient_is_that_of_training(kind):
    agent = taught(kind, max_grad_norm=1e9)
    parameters = [own for own in agent.policy.parameters() if own.requires_grad]
    expected = torch.autograd.grad(td_loss(agent, next_batch(agent)), parameters, allow_unused=True)
    agent.train(1, 32)
    used = [(own.grad, slope) for own, slope in zip(parameters, expected, strict=True) if slope is not None]
    assert len(used) > 3
    for own, slope in used:
        torch.testing.assert_close(own, slope, rtol=1e-4, atol=1e-6)


@each_own
def test_the_loss_leaves_the_generator_alone(kind):
    agent = taught(kind)
    batch, state = next_batch(agent), copy.deepcopy(agent.generator.bit_generator.state)
    losses = [td_loss(agent, batch).item() for _ in range(3)] + [squared_error(agent, batch).item() for _ in range(2)]
    assert len(set(losses)) == 2 or kind is not DuelingGANDDQN
    assert len(set(losses[:3])) == len(set(losses[3:])) == 1
    assert agent.generator.bit_generator.state == state
    for parameter in agent.policy.critic.parameters() if kind is DuelingGANDDQN else ():
        assert parameter.requires_grad


@every
@each_length
def test_targets_are_rewards_and_what_comes_after(kind, n_steps):
    agent = taught(kind, n_steps)
    batch = next_batch(agent)
    with torch.no_grad():
        following = target_net(agent)(batch.next_observations)
        if kind is QRDQN:
            following = following.mean(dim=1)
        chosen = following.argmax(dim=1)
        if kind is DDQN:
            chosen = agent.q_net(batch.next_observations).argmax(dim=1)
    discounts = agent.gamma if n_steps == 1 else batch.discounts[:, 0]
    value = following[torch.arange(32), chosen]
    expected = batch.rewards[:, 0] + (1.0 - batch.dones[:, 0]) * discounts * value
    targets = td_target(agent, batch)
    assert targets.shape == (32,)
    assert not targets.requires_grad
    torch.testing.assert_close(targets, expected, rtol=1e-5, atol=1e-5)


@every
def test_the_best_value_is_what_is_chosen(kind):
    agent, generator = taught(kind), torch.Generator().manual_seed(2)
    network = action_values(agent)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * (parameter.ndim > 1))
        values = network(torch.as_tensor(SEEN))
    assert values.shape == (300, 7)
    assert len(set(values.argmax(dim=1).tolist())) > 1
    np.testing.assert_array_equal(values.argmax(dim=1).numpy(), agent.predict(SEEN, deterministic=True)[0])


@every
def test_the_squared_error_is_the_same_measure_for_all(kind):
    agent = taught(kind)
    batch = next_batch(agent)
    error = squared_error(agent, batch)
    assert error.requires_grad
    if kind is DuelingGANDDQN:  # it learns with noise
        return
    values = action_values(agent)(batch.observations).gather(1, batch.actions)[:, 0]
    torch.testing.assert_close(error, 0.5 * functional.mse_loss(values, td_target(agent, batch)))


@every
@each_length
def test_with_fixed_targets_the_loss_is_the_same(kind, n_steps):
    agent = taught(kind, n_steps)
    batch = next_batch(agent)
    fixed = with_fixed_targets(agent, batch)
    assert td_loss(agent, fixed).item() == pytest.approx(td_loss(agent, batch).item(), rel=1e-5, abs=1e-6)
    if kind is QRDQN:  # only its target network gives its targets
        return
    before = td_target(agent, fixed)
    with torch.no_grad():
        for parameter in agent.policy.q_net.parameters():
            parameter += 0.1
    torch.testing.assert_close(td_target(agent, fixed), before)


class Trains(stable_baselines3.DQN):
    def train(self, gradient_steps, batch_size=100):
        super().train(gradient_steps, batch_size)


class TrainsQuantiles(QRDQN):
    def train(self, gradient_steps, batch_size=100):
        super().train(gradient_steps, batch_size)


class Same(stable_baselines3.DQN):
    pass


class SameQuantiles(QRDQN):
    pass


@pytest.mark.parametrize("kind", [*STOCK, *OWN, Same, SameQuantiles])
def test_known_classes_have_all_hooks(kind):
    for hook in HOOKS:
        assert has_hook(hook, kind)
        require_hook("this", hook, kind)


@pytest.mark.parametrize("kind", [Trains, TrainsQuantiles, type("OwnTrains", (DDQN,), {"train": Trains.train})])
def test_who_trains_otherwise_has_no_loss_yet(kind):
    assert has_hook(action_values, kind)
    for hook in (td_loss, td_target):
        assert not has_hook(hook, kind)
        with pytest.raises(
            MissingHookError, match=rf"this: .*{kind.__qualname__}, which lacks the hook {hook.__name__}"
        ):
            require_hook("this", hook, kind)


@each_stock
def test_one_may_be_registered(kind):
    class Registered(kind):
        train = Trains.train

    class Below(Registered):
        pass

    class BelowTrains(Registered):
        def train(self, gradient_steps, batch_size=100):
            pass

    @td_loss.register(Registered)
    def _(_, batch):
        return batch.rewards.sum()

    assert [has_hook(td_loss, each) for each in (Registered, Below, BelowTrains)] == [True, True, False]
    assert not has_hook(td_target, Registered)
    agent = stock(type("Last", (kind,), {}))
    agent.__class__ = Below
    batch = next_batch(agent)
    assert td_loss(agent, batch) == batch.rewards.sum()


@pytest.mark.parametrize("kind", [stable_baselines3.SAC, stable_baselines3.PPO])
def test_a_missing_hook_names_class_hook_and_page(kind):
    agent = object.__new__(kind)
    for hook, arguments in ((action_values, ()), (td_loss, (None,)), (td_target, (None,))):
        assert not has_hook(hook, kind)
        name = rf"stable_baselines3\.\S+\.{kind.__name__}, .* hook {hook.__name__}; .*agents\.{hook.__name__}\.register"
        with pytest.raises(MissingHookError, match=rf"{name} \(docs/bring-your-own\.md\)"):
            hook(agent, *arguments)


@each_stock
@pytest.mark.parametrize("eta", [0.5, 4.0])
def test_the_conservative_step_adds_its_term(kind, eta):
    agent = taught(kind, max_grad_norm=1e9, learning_rate=1e-2)
    batch = next_batch(agent)
    values = action_values(agent)(batch.observations)
    penalty = (values.exp().sum(dim=1).log() - values[torch.arange(32), batch.actions[:, 0]]).mean()
    loss = td_loss(agent, batch) + eta * penalty
    network = agent.policy.quantile_net if kind is QRDQN else agent.policy.q_net
    expected = torch.autograd.grad(loss, list(network.parameters()))
    before, number = [own.clone() for own in network.parameters()], agent._n_updates
    OffPolicyLearner(agent, conservative_weight=eta).update(0.5)
    for own, slope in zip(network.parameters(), expected, strict=True):
        torch.testing.assert_close(own.grad, slope, rtol=1e-4, atol=1e-6)
    assert any(not torch.equal(own, its) for own, its in zip(network.parameters(), before, strict=True))
    assert agent._n_updates == number + 1
    assert agent.logger.name_to_value["train/loss"] == pytest.approx(loss.item(), rel=1e-5)


@each_stock
def test_a_vanishing_term_changes_nothing(kind):
    agents = [taught(kind) for _ in range(2)]
    for agent, eta in zip(agents, (0.0, 1e-12), strict=True):
        held = OffPolicyLearner(agent, conservative_weight=eta)
        for number in range(5):
            held.update(number / 5)
    for own, its in zip(agents[0].policy.parameters(), agents[1].policy.parameters(), strict=True):
        torch.testing.assert_close(own, its, rtol=1e-4, atol=1e-6)


def test_an_update_is_a_step_and_what_follows_a_decision():
    arguments = {"learning_rate": LinearSchedule(1e-2, 0.0, 1.0), "tau": 0.5, "target_update_interval": 7}
    agent, other = (stock(stable_baselines3.DQN, **arguments) for _ in range(2))
    held, decisions, calls = OffPolicyLearner(agent), agent.num_timesteps, agent._n_calls
    held.update(0.0)
    other._current_progress_remaining = 1.0
    other.train(1, 32)
    for own, its in zip(agent.q_net.parameters(), other.q_net.parameters(), strict=True):
        torch.testing.assert_close(own, its, rtol=0.0, atol=0.0)
    while (agent._n_calls + 1) % 7:
        held.update(0.25)
    target = [own.clone() for own in agent.q_net_target.parameters()]
    steps = agent._n_updates
    held.update(0.25)
    assert agent.policy.optimizer.param_groups[0]["lr"] == pytest.approx(0.75e-2)
    assert (agent._n_updates, agent.num_timesteps) == (steps + 1, decisions)
    assert agent._n_calls > calls
    for before, its, own in zip(target, agent.q_net.parameters(), agent.q_net_target.parameters(), strict=True):
        torch.testing.assert_close(own, 0.5 * before + 0.5 * its)


def test_the_conservative_gradient_is_clipped():
    agent = taught(stable_baselines3.DQN, max_grad_norm=0.01)
    OffPolicyLearner(agent, conservative_weight=5.0).update(0.0)
    norm = torch.linalg.vector_norm(torch.cat([own.grad.flatten() for own in agent.q_net.parameters()]))
    assert norm.item() == pytest.approx(0.01, rel=1e-3)


def test_conservative_learning_is_refused_without_hooks():
    def make():
        return Trains("MlpPolicy", Follow(), buffer_size=10, device="cpu")

    with pytest.raises(
        MissingHookError, match=r"conservative_weight above 0: .*\.Trains, which lacks the hook td_loss"
    ):
        OffPolicyLearner(make, conservative_weight=0.5)
    OffPolicyLearner(make)
    with pytest.raises(ValueError, match="conservative_weight"):
        OffPolicyLearner(make, conservative_weight=-0.5)


@pytest.mark.parametrize("kind", [DQN, DDQN])
def test_the_adapter_s_step_is_that_of_the_agent_s_own_argument(kind):
    own, other = learner(kind, conservative_weight=0.7), learner(kind)
    for agent in (own, other):
        fill(agent.replay_buffer)
    OffPolicyLearner(own).update(0.0)
    OffPolicyLearner(other, conservative_weight=0.7).update(0.0)
    for mine, its in zip(own.policy.parameters(), other.policy.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-3, atol=1e-5)
