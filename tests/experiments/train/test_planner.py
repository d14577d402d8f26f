"""Runs of a planner: like those of an agent without a twin, to the last bit, and refused where it would be lost."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents import Planner, StudentPolicy
from agents.registry import import_modules
from experiments.config.planner import make_planner
from experiments.config.schemas import PlannerSettings
from experiments.environments import Environments
from experiments.runs.lifecycle import CURVES
from experiments.train import Training, read_result, train
from experiments.train.__main__ import prepare
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import (
    OWN,
    SCENARIO,
    composed,
    interrupted,
    make_ddqn,
    names_in,
    read_rows,
    short_settings,
    twin_settings,
)
from tests.helpers.wrappers import TENTH

FILES = {
    *("planner.safetensors", "history.npz", "episodes.csv", "evaluation.csv", "summary.json", "training.png"),
    "planner.card.md",
    CURVES,
}


@pytest.fixture(autouse=True, scope="module")
def _asked_for():
    import_modules([OWN])


def make(env, role, **changes):
    assert role == "real"
    return make_planner(PlannerSettings(**changes), env, 0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    settings = short_settings(210, policies=["random", "proportional"])
    return train(make, SCENARIO, settings=settings, folder=tmp_path_factory.mktemp("planner"))


def test_its_progress_bar_has_its_name(tmp_path, capfd):
    train(make, SCENARIO, settings=replace(short_settings(10), progress=True), folder=tmp_path, name="mine")
    assert "mine: 100%" in capfd.readouterr().err


def test_a_run_leaves_what_those_of_agents_do_and_a_file_of_its_own(run):
    assert names_in(run.folder) == FILES
    assert run.name == run.summary["agent"] == run.evaluation[0].policy == "planner"
    assert (run.summary["twin"], run.summary["head"], run.summary["collect_by"]) == ("none", "none", None)
    assert isinstance(run.agent, Planner)
    assert run.agent.num_decisions == len(run.history) == 210
    assert [row["decisions"] for row in read_rows(run.folder / "episodes.csv")] == ["200", "10"]
    best, utility = run.summary["best_fixed_on_own_cell"], run.episodes["utility"].to_numpy()
    assert run.summary["regret"] == pytest.approx(best * 210 - (utility * [200, 10]).sum())


def test_its_curves_go_to_tensorboard(run):
    events = EventAccumulator(str(run.folder))
    events.Reload()
    assert {"utility", "reward_at_c_max", "planner/value"} <= set(events.Tags()["scalars"])
    assert [point.step for point in events.Scalars("utility")] == [200, 210]


def test_it_learns_within_an_episode(run):
    """Above what random decisions earn, which is what agents begin with."""
    random = run.evaluation[1].utility.mean()
    assert run.episodes["utility"][0] > random + 1.0
    assert run.summary["utility"] > random + 1.5


def test_its_folder_gives_back_what_it_learned(run):
    again = read_result(run.folder)
    assert (again.summary, again.name, again.report()) == (run.summary, run.name, run.report())
    assert run.agent.digest() == run.summary["learned"]
    assert again.agent.model.num_decisions == 210
    seen = run.history.arrivals / SCENARIO.nominal_arrivals
    chosen = [each.predict(seen, deterministic=True)[0] for each in (run.agent, again.agent, again.policy)]
    np.testing.assert_array_equal(chosen[0], chosen[1])
    np.testing.assert_array_equal(chosen[0], chosen[2])


@pytest.mark.parametrize("decisions", [83, 200])
def test_a_run_goes_on_from_any_decision_as_if_nothing_had_been(decisions, tmp_path):
    whole, part, again = interrupted(make, tmp_path, decisions, short_settings(230))
    assert again.agent.digest() == whole.agent.digest() != part.agent.digest()
    mine, theirs = whole.history.state(), again.history.state()
    assert all(np.array_equal(mine[name], theirs[name]) for name in mine)
    assert (whole.folder / "episodes.csv").read_bytes() == (again.folder / "episodes.csv").read_bytes()


def test_another_planner_is_not_resumed(tmp_path):
    arguments = {"scenario": SCENARIO, "settings": short_settings(60), "folder": tmp_path, "resume": True}
    Training(make, **arguments).algorithm.run()
    with pytest.raises(ValueError, match=r"agent\.arguments\.horizon: 1 there, 2 given"):
        Training(lambda env, role: make(env, role, horizon=2), **arguments)


def test_bounds_and_a_set_of_allocations_hold_from_the_first_decision_on(tmp_path):
    def bounded(env, role):
        return make(env, role, lowest={"urllc": 4}, highest={"video": 9})

    def chosen(env, role):
        return make(env, role, allowed=[[1, 18, 1], [6, 7, 7]])

    held = train(bounded, SCENARIO, settings=short_settings(40), folder=tmp_path).history.allocation
    assert held[:, 2].min() >= 4
    assert held[:, 1].max() <= 9
    held = train(chosen, SCENARIO, settings=short_settings(40), folder=tmp_path).history.allocation
    assert {tuple(row) for row in held} <= {(1, 18, 1), (6, 7, 7)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"twin": twin_settings()}, "twin: 'lstm' given, allowed with a planner is none"),
        ({"settings": short_settings(60, reward="shaped")}, "reward: 'shaped' given, allowed with a planner is 'util"),
        ({"settings": short_settings(60, reward="clip")}, "reward: 'clip' given, allowed with a planner is 'utility'"),
        ({"environments": [TENTH]}, r"env\.wrappers: .* given, allowed with a planner is none"),
    ],
)
def test_what_it_would_not_maximise_or_not_see_is_refused_before_anything_runs(arguments, message, tmp_path):
    given = {"settings": short_settings(60), **arguments}
    if "environments" in given:
        given["environments"] = Environments(SCENARIO, given["environments"])
    with pytest.raises(ValueError, match=message):
        train(make, SCENARIO, folder=tmp_path, **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["twin=lstm"], "twin: 'lstm' given, allowed with a planner is none"),
        (["reward=shaped"], "reward: 'shaped' given, allowed with a planner is 'utility'"),
        (
            [f"env.wrappers=[{{_target_: {OWN}.LogObservation}}]", f"imports=[{OWN}]"],
            r"env\.wrappers: .* given, allowed with a planner is none",
        ),
        (["with_planner=true"], "with_planner: true given, allowed with another agent only"),
        (["planner.choose_by=best"], r"planner\.choose_by: unknown name 'best'"),
        (["planner.horizon=0"], r"planner\.horizon: 0 given, allowed is 1 to "),
        (["planner.gamma=1.5"], r"planner\.gamma: 1\.5 given"),
        (["planner.memory=0"], r"planner\.memory: 0 given, allowed is 1 to "),
        (["planner.structure=both"], r"planner\.structure: unknown name 'both'"),
        (["planner.lowest={ulrlc:3}"], r"planner\.lowest: unknown name 'ulrlc'; did you mean 'urllc'"),
        (["planner.lowest={urllc:30}"], r"planner\.lowest"),
        (["planner.highest={urllc:3,video:3,volte:3}"], r"planner\.lowest, highest: no allocation"),
        (["planner.allowed=[[1,2,3]]"], r"planner\.allowed: "),
        (["planner.min_ssr={urllc:1.5}"], r"planner\.min_ssr\.urllc: 1\.5 given"),
        (["planner.min_probability=0"], r"planner\.min_probability: 0\.0 given"),
    ],
)
def test_bad_values_are_refused_by_the_command(overrides, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        prepare(composed("train", "agent=planner", "scenario=paper-1mhz", *overrides), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_allocations_that_cannot_be_listed_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^planner\.(structure: unknown name|.*cannot be listed)"):
        prepare(composed("train", "agent=planner", "scenario=nr-8slices", "planner.structure=joint"), tmp_path)


def test_the_command_trains_one_and_says_what_it_has_not(tmp_path, capsys):
    other = str(tmp_path.parent / "other.safetensors")
    StudentPolicy(SCENARIO.replace(name="five", slices={"urllc": {"num_users": 5}}), hidden=2, seed=0).save(other)
    config = composed("train", "+experiment=debug", "agent=planner", "decisions=30", "resume=auto")
    config.evaluation.policies.append(other)
    prepare(config, tmp_path)()
    printed = capsys.readouterr().out
    assert f"\npolicy {other}: trained in scenario five, evaluated in paper-1mhz\n" in printed
    assert "agents.Planner has no learning_starts, batch_size: left out" in printed or (
        "agents.Planner has no batch_size, learning_starts: left out" in printed
    )
    assert [row["policy"] for row in read_rows(tmp_path / "evaluation.csv")][::2] == [
        *("planner", "random", "hard", "proportional", "best_fixed", "other")
    ]
    prepare(config, tmp_path)()
    assert "this run is finished" in capsys.readouterr().out


def test_it_acts_in_the_environment_that_it_is_given(tmp_path):
    def make_elsewhere(*_):
        return make(gym.make("SliceRAN-v0", scenario=SCENARIO), "real")

    with pytest.raises(ValueError, match="make: the planner for role 'real' acts in another environment than the one"):
        train(make_elsewhere, SCENARIO, settings=short_settings(20), folder=tmp_path)


def test_it_takes_no_role_in_which_one_learns_from_a_replay_buffer(tmp_path):
    def one_of_each(env, role):
        return make_ddqn(env, role) if role == "real" else make(gym.make("SliceRAN-v0", scenario=SCENARIO), "real")

    with pytest.raises(TypeError, match="make: a Planner for role 'twin' given, allowed are off-policy algorithms"):
        Training(one_of_each, SCENARIO, twin_settings(), short_settings(), tmp_path)
