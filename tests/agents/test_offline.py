"""Learning from a fixed history: an update, and the loop over epochs."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.utils import LinearSchedule

from agents import DQN, DuelingGANDDQN, NoEnv, learn_offline
from tests.helpers.learners import Follow, best_to_follow, each_head, each_kind, fill, learner, same, stir, weights
from tests.helpers.learners import _one_thread as _one_thread

# An update


def reference_update(agent, batch_size, penalty_weight=0.0):
    """One update as the agents' docs have it; the penalty written another way."""
    batch = agent.replay_buffer.sample(batch_size)
    agent._before_update(batch)
    loss = agent._compute_loss(batch)
    if penalty_weight:
        chances = torch.log_softmax(agent.q_net(batch.observations), dim=1)
        loss = loss - penalty_weight * chances.gather(1, batch.actions.long()).mean()
    agent.policy.optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(agent.q_net.parameters(), agent.max_grad_norm)
    agent.policy.optimizer.step()


@each_kind
@each_head
def test_without_a_weight_an_update_is_what_it_was(kind, head):
    one, other = (learner(kind, head, max_grad_norm=1e9, **given) for given in ({}, {"conservative_weight": 0.0}))
    for agent in (one, other):
        fill(agent.replay_buffer)
        stir(agent)
    other.train(1, 16)
    reference_update(one, 16)
    assert same(weights(one), weights(other))
    assert one.generator.bit_generator.state == other.generator.bit_generator.state


@each_kind
@each_head
@pytest.mark.parametrize("weight", [0.1, 5.0])
def test_the_weight_is_that_of_equation_13(kind, head, weight):
    """SGD, so that a step is as long as its gradient."""
    sgd = {"optimizer_class": torch.optim.SGD, "optimizer_kwargs": {}}
    one, other = (learner(kind, head, conservative_weight=weight, learning_rate=0.1, policy=sgd) for _ in range(2))
    before = weights(one)
    for agent in (one, other):
        fill(agent.replay_buffer)
        stir(agent)
    one.train(1, 16)
    reference_update(other, 16, weight)
    assert same(weights(one), weights(other), tolerance=1e-5)
    assert not same(weights(one), before, tolerance=1e-3)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_weights_that_cannot_be_are_refused(weight):
    with pytest.raises(ValueError, match="conservative_weight: "):
        learner(DQN, conservative_weight=weight)


def pairs(number, seed=0):
    """States before and after, as `Follow` and `small` have them."""
    return np.random.default_rng(seed).random((2, number, 2), dtype=np.float32)


@each_kind
@each_head
def test_what_the_data_did_wins_under_a_large_weight(kind, head):
    """Action 5 was taken mostly, and 1 was better."""
    states, following = pairs(100)
    actions = np.where(np.arange(100) % 7 == 0, 1, 5)
    share = {}
    for weight in (0.0, 20.0):
        agent = learner(kind, head, conservative_weight=weight, gamma=0.0, learning_rate=1e-2)
        learn_offline(agent, states, actions, np.where(actions == 5, -3.0, 0.0), following, epochs=20)
        share[weight] = np.mean(agent.predict(states, deterministic=True)[0] == 5)
    assert share[0.0] < 0.05
    assert share[20.0] > 0.95


# The loop over epochs


def data(number=70, seed=0):
    states, following = pairs(number, seed)
    actions = np.random.default_rng(seed + 1).integers(7, size=number)
    return states, actions, -np.abs(actions - best_to_follow(states)) / 6.0, following


def watched(kind):
    """A kind of agent that notes its networks and its learning rate when an update begins."""

    class Watched(kind):
        def train(self, gradient_steps, batch_size=100):
            self.seen.append(
                (
                    {name: value.clone() for name, value in self.q_net.state_dict().items()},
                    {name: value.clone() for name, value in self.q_net_target.state_dict().items()},
                )
            )
            assert (gradient_steps, batch_size) == (1, self.batch_size)
            super().train(gradient_steps, batch_size)
            self.rates.append(self.policy.optimizer.param_groups[0]["lr"])

    return Watched


@pytest.mark.parametrize("kind", [DQN, DuelingGANDDQN])
def test_epochs_updates_targets_and_learning_rates(kind):
    epochs, interval = 4, 5
    schedule = LinearSchedule(1e-2, 1e-3, end_fraction=1.0)
    agent = learner(watched(kind), learning_rate=schedule, target_update_interval=interval)
    agent.seen, agent.rates, behind = [], [], []
    learn_offline(agent, *data(70), epochs=epochs, on_epoch=behind.append)
    assert behind == [1, 2, 3, 4]
    updates = 3 * epochs  # 70 decisions are three batches of 32
    assert len(agent.seen) == agent._n_updates == updates
    np.testing.assert_allclose(agent.rates, 1e-2 - 9e-3 * np.arange(updates) / updates, rtol=1e-9)
    last = agent.seen[0][1]
    for number, (network, target) in enumerate(agent.seen):
        if number and number % interval == 0:
            last = network
        assert same(target, last)
        assert not same(target, network) or number % interval == 0
    assert same(agent.q_net_target.state_dict(), last)


@each_kind
def test_it_goes_on_as_if_nothing_had_been(kind, tmp_path):
    schedule = LinearSchedule(1e-2, 1e-3, end_fraction=1.0)
    settings = {"learning_rate": schedule, "target_update_interval": 4, "conservative_weight": 0.3}
    whole = learner(kind, env=NoEnvOfFollow(), center_rewards=True, **settings)
    learn_offline(whole, *data(), epochs=5)

    class StoppedError(Exception):
        pass

    def stop(number):
        if number == 2:
            raise StoppedError

    part = learner(kind, env=NoEnvOfFollow(), center_rewards=True, **settings)
    with pytest.raises(StoppedError):
        learn_offline(part, *data(), epochs=5, on_epoch=stop)
    part.save(tmp_path / "agent")
    again = kind.load(tmp_path / "agent", env=NoEnvOfFollow(), device="cpu")
    behind = []
    learn_offline(again, *data(), epochs=5, first_epoch=2, on_epoch=behind.append)
    assert behind == [3, 4, 5]
    assert again._n_updates == whole._n_updates == 15
    assert same(weights(again), weights(whole))
    assert not same(weights(again), weights(part), tolerance=1e-4)
    assert again.generator.bit_generator.state == whole.generator.bit_generator.state


class NoEnvOfFollow(Follow):
    """The spaces; whoever acts in it fails."""

    def reset(self, **_):
        raise AssertionError("it was reset")

    def step(self, _):
        raise AssertionError("it was acted in")


def test_no_environment_is_touched_and_what_was_before_is_dropped():
    agent = learner(DQN, env=NoEnvOfFollow(), center_rewards=True)
    fill(agent.replay_buffer, scale=1e4)
    states, actions, rewards, following = data()
    learn_offline(agent, states, actions, rewards, following, epochs=1)
    held = agent.replay_buffer
    assert held.size() == 70
    np.testing.assert_array_equal(held.observations[:70, 0], states)
    np.testing.assert_array_equal(held.next_observations[:70, 0], following)
    np.testing.assert_array_equal(held.actions[:70, 0, 0], actions)
    np.testing.assert_allclose(held.rewards[:70, 0], rewards, rtol=1e-6)
    assert not (held.dones * (1.0 - held.timeouts))[:70].any()
    assert agent.mean_reward == pytest.approx(rewards.mean(), abs=1e-6)


def test_random_numbers_come_from_the_seed_alone():
    ends = []
    for seed, disturbance in ((0, 1), (0, 2), (1, 1)):
        agent = learner(DQN, seed=seed)
        torch.manual_seed(disturbance)
        before = torch.get_rng_state()
        learn_offline(agent, *data(), epochs=2)
        assert torch.equal(torch.get_rng_state(), before)
        ends.append(weights(agent))
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2], tolerance=1e-3)


def test_nobody_has_to_set_a_logger(small):
    agent = DQN("MlpPolicy", NoEnv(small), policy_kwargs={"net_arch": [8]}, buffer_size=70, seed=0, device="cpu")
    learn_offline(agent, *data(), epochs=1)
    assert agent._n_updates == 3


def test_there_is_nothing_behind_no_env(small):
    env = NoEnv(small)
    own = gym.make("SliceRAN-v0", scenario=small)
    assert env.observation_space == own.observation_space
    assert env.action_space == own.action_space
    for attempt in (env.reset, lambda: env.step(0), lambda: env.reset(seed=0)):
        with pytest.raises(RuntimeError, match=r"env: NoEnv has no cell behind it; learn with .*learn_offline"):
            attempt()
    with pytest.raises(RuntimeError, match="NoEnv has no cell behind it"):
        learner(DQN, env=NoEnv(small)).learn(10)


def test_what_cannot_be_learned_from_is_refused():
    with pytest.raises(ValueError, match="epochs: 0 given, allowed is 1 or more"):
        learn_offline(learner(DQN), *data(), epochs=0)
    spoilt = {
        "observations": (states := data()[0])[:, :1],
        "actions": np.full(70, 7),
        "rewards": np.full(70, np.nan),
        "next_observations": states[:69],
    }
    for place, (name, values) in enumerate(spoilt.items()):
        agent = learner(DQN)
        with pytest.raises(ValueError, match=f"^{name}: "):
            learn_offline(agent, *(values if place == number else each for number, each in enumerate(data())), epochs=1)
        assert agent._n_updates == 0
    for actions in (np.full(70, -1), np.full(70, 2.5)):
        with pytest.raises(ValueError, match=r"actions: .* allowed are 0 to 6"):
            learn_offline(learner(DQN), states, actions, *data()[2:], epochs=1)
    with pytest.raises(ValueError, match=r"shape \(0,.* of one decision or more"):
        learn_offline(learner(DQN), *(each[:0] for each in data()), epochs=1)
    with pytest.raises(ValueError, match="70 given, there is room for 50"):
        learn_offline(learner(DQN, buffer_size=50), *data(), epochs=1)


@each_kind
@each_head
def test_it_learns_from_a_history_what_a_state_asks_for(kind, head):
    gentle = {"critic_weight": 0.03} if kind is DuelingGANDDQN else {}
    agent = learner(
        kind, head, gamma=0.0, learning_rate=1e-2, batch_size=64, conservative_weight=0.01,
        policy={"net_arch": [32, 32]}, **gentle,
    )  # fmt: skip
    seen = np.random.default_rng(9).random((500, 2), dtype=np.float32)

    def regret():
        return np.abs(agent.predict(seen, deterministic=True)[0] - best_to_follow(seen)).mean()

    assert regret() > 1.5
    learn_offline(agent, *data(600), epochs=30)
    assert regret() < 0.75  # random 2.6, the best single action 1.7
