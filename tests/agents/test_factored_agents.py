"""Agents with a factored head: what they choose and learn towards, what they learn, where they are let in."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecNormalize
from torch import nn

import twin  # noqa: F401  # registers SliceTwin-v0
from agents import DDQN, DQN, DuelingGANDDQN, NoEnv, learn_offline
from agents.dqn import SlicingPolicy
from agents.dqn.factored import VALUES
from agents.hooks import taken_values
from slicing_gym import (
    AllocationSpace,
    Constant,
    Exponential,
    Observer,
    Radio,
    Scenario,
    Slice,
    Traffic,
    allocation_table,
)
from tests.helpers.learners import Follow, each_kind, learner, same, stir, weights
from tests.helpers.learners import _one_thread as _one_thread

each_values = pytest.mark.parametrize("values", VALUES)
SCENARIO = "paper-1mhz"
TABLE = allocation_table(20, 3)


def factored(kind, env, values="embedding", *, policy=None, **arguments):
    """A small agent with a factored head."""
    shape = {"net_arch": [32, 32], "head_kwargs": {"values": values}, **(policy or {})}
    return learner(kind, "factored", env=env, policy=shape, **arguments)


def states(number, seed=0):
    """About what a cell shows."""
    return np.random.default_rng(seed).gamma(20.0, 0.05, (number, 3)).astype(np.float32)


# What is chosen, and learned towards


@each_kind
@each_values
def test_all_that_it_values_is_in_the_list(kind, values):
    net, seen = factored(kind, NoEnv(SCENARIO), values).q_net, torch.as_tensor(states(40))
    actions = torch.arange(40) * 4
    with torch.no_grad():
        listed, terms, best = net(seen), net.slice_values(seen), net.best(seen)
        assert listed.shape == (40, 171)
        assert terms.shape == (40, 3, 18)
        chosen = listed.gather(1, best[:, None])[:, 0]
        torch.testing.assert_close(chosen, listed.amax(dim=1), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(net.highest(seen), listed.amax(dim=1), rtol=1e-5, atol=1e-5)
        taken = listed.gather(1, actions[:, None])[:, 0]
        torch.testing.assert_close(net.taken(seen, actions), taken, rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(taken_values(net, seen, actions), net.taken(seen, actions))
    # But for the value of the state, which is the same for all of them, the list is made of the terms.
    sums = terms.numpy()[:, np.arange(3), TABLE - 1].sum(axis=2)
    rest = listed.numpy() - sums
    assert np.ptp(rest, axis=1).max() < 1e-5
    assert (np.abs(rest).max() > 1e-3) == (kind is DuelingGANDDQN)


@each_kind
@each_values
def test_it_chooses_by_the_list(kind, values):
    agent, seen = factored(kind, NoEnv(SCENARIO), values), 20.0 * np.random.default_rng(0).random((40, 3), np.float32)
    with torch.no_grad():
        listed = agent.q_net(torch.as_tensor(seen)).numpy()
    actions, _ = agent.predict(seen, deterministic=True)
    np.testing.assert_allclose(listed[np.arange(40), actions], listed.max(axis=1), rtol=1e-5, atol=1e-5)
    assert len(np.unique(actions)) > 1
    np.testing.assert_array_equal(agent._greedy(seen), actions)
    assert agent.predict(seen[3], deterministic=True)[0] == actions[3]


@each_kind
@each_values
def test_targets_are_those_of_the_list(kind, values):
    agent = factored(kind, gym.make("SliceRAN-v0", scenario=SCENARIO, reward="utility"), values, gamma=0.7)
    agent.learn(40)
    stir(agent)
    batch = agent.replay_buffer.sample(30)
    with torch.no_grad():
        listed, target = agent.q_net(batch.next_observations), agent.q_net_target(batch.next_observations)
    chosen = listed.argmax(dim=1) if isinstance(agent, DDQN) else target.argmax(dim=1)
    wanted = batch.rewards[:, 0] + 0.7 * (1.0 - batch.dones[:, 0]) * target[torch.arange(30), chosen]
    torch.testing.assert_close(agent._td_target(batch), wanted, rtol=1e-5, atol=1e-4)


# What is learned


class Roots(NoEnv):
    """Rewards are a sum of three terms: the root of the units, weighed by what is seen of the slice."""

    def __init__(self):
        self.observation_space, self.action_space = gym.spaces.Box(0.0, 1.0, (3,)), AllocationSpace(12, 3)


def roots(seen, units):
    return (np.sqrt(units / 12.0) * (0.5 + 2.0 * seen)).sum(axis=-1)


@each_kind
@pytest.mark.parametrize(("head", "values"), [("factored", "embedding"), ("factored", "table"), ("dense", None)])
def test_it_knows_what_it_never_took_from_what_shares_its_units(kind, head, values):
    table, rng = allocation_table(12, 3), np.random.default_rng(0)
    never, taken = np.split(rng.permutation(len(table)), [15])
    seen = rng.random((1500, 3), dtype=np.float32)
    actions = rng.choice(taken, 1500)
    policy = {"net_arch": [32], "head_kwargs": {"values": values} if values else {}}
    more = {"critic_weight": 0.0, "critic_steps": 1} if kind is DuelingGANDDQN else {}
    agent = learner(
        *(kind, head, Roots()), policy=policy, gamma=0.0, learning_rate=5e-3, buffer_size=1500, batch_size=64, **more
    )
    learn_offline(agent, seen, actions, roots(seen, table[actions]), seen, epochs=20)
    fresh = rng.random((200, 3), dtype=np.float32)
    truth = roots(fresh[:, None], table)
    with torch.no_grad():
        error = np.sqrt(((agent.q_net(torch.as_tensor(fresh)).numpy() - truth) ** 2).mean(axis=0))
    assert error[taken].max() < 0.25 * truth.std()
    assert (error[never] < 0.3 * truth.std()).all() if head == "factored" else (error[never] > truth.std()).all()


@pytest.fixture(scope="module")
def played_fixed():
    """The mean utility (171,) of every allocation."""
    return mean_utility(np.arange(171), 171)


def mean_utility(choose, cells):
    """Of each of so many cells over 20 decisions; `choose` are actions, or makes them of observations."""
    envs = gym.make_vec("SliceRAN-v0", cells, scenario=SCENARIO, reward="utility", autoreset_mode="SameStep")
    seen, _ = envs.reset(seed=1000)
    total = np.zeros(cells)
    for _ in range(20):
        seen, rewards, *_ = envs.step(choose(seen) if callable(choose) else choose)
        total += rewards
    return total / 20


@pytest.mark.parametrize(
    ("kind", "values"), [(DQN, "embedding"), (DDQN, "embedding"), (DuelingGANDDQN, "embedding"), (DDQN, "table")]
)
def test_three_hundred_decisions_suffice_for_171_allocations(kind, values, played_fixed):
    """The best allocation 8.0, the ten best above 7.2, random 5.4."""
    more = {"gradient_steps": 2, "critic_weight": 0.03} if kind is DuelingGANDDQN else {"gradient_steps": 4}
    env = gym.make("SliceRAN-v0", scenario=SCENARIO, reward="utility")
    settings = {"gamma": 0.0, "learning_rate": 3e-3, "learning_starts": 100, "exploration_fraction": 0.8}
    agent = factored(kind, env, values, center_rewards=True, **settings, **more)
    agent.learn(300)
    mine = mean_utility(lambda seen: agent.predict(seen, deterministic=True)[0], 10).mean()
    assert mine > played_fixed.max() - 0.45
    assert mine > played_fixed.mean() + 0.8 * (played_fixed.max() - played_fixed.mean())


# Where it is let in


def cell(**arguments):
    return gym.make("SliceRAN-v0", scenario=SCENARIO, **arguments)


def shaped():
    return cell(reward="shaped")


def no_sum(scenario, info, thresholds):
    del scenario, thresholds
    return info["utility"] ** 2


no_sum.sums_over_slices = False


def unknown(scenario, info, thresholds):
    del scenario, thresholds
    return info["utility"]


REFUSED = {
    "shaped": shaped,
    "clip": lambda: cell(reward="clip"),
    "a function that says so": lambda: cell(reward_function=no_sum),
    "a batch": lambda: gym.make_vec("SliceRAN-v0", 2, scenario=SCENARIO, reward="shaped"),
    "a batch of Gymnasium": lambda: gym.vector.SyncVectorEnv([shaped] * 2),
    "a batch of Stable-Baselines3": lambda: VecNormalize(DummyVecEnv([shaped] * 2)),
    "a twin with a penalty": lambda: gym.make("SliceTwin-v0", reward="utility", uncertainty="penalty"),
    "a batch of twins": lambda: gym.make_vec("SliceTwin-v0", 2, reward="utility", uncertainty="penalty"),
}
WHY = r"head: 'factored' given, .* a sum over slices; this reward is none \(allowed is reward='utility' without uncert"


@pytest.mark.parametrize("where", REFUSED)
def test_rewards_that_are_no_sum_are_refused(where):
    env = REFUSED[where]()
    with pytest.raises(ValueError, match=WHY):
        factored(DDQN, env)
    assert learner(DDQN, "geometry", env).policy.head == "geometry"
    assert factored(DDQN, env, policy={"head_kwargs": {"approximate": True}}).policy.head == "factored"


class OwnPolicy(SlicingPolicy):
    """Names its head itself."""

    def __init__(self, *spaces, **arguments):
        super().__init__(*spaces, **{**arguments, "head": "factored"})


def test_a_policy_of_one_s_own_with_that_head_is_refused_too():
    with pytest.raises(ValueError, match=WHY):
        DQN(OwnPolicy, shaped(), policy_kwargs={"net_arch": [8]}, device="cpu")
    assert DQN(OwnPolicy, cell(reward="utility"), policy_kwargs={"net_arch": [8]}, device="cpu").policy.head


LET_IN = {
    "utility": lambda: cell(reward="utility"),
    "a function that says nothing": lambda: cell(reward_function=unknown),
    "a twin": lambda: gym.make("SliceTwin-v0", reward="utility"),
    "a twin that ends where it does not know": lambda: gym.make(
        "SliceTwin-v0", reward="utility", uncertainty="truncate"
    ),
    "another package's": Follow,
    "another package's in processes of their own": lambda: SubprocVecEnv([Follow]),
    "a history's": lambda: NoEnv(SCENARIO),
}


@pytest.mark.parametrize("where", LET_IN)
def test_other_rewards_are_let_in(where):
    env = LET_IN[where]()
    assert factored(DDQN, env).policy.head == "factored"
    env.close()


def test_later_environments_are_checked_too(tmp_path):
    agent = factored(DDQN, cell(reward="utility"))
    agent.learn(20)
    before = agent.get_env()
    with pytest.raises(ValueError, match=WHY):
        agent.set_env(shaped())
    assert agent.get_env() is before
    agent.learn(10, reset_num_timesteps=False)
    agent.save(tmp_path / "agent")
    with pytest.raises(ValueError, match=WHY):
        DDQN.load(tmp_path / "agent", env=shaped())
    loaded = DDQN.load(tmp_path / "agent", env=cell(reward="utility"), device="cpu")
    assert same(weights(loaded), weights(agent))
    lenient = factored(DDQN, cell(reward="utility"), policy={"head_kwargs": {"approximate": True}})
    lenient.save(tmp_path / "lenient")
    DDQN.load(tmp_path / "lenient", env=shaped(), device="cpu").learn(20)


def alike(number, units):
    """Slices that share so many units, and one number that is seen of them."""
    traffic = Traffic(Exponential(0.004), Constant(200.0))
    slices = tuple(Slice(f"s{n}", 2, traffic, rate_sla_bps=1e5, latency_sla_s=2e-3) for n in range(number))
    scenario = Scenario("alike", slices, Radio(bandwidth_hz=2e5 * units, slots_per_interval=20))
    return gym.make("SliceRAN-v0", scenario=scenario, reward="utility", observer=Total())


class Total(Observer):
    """Observes how much arrived in all."""

    def space(self, scenario):
        del scenario
        return gym.spaces.Box(0.0, np.inf, (1,))

    def observe(self, scenario, info):
        del scenario
        return info["arrivals"].sum(axis=-1, keepdims=True).astype(np.float32)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ((2, 9), r"(?=.*AllocationSpace\(num_units=9, num_slices=2\)).*AllocationSpace\(num_units=8, num_slices=2\)"),
        ((7, 8), r"env: its actions are AllocationSpace\(num_units=8, num_slices=7\), the agent's .*num_slices=2"),
    ],
)
def test_cells_of_other_units_or_slices_are_refused(other, message, tmp_path):
    """Eight units are shared among two slices in as many ways as among seven."""
    agent = factored(DDQN, alike(2, 8))
    agent.learn(12)
    agent.save(tmp_path / "agent")
    with pytest.raises(ValueError, match=message):
        agent.set_env(alike(*other))
    with pytest.raises(ValueError, match=message):
        DDQN.load(tmp_path / "agent", env=alike(*other))
    with pytest.raises(ValueError, match="Observation spaces do not match"):
        DDQN.load(tmp_path / "agent", env=cell(reward="utility"))


class Dropping(FlattenExtractor):
    """Drops half of what it sees in training."""

    def __init__(self, observation_space):
        super().__init__(observation_space)
        self.drop = nn.Dropout(0.5)

    def forward(self, observations):
        return self.drop(super().forward(observations))


@pytest.mark.parametrize("head", ["dense", "factored"])
def test_a_layer_that_minds_whether_it_is_trained_is_told(head):
    env = gym.make("SliceRAN-v0", scenario="paper-1mhz", reward="utility")
    kwargs = {"head": head, "net_arch": [8], "features_extractor_class": Dropping}
    network = DQN("MlpPolicy", env, policy_kwargs=kwargs, seed=0).policy.q_net
    seen = torch.ones(1, 3)
    network.set_training_mode(True)
    assert len({network.taken(seen, torch.tensor([5])).item() for _ in range(30)}) > 1
    network.set_training_mode(False)
    assert len({network.taken(seen, torch.tensor([5])).item() for _ in range(30)}) == 1
