from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from sb3_contrib import QRDQN
from stable_baselines3 import DQN

from agents import (
    BASELINES,
    BestFixedPolicy,
    FixedPolicy,
    HardPolicy,
    OneStepOraclePolicy,
    ProportionalPolicy,
    RandomPolicy,
    make_baseline,
    search,
)
from agents.baselines import RENAMED
from slicing_gym import Simulator, allocation_table, get_scenario


@pytest.fixture(scope="module")
def coarse():
    """Ten units: 36 allocations."""
    return get_scenario("diurnal").replace(radio={"resolution_hz": 2e6}, decisions_per_episode=20)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_predicts_as_sb3_does(coarse, name):
    env = gym.make("SliceRAN-v0", scenario=coarse).unwrapped
    observation, _ = env.reset(seed=0)
    policy = make_baseline(name, coarse, env)
    action, state = policy.predict(observation, state=None, episode_start=np.array([True]), deterministic=True)
    assert env.action_space.contains(np.int64(action))
    assert state is None
    actions, _ = policy.predict(observation[None])
    assert actions.shape == (1,)
    with pytest.raises(ValueError, match="observation: shape"):
        policy.predict(np.zeros(7))


def test_unknown_baseline_is_refused(coarse):
    with pytest.raises(ValueError, match=r"unknown name 'best'; did you mean 'best_fixed'.*one_step_oracle"):
        make_baseline("best", coarse, None)


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_baselines_old_name_is_answered_with_the_new_one(coarse, old, new):
    assert old not in BASELINES
    assert new in BASELINES
    with pytest.raises(ValueError, match=f"policy: '{old}' was renamed; write '{new}'"):
        make_baseline(old, coarse, None)


def test_hard_and_fixed_hold_what_they_say():
    paper = get_scenario("paper")
    table = allocation_table(100, 3)
    assert table[HardPolicy(paper).predict(np.ones(3))[0]].tolist() == [33, 33, 34]
    assert table[FixedPolicy(paper, [1, 94, 5]).predict(np.ones((4, 3)))[0]].tolist() == [[1, 94, 5]] * 4
    assert HardPolicy("paper").units.tolist() == [33, 33, 34]
    with pytest.raises(ValueError, match="sum to 100"):
        FixedPolicy(paper, [1, 94, 4])


def test_proportional_follows_the_packets():
    paper = get_scenario("paper")
    chosen = allocation_table(100, 3)[
        ProportionalPolicy(paper).predict(np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]))[0]
    ]
    assert chosen.tolist() == [[7, 92, 1], [98, 1, 1]]


def test_random_is_uniform_and_repeatable():
    coarse = get_scenario("paper-1mhz")
    one, other = (RandomPolicy(coarse, seed=3) for _ in range(2))
    actions = one.predict(np.ones((50_000, 3)))[0]
    np.testing.assert_array_equal(actions, other.predict(np.ones((50_000, 3)))[0])
    counts = np.bincount(actions, minlength=171)
    assert len(counts) == 171
    assert ((counts - 50_000 / 171) ** 2 / (50_000 / 171)).sum() == pytest.approx(170, abs=4.5 * np.sqrt(340))


def test_the_one_step_oracle_is_the_best_of_all_allocations(coarse):
    envs = gym.make_vec("SliceRAN-v0", num_envs=2, scenario=coarse)
    observations, _ = envs.reset(seed=0)
    table = allocation_table(10, 3)
    policy = OneStepOraclePolicy(coarse, envs)
    for _ in range(3):
        clones = [envs.simulator.clone([cell] * len(table)).advance(table).utility for cell in range(2)]
        actions, _ = policy.predict(observations)
        observations, _, _, _, info = envs.step(actions)
        np.testing.assert_array_equal(info["utility"], np.max(clones, axis=1))
    with pytest.raises(ValueError, match="1 rows given, the environment has 2 cells"):
        policy.predict(observations[0])


def test_best_fixed_beats_every_other_allocation(coarse):
    found = BestFixedPolicy(coarse).units
    table = allocation_table(10, 3)
    simulator = Simulator(coarse, range(30))
    means = []
    for units in table:
        clone = simulator.clone()
        means.append(np.mean([clone.advance(units).utility for _ in range(20)], axis=0))
    means = np.array(means)  # (allocation, cell)
    mine = means[(table == found).all(axis=1)][0]
    gap = means.max(axis=0).mean() - mine.mean()
    best = means[means.mean(axis=1).argmax()]
    assert best.mean() - mine.mean() < 4.0 * (best - mine).std(ddof=1) / np.sqrt(30) + 1e-3
    assert gap >= 0.0


def test_best_fixed_is_remembered_by_scenario(coarse, monkeypatch, tmp_path):
    monkeypatch.setenv("SLICING_GYM_CACHE", str(tmp_path))
    first = search.best_fixed_allocation(coarse)
    assert len(list(tmp_path.glob("best_fixed_*.json"))) == 1
    # A second look-up reads the file: what it says is what is returned.
    path = next(tmp_path.glob("best_fixed_*.json"))
    path.write_text('{"units": [4, 3, 3]}')
    assert search.best_fixed_allocation(coarse).tolist() == [4, 3, 3]
    path.write_text('{"units": [4, 3')
    assert search.best_fixed_allocation(coarse).tolist() == first.tolist()
    assert search.scenario_digest(coarse) == search.scenario_digest(
        coarse.replace(name="other", reward={"kind": "clip"})
    )
    assert search.scenario_digest(coarse) != search.scenario_digest(coarse.replace(slices={"video": {"num_users": 45}}))


def test_best_fixed_of_the_paper_is_worth_what_is_published():
    paper = get_scenario("paper")
    simulator = Simulator(paper, range(8))
    units = BestFixedPolicy(paper).units
    assert np.mean([simulator.advance(units).utility for _ in range(60)]) >= 8.10


@pytest.mark.parametrize(("kind", "arguments"), [(DQN, {}), (QRDQN, {"policy_kwargs": {"n_quantiles": 10}})])
def test_stock_agents_run_unchanged(kind, arguments):
    agent = kind("MlpPolicy", gym.make("SliceRAN-v0"), learning_starts=20, batch_size=8, seed=0, **arguments)
    agent.learn(60)
    action, _ = agent.predict(np.ones(3, np.float32), deterministic=True)
    assert agent.action_space.contains(action)


def test_stock_dqn_learns():
    env = gym.make("SliceRAN-v0", scenario="paper-1mhz", reward="utility")
    agent = DQN(
        "MlpPolicy",
        env,
        learning_rate=1e-3,
        gamma=0.0,
        learning_starts=200,
        train_freq=1,
        exploration_fraction=0.5,
        policy_kwargs={"net_arch": [64, 64]},
        seed=0,
    )
    agent.learn(2000)
    simulator = Simulator("paper-1mhz", range(8))
    units = allocation_table(20, 3)[int(agent.predict(np.ones(3, np.float32), deterministic=True)[0])]
    utility = np.mean([simulator.advance(units).utility for _ in range(20)])
    assert utility > 7.0  # random 5.3, hard 5.4, best fixed 7.9
