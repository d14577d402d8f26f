"""`train`: what it gives back, and what it leaves in the folder of a run."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import stable_baselines3
from sb3_contrib import QRDQN
from stable_baselines3.common.buffers import ReplayBuffer

from agents import DDQN, FixedPolicy
from experiments.evaluate.rollout import evaluate_policy, make_cells
from experiments.runs.lifecycle import CURVES
from experiments.train import Listener, Training, read_result, train
from experiments.train.run import finish
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import (
    SCENARIO,
    composed,
    make_ddqn,
    maker,
    names_in,
    read_rows,
    short_settings,
    twin_settings,
)
from twin import DigitalTwin, History, PerformanceSettings

FILES = {"agent.zip", "agent.card.md", "history.npz", "summary.json", "training.png", CURVES}
FILES |= {"episodes.csv", "evaluation.csv"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Without a twin."""
    settings = short_settings(400, policies=["random", "hard"])
    return train(make_ddqn, SCENARIO, settings=settings, folder=tmp_path_factory.mktemp("run"))


def assert_same_weights(one, other):
    for mine, theirs in zip(one.policy.parameters(), other.policy.parameters(), strict=True):
        np.testing.assert_array_equal(mine.detach().numpy(), theirs.detach().numpy())


def test_a_run_leaves_what_it_promises(run):
    assert names_in(run.folder) == FILES
    rows = read_rows(run.folder / "episodes.csv")
    assert [(row["episode"], row["decisions"]) for row in rows] == [("1", "200"), ("2", "200")]
    assert (run.folder / "training.png").read_bytes().startswith(b"\x89PNG")
    assert_same_weights(DDQN.load(run.folder / "agent.zip"), run.agent)


def test_its_result_is_what_is_in_the_folder(run):
    assert run.name == "ddqn"
    assert list(run.episodes["episode"]) == [1, 2]
    assert list(run.episodes["decisions"]) == [200, 200]
    written = read_rows(run.folder / "episodes.csv")
    assert list(run.episodes) == list(written[0])
    for name in ("utility", "ssr_urllc", "threshold"):
        assert list(run.episodes[name]) == pytest.approx([float(row[name]) for row in written], abs=1e-6)
    assert len(run.history) == len(History.load(run.folder / "history.npz")) == 400
    assert run.twin is None
    assert [each.policy for each in run.evaluation] == ["ddqn", "random", "hard"]
    for each in run.evaluation:
        assert (each.seeds, each.utility.shape, each.ssr.shape) == ((100, 101), (2,), (2, 3))
    rows = read_rows(run.folder / "evaluation.csv")
    assert [float(row["utility"]) for row in rows] == pytest.approx(
        np.concatenate([each.utility for each in run.evaluation]), abs=1e-6
    )
    assert run.summary["utility"] == run.evaluation[0].utility.mean()
    again = read_result(run.folder)
    assert (again.summary, again.name, again.report()) == (run.summary, run.name, run.report())
    pd.testing.assert_frame_equal(again.episodes, run.episodes, atol=1e-6)
    assert_same_weights(again.agent, run.agent)


@pytest.mark.parametrize(("own", "learned_from"), [("utility", "shaped"), ("shaped", "utility")])
def test_the_share_at_c_max_is_shown_where_the_scenario_has_a_goal_whatever_is_learned_from(own, learned_from):
    """A scenario that was made of a log has none."""
    scenario = SCENARIO.replace(reward={"kind": own})
    settings = short_settings(40, policies=["hard"], reward=learned_from)
    table = train(make_ddqn, scenario, settings=settings).report()
    assert ("share at c_max" in table) == (own == "shaped")
    assert "hard" in table


def test_a_report_ends_with_the_warning_of_a_slice_that_a_policy_starves(run):
    known = run.evaluation[0]
    starved = replace(known, starved=np.full_like(known.ssr, 0.5))
    last = replace(run, evaluation=[starved]).report().splitlines()[-1]
    assert last.startswith("warning: urllc: full queues admit nothing")
    assert known.policy in last
    assert "warning" not in run.report()


def test_a_report_says_where_decisions_are_too_few_to_compare(run):
    few = "too few decisions to compare: 40 of each (evaluation.decisions, evaluation.seeds)"
    assert few in run.report().splitlines()
    config = run.summary["config"]
    enough = {**run.summary, "config": {**config, "evaluation": {**config["evaluation"], "decisions": 50}}}
    assert "too few" not in replace(run, summary=enough).report()


def test_an_episode_cut_short_is_logged_as_such(tmp_path):
    found = train(make_ddqn, SCENARIO, settings=short_settings(250, policies=["hard"]), folder=tmp_path)
    assert [row["decisions"] for row in read_rows(tmp_path / "episodes.csv")] == ["200", "50"]
    assert list(found.episodes["decisions"]) == [200, 50]


class Counts(Listener):
    """What a listener is told."""

    def __init__(self):
        self.started, self.seen, self.settled = 0, [], 0

    def on_start(self, reset_info):
        assert "arrivals" in reset_info
        self.started += 1

    def on_decision(self, experience):
        self.seen.append(experience)

    def on_settled(self):
        self.settled += 1


def test_the_same_seed_trains_the_same_agent_and_without_a_folder_nothing_is_left(run, tmp_path, monkeypatch):
    """Neither where the process runs, nor where temporary files go."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    listener = Counts()
    settings = short_settings(400, policies=["random", "hard"])
    again = train(make_ddqn, SCENARIO, settings=settings, listeners=[listener])
    assert os.listdir(tmp_path) == []
    assert again.folder is None
    assert_same_weights(again.agent, run.agent)
    assert again.episodes.equals(run.episodes)
    assert again.summary["learned"] == run.summary["learned"]
    for one, other in zip(again.evaluation, run.evaluation, strict=True):
        np.testing.assert_array_equal(one.utility, other.utility)
    other = train(make_ddqn, SCENARIO, settings=short_settings(60), seed=1)
    assert other.summary["learned"] != run.summary["learned"]
    assert len(listener.seen) == 400
    assert listener.started == 1
    assert listener.settled >= 400
    np.testing.assert_allclose([each.reward for each in listener.seen], _utility(again.history), rtol=1e-6)
    assert [number for number, each in enumerate(listener.seen) if each.truncated] == [199, 399]


def _utility(history):
    return 0.01 * history.spectral_efficiency + history.ssr.sum(axis=1)


def test_with_a_twin_listeners_are_told_of_every_real_decision(tmp_path):
    listener, other = Counts(), Counts()
    found = train(
        make_ddqn, SCENARIO, twin_settings(), short_settings(240), tmp_path, listeners=[listener, other], name="mine"
    )
    assert len(listener.seen) == len(other.seen) == len(found.history) == 240
    assert found.name == found.evaluation[0].policy == "mine-dt"
    assert found.twin.scenario == SCENARIO
    assert names_in(tmp_path) == FILES | {"twin.safetensors", "twin.card.md", "twin"}
    assert DigitalTwin.load(tmp_path / "twin.safetensors").to_bytes() == found.twin.to_bytes()
    assert names_in(tmp_path / "twin") == {CURVES}


@pytest.mark.parametrize("kind", [stable_baselines3.DQN, QRDQN])
def test_stock_agents_with_stock_replay_buffers_go_through_the_whole_loop(kind, tmp_path):
    """What Agent 2 saw is recalled from Stable-Baselines3's own buffer, and remembered in another."""
    settings = short_settings(280, warm_replay=150)
    training = Training(maker(kind), SCENARIO, twin_settings(), settings, tmp_path)
    steps = training.algorithm._steps()
    for _ in range(3):
        steps[training.algorithm._next_step]()
    buffer = training.algorithm.agent.model.replay_buffer
    assert type(buffer) is ReplayBuffer
    assert buffer.pos == 350
    training.algorithm.fine_tune()
    assert buffer.pos == 390
    assert training.algorithm.agent.model._n_updates > 0


@pytest.mark.parametrize("twin", ["lstm", PerformanceSettings()])
def test_a_twin_may_be_named(twin, tmp_path):
    if isinstance(twin, str):
        assert Training(make_ddqn, SCENARIO, twin, short_settings(), tmp_path).twin.transition.name == "lstm"
    else:
        with pytest.raises(TypeError, match=r"transition: PerformanceSettings.* is neither a name nor settings"):
            Training(make_ddqn, SCENARIO, twin, short_settings(), tmp_path)


def test_the_reward_is_the_scenarios_unless_another_is_asked_for(tmp_path):
    clip = SCENARIO.replace(reward={"kind": "clip"})
    for reward, kind in ((None, "clip"), ("utility", "utility"), ("shaped", "shaped")):
        training = Training(make_ddqn, clip, settings=short_settings(20, reward=reward), folder=tmp_path)
        assert training.scenario.reward.kind == kind
        assert training.algorithm.real.unwrapped.scenario.reward.kind == kind


def test_with_a_twin_the_agent_learns_from_few_decisions(tmp_path):
    """600 real decisions, a dense head: near the best fixed allocation, where without a twin it is far from it."""
    from experiments.train.__main__ import prepare

    settings = ["scenario=paper-1mhz", "decisions=600", "progress=false", "evaluation.policies=[random,best_fixed]"]
    shorter = ["algorithm.twin_decisions=20480", "algorithm.later_twin_decisions=7680", "without_twin=true"]
    shorter.append("algorithm.collect_by=random")
    smaller = ["agent.net_arch=[64,64]", "twin.transition.members=1", "twin.training.max_epochs=60"]
    prepare(composed("train", "agent=ddqn", "agent.head=dense", "twin=lstm", *settings, *shorter, *smaller), tmp_path)()
    rows = read_rows(tmp_path / "evaluation.csv")
    utility = {
        name: np.mean([float(row["utility"]) for row in rows if row["policy"] == name])
        for name in ("ddqn-dt", "ddqn", "random", "best_fixed")
    }
    assert utility["ddqn-dt"] > utility["best_fixed"] - 0.1
    assert utility["ddqn-dt"] > utility["ddqn"] + 0.1
    found = read_result(tmp_path)
    assert found.summary["decisions"] == 600
    best = FixedPolicy("paper-1mhz", [1, 18, 1])
    own = evaluate_policy("", best, make_cells(SCENARIO, 1), [0], 600)
    assert found.summary["best_fixed_on_own_cell"] == pytest.approx(own.utility.mean())
    assert found.summary["regret"] == pytest.approx(600 * (own.utility.mean() - _utility(found.history).mean()))
    assert names_in(tmp_path) == FILES | {"twin.safetensors", "twin.card.md", "twin", "without_twin"}
    alone = read_result(tmp_path / "without_twin")
    assert (alone.name, alone.twin, alone.summary["utility"]) == ("ddqn", None, pytest.approx(utility["ddqn"]))


def test_runs_that_are_finished_together_are_compared_together(tmp_path):
    """The comparison is in the folder of the first."""
    trainings = [
        Training(maker(kind), SCENARIO, settings=short_settings(30), folder=tmp_path / str(n), seed=n)
        for n, kind in enumerate((DDQN, stable_baselines3.DQN))
    ]
    one, other = finish(trainings)
    assert [each.policy for each in one.evaluation] == ["ddqn", "random"]
    assert [each.policy for each in other.evaluation] == ["dqn", "random"]
    assert {row["policy"] for row in read_rows(tmp_path / "0" / "evaluation.csv")} == {"ddqn", "dqn", "random"}
    assert not (tmp_path / "1" / "evaluation.csv").exists()
    assert (tmp_path / "1" / "summary.json").exists()
