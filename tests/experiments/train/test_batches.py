"""Runs in several real cells at once: counted, logged, checkpointed, and refused where the loop knows one cell."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3

from agents import DDQN, DuelingGANDDQN
from experiments.config.planner import make_planner
from experiments.config.schemas import PlannerSettings
from experiments.environments import Environments
from experiments.evaluate.policies import load_policy
from experiments.evaluate.rollout import evaluate_policy, make_cells
from experiments.regret.courses import courses_of
from experiments.runs.folder import read_run
from experiments.train import Training, read_result, train
from experiments.train.__main__ import prepare
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import SCENARIO, composed, interrupted, make_ddqn, maker, short_settings, twin_settings

CELLS = 4


def settings(decisions, **changes):
    return replace(short_settings(decisions, **changes), num_envs=CELLS)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two episodes of each cell, and a part of a third; no update, so that it takes no time."""
    make = maker(learning_starts=10**6)
    return train(make, SCENARIO, settings=settings(4 * 450), folder=tmp_path_factory.mktemp("batch"), seed=7)


def test_decisions_are_counted_in_all_cells(run):
    assert run.summary["decisions"] == len(run.history) == 4 * 450
    assert list(run.episodes["decisions"]) == [800, 800, 200]
    assert run.agent.num_timesteps == 4 * 450


def test_the_history_has_a_run_for_every_episode_of_every_cell(run):
    history = run.history
    assert np.bincount(history.run).tolist() == [200] * 8 + [50] * 4
    for cell in range(CELLS):
        env = gym.make("SliceRAN-v0", scenario=SCENARIO)
        _, info = env.reset(seed=7 + cell)
        for number in (cell, cell + CELLS, cell + 2 * CELLS):
            rows = np.flatnonzero(history.run == number)
            for row in rows:
                np.testing.assert_array_equal(history.arrivals[row], info["arrivals"])
                units = history.allocation[row]
                *_, info = env.step(np.int64(np.flatnonzero((env.unwrapped.allocations == units).all(axis=1))[0]))
                np.testing.assert_allclose(history.ssr[row], info["ssr"])
            if len(rows) == 200:
                _, info = env.reset()


def test_an_episode_is_logged_as_the_mean_over_its_cells(run):
    utility = run.history.performance  # of each decision
    for number, runs in enumerate(([0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11])):
        rows = np.isin(run.history.run, runs)
        assert run.episodes["spectral_efficiency"][number] == pytest.approx(
            utility["spectral_efficiency"][rows].mean(), rel=1e-9
        )
    again = read_result(run.folder)
    assert list(again.episodes["utility"]) == pytest.approx(list(run.episodes["utility"]), abs=1e-6)


def test_regret_is_taken_against_the_best_fixed_allocation_in_the_same_cells(run):
    cells = make_cells(SCENARIO, CELLS)
    best = load_policy("best_fixed", SCENARIO, cells, num_threads=1)
    reference = evaluate_policy("", best, cells, range(7, 11), 450).utility.mean()
    assert run.summary["best_fixed_on_own_cell"] == pytest.approx(reference)
    lost = sum(row.decisions * (reference - row.utility) for row in run.episodes.itertuples())
    assert run.summary["regret"] == pytest.approx(lost)
    with pytest.raises(ValueError, match="learned in 4 cells at once, allowed is 1"):
        courses_of([read_run(run.folder)], SCENARIO, None)


KINDS = {
    "ddqn": maker(DDQN),
    "gan_ddqn": maker(DuelingGANDDQN, critic_steps=2),
    "sb3_dqn": maker(stable_baselines3.DQN),
    "sb3_qrdqn": maker(sb3_contrib.QRDQN, policy={"n_quantiles": 8}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_that_was_cut_off_goes_on_to_the_same_bytes(kind, tmp_path):
    """Beyond the end of an episode, which ends in all cells at once."""
    scenario = SCENARIO.replace(decisions_per_episode=20)
    whole, part, again = interrupted(KINDS[kind], tmp_path, 68, settings(4 * 30), later=8, scenario=scenario)
    assert again.agent.digest() == whole.agent.digest()
    assert again.log.episodes == whole.log.episodes
    assert [row["decisions"] for row in whole.log.episodes] == [80, 40]
    for name, values in whole.history.state().items():
        np.testing.assert_array_equal(again.history.state()[name], values)
    assert part.agent.digest() != whole.agent.digest()


def test_a_batch_learns(tmp_path):
    """As many updates as decisions: it ends above hard slicing, as one cell does in as many decisions."""
    made = train(
        maker(policy={"head": "factored"}, batch_size=32, exploration_fraction=0.5),
        SCENARIO,
        settings=settings(1600, policies=["hard"]),
        folder=tmp_path,
    )
    assert made.agent._n_updates == pytest.approx(1600 - 50, abs=CELLS)
    own, hard = made.evaluation
    assert own.utility.mean() > hard.utility.mean()


def test_a_batch_is_refused_where_the_loop_knows_one_cell(tmp_path):
    def refused(message, make=make_ddqn, decisions=400, **arguments):
        with pytest.raises(ValueError, match=message):
            Training(make, SCENARIO, settings=settings(decisions), folder=tmp_path, **arguments)
        assert not list(tmp_path.iterdir())

    refused(r"num_envs: 4 given, allowed is 1 with a twin, whose cells algorithm\.num_envs", twin=twin_settings())
    planner = lambda env, _: make_planner(PlannerSettings(), env, 0)  # noqa: E731
    refused("num_envs: 4 given, allowed is 1 with a planner, which learns a model of one cell", planner)
    wrapped = Environments(SCENARIO, [{"_target_": "gymnasium.wrappers.NormalizeReward"}])
    refused(r"num_envs: 4 given, allowed is 1 with env\.wrappers \(NormalizeReward\)", environments=wrapped)
    refused("decisions: 401 given, allowed are multiples of 4, the least", decisions=401)
    refused("decisions: 404 given, allowed are multiples of 12, the least", maker(train_freq=6), 404)
    refused(r"evaluation\.seeds: 100 is one of the 4 cells that the agent learns on \(seed, num_envs\)", seed=98)
    by_episodes = maker(stable_baselines3.DQN, train_freq=(1, "episode"))
    refused("num_envs: 4 given, allowed is 1 for an agent that is updated by episodes", by_episodes)


def test_the_command_takes_it_and_names_the_key(tmp_path):
    short = ["+experiment=debug", "num_envs=8", "evaluation.policies=[]"]
    prepare(composed("train", *short), tmp_path)
    with pytest.raises(ValueError, match="decisions: 402 given, allowed are multiples of 8"):
        prepare(composed("train", *short, "decisions=402"), tmp_path)
    with pytest.raises(ValueError, match="num_envs: 8 given, allowed is 1 with a twin"):
        prepare(composed("train", *short, "twin=lstm"), tmp_path)
    with pytest.raises(ValueError, match="with_planner: num_envs: 8 given, allowed is 1 with a planner"):
        prepare(composed("train", *short, "with_planner=true"), tmp_path)
    with pytest.raises(ValueError, match="num_envs: 0 given, allowed is"):
        prepare(composed("train", *short, "num_envs=0"), tmp_path)
