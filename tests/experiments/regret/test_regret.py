"""Regret of runs: baselines on the same cells, figures of each decision, tables, a CSV and a picture."""

from __future__ import annotations

import dataclasses
import json
import shutil

import gymnasium as gym
import numpy as np
import pytest

from experiments.config.schemas import EvaluationSettings
from experiments.figures import __main__ as figures
from experiments.regret import Course, References, courses_of, draw_regret
from experiments.regret.courses import utility_of
from experiments.regret.figure import smoothed
from experiments.runs import find_runs
from experiments.train import train
from slicing_gym import allocation_index
from tests.helpers.histories import COARSE
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import make_ddqn, read_rows, short_settings

UNSEEN = EvaluationSettings(policies=["proportional", "one_step_oracle"], seeds=[100, 101], decisions=15)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds of an agent; one of another that takes fewer decisions."""
    folder = tmp_path_factory.mktemp("regret")
    for name, decisions, seed in (("ddqn", 60, 0), ("ddqn", 60, 1), ("shorter", 25, 0)):
        settings = dataclasses.replace(short_settings(decisions), evaluation=UNSEEN)
        train(make_ddqn, COARSE, None, settings, folder / f"{name}-{seed}", seed, name=name)
    return folder


@pytest.fixture
def copied(runs, tmp_path):
    shutil.copytree(runs, tmp_path / "runs", ignore=shutil.ignore_patterns("references_*"))
    return tmp_path / "runs"


def steps(seed, decisions, choose):
    """Utility (n,) and arrivals before each decision (n, S) in a scalar environment, episode after episode."""
    env = gym.make("SliceRAN-v0", scenario=COARSE)
    _, info = env.reset(seed=seed)
    earned, arrivals = [], []
    for _ in range(decisions):
        arrivals.append(info["arrivals"])
        _, _, _, over, info = env.step(choose(env.unwrapped))
        earned.append(info["utility"])
        if over:
            _, info = env.reset()
    return np.array(earned), np.array(arrivals)


def best_listed(env):
    """The best of all allocations for the coming interval, each tried."""
    (outcome,) = env.simulator.what_if(env.allocations)
    return int(outcome.utility.argmax())


def test_the_oracle_is_the_best_of_all_allocations_at_each_decision(tmp_path):
    references = References(COARSE, tmp_path, progress=False)
    references.prepare({3: 25, 4: 12})
    for seed, decisions in ((3, 25), (4, 12)):
        expected, _ = steps(seed, decisions, best_listed)
        np.testing.assert_allclose(references.utility("one_step_oracle", seed, decisions), expected, rtol=1e-12)


def test_a_run_and_the_baselines_meet_the_same_arrivals(runs):
    """Through the ends of episodes as well: what a cell draws does not depend on decisions."""
    for run in find_runs(runs):
        _, arrivals = steps(run.seed, int(run.summary["decisions"]), lambda _: int(allocation_index([1, 1, 3])))
        np.testing.assert_array_equal(run.history().arrivals, arrivals)


def test_utility_of_decisions_is_what_the_episodes_of_a_run_say(runs):
    for run in find_runs(runs):
        earned = utility_of(run, COARSE)
        means = [earned[start : start + 10].mean() for start in range(0, len(earned), 10)]
        np.testing.assert_allclose(means, run.episodes["utility"], atol=1e-5)


def test_courses_are_computed_once_and_a_damaged_file_again(tmp_path):
    first = References(COARSE, tmp_path, progress=False)
    first.prepare({0: 12})
    right = first.utility("proportional", 0, 12).copy()
    with np.load(first.path) as found:
        doctored = {name: found[name] + 1.0 for name in found}
    np.savez(first.path, **doctored)
    again = References(COARSE, tmp_path, progress=False)
    again.prepare({0: 8})  # fewer are the first of more
    np.testing.assert_array_equal(again.utility("proportional", 0, 8), right[:8] + 1.0)
    again.prepare({0: 14})
    np.testing.assert_array_equal(again.utility("proportional", 0, 12), right)
    first.path.write_bytes(first.path.read_bytes()[:100])
    repaired = References(COARSE, tmp_path, progress=False)
    repaired.prepare({0: 12})
    np.testing.assert_array_equal(repaired.utility("proportional", 0, 12), right)
    other = References(COARSE.replace(slices={"urllc": {"num_users": 7}}), tmp_path, progress=False)
    assert other.path != first.path


def test_figures_of_a_course():
    """Half of the first episode reaches the threshold; later half of what proportional loses is lost."""
    scenario = COARSE.replace(reward={"threshold_end": 6.0})
    earned = np.repeat([4.0, 6.0, 7.0], [5, 5, 20])
    oracle, proportional = np.full(30, 8.0), np.full(30, 6.0)
    course = Course("ddqn", 0, earned, np.full(30, 6.5), proportional, oracle, unseen=7.5, unseen_oracle=7.75)
    found = course.figures(scenario)
    assert np.isnan([found.pop("u_11_50"), found.pop("u_101_200")]).all()
    assert found == {
        "u_1_10": 5.0,
        "u_episode_1": 5.0,
        "share_at_c_max": 0.5,
        "u_last_episode": 7.0,
        "regret_best_fixed": 5.0,
        "regret_oracle": 50.0,
        "regret_oracle_later": 20.0,
        "of_proportional": 0.5,
        "u_unseen": 7.5,
        "below_oracle_unseen": 0.25,
    }
    short = dataclasses.replace(course, **{name: np.full(10, 5.0) for name in ("utility", "proportional", "oracle")})
    short = dataclasses.replace(short, best_fixed=np.full(10, 5.0))
    assert np.isnan([short.figures(scenario)[name] for name in ("regret_oracle_later", "of_proportional")]).all()


@pytest.mark.parametrize(("kind", "shown"), [("shaped", True), ("utility", False)])
def test_the_share_at_c_max_is_in_the_table_where_the_scenario_has_such_a_goal(kind, shown, copied, tmp_path):
    """Whatever the agent learned from."""
    for path in copied.glob("*/summary.json"):
        summary = json.loads(path.read_text())
        summary["config"]["scenario"]["reward"]["kind"] = kind
        path.write_text(json.dumps(summary))
    text = draw_regret(copied, tmp_path / "first.png", progress=False)
    assert ("share at c_max" in text) == shown
    assert "share_at_c_max" in read_rows(tmp_path / f"first_{COARSE.name}.csv")[0]


def test_a_smoothed_point_is_the_mean_of_its_neighbours():
    np.testing.assert_allclose(smoothed(np.array([[1.0, 2.0, 6.0, 4.0]])), [[1.5, 3.0, 4.0, 5.0]])


def test_the_command_writes_table_csv_and_picture(copied, tmp_path, capsys):
    figures.main(["regret", str(copied), "--output", str(tmp_path / "first.png")])
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1].startswith("regret below 0: ")
    assert (tmp_path / "first_coarse.png").read_bytes().startswith(b"\x89PNG")
    rows = read_rows(tmp_path / "first_coarse.csv")
    lengths = [("ddqn", "60")] * 2 + [("shorter", "25")]
    baselines = [(name, number) for name in ("best_fixed", "proportional", "one_step_oracle") for _, number in lengths]
    assert sorted((row["method"], row["decisions"]) for row in rows) == sorted(lengths + baselines)
    references = References(COARSE, copied, progress=False)
    for run in find_runs(copied):
        (row,) = [row for row in rows if (row["method"], row["seed"]) == (run.method, str(run.seed))]
        assert float(row["regret_best_fixed"]) == pytest.approx(run.summary["regret"], abs=1e-4)
        oracle = references.utility("one_step_oracle", run.seed, int(row["decisions"]))
        assert float(row["regret_oracle"]) == pytest.approx((oracle - utility_of(run, COARSE)).sum(), abs=1e-5)
        unseen = {each["policy"]: [] for each in read_rows(run.folder / "evaluation.csv")}
        for each in read_rows(run.folder / "evaluation.csv"):
            unseen[each["policy"]].append(float(each["utility"]))
        below = np.mean(unseen["one_step_oracle"]) - np.mean(unseen[run.method])
        assert float(row["below_oracle_unseen"]) == pytest.approx(below, abs=2e-6)
        (row, *_) = [row for row in rows if row["method"] == "proportional"]
        assert float(row["u_unseen"]) == pytest.approx(np.mean(unseen["proportional"]), abs=2e-6)
    lost = np.mean([float(row["regret_oracle"]) for row in rows if row["method"] == "ddqn"])
    (_, line) = [line for line in printed.splitlines() if line.startswith("ddqn")]
    assert line.split()[:3] == ["ddqn", "2", "60"]
    assert f"{lost:.1f} [" in line
    assert [line.split()[2] for line in printed.splitlines() if line.startswith("proportional")] == ["60", "25"] * 2


def test_what_was_typed_for_all_runs_is_said(copied, tmp_path):
    """A picture that is kept would else show an agent of other settings under the name of the usual one."""
    folders = [run.folder for run in find_runs(copied)]
    for seed, folder in enumerate(folders):
        (folder / ".hydra").mkdir()
        typed = [
            "agent=ddqn",
            "agent.gradient_steps=8",
            f"seed={seed}",
            f"agent.gamma=0.{seed}",
            "hydra.run.dir=x",
            "a=$x_{, c=$y",
        ]
        (folder / ".hydra" / "overrides.yaml").write_text("".join(f"- '{each}'\n" for each in typed))
    printed = draw_regret(copied, tmp_path / "first.png", progress=False).splitlines()
    assert (
        printed[0] == "typed for all runs: agent.gradient_steps=8, a=$x_{, c=$y"
    )  # two $ begin a formula in a picture
    (folders[0] / ".hydra" / "overrides.yaml").unlink()
    assert draw_regret(copied, tmp_path / "first.png", progress=False).lstrip().startswith("scenario coarse; ")


def test_a_run_of_another_version_is_refused(copied):
    path = copied / "ddqn-1" / "summary.json"
    summary = json.loads(path.read_text())
    path.write_text(json.dumps(summary | {"best_fixed_on_own_cell": summary["best_fixed_on_own_cell"] + 0.01}))
    with pytest.raises(ValueError, match="another version made the run: train it again"):
        draw_regret(copied, copied / "first.png", progress=False)
    with pytest.raises(SystemExit, match="no finished run"):
        figures.main(["regret", str(copied / "empty")])


def test_methods_of_two_heads_are_kept_apart(copied):
    runs = find_runs(copied)
    factored = dataclasses.replace(runs[1], summary={**runs[1].summary, "head": "factored"})
    courses = courses_of([runs[0], factored, runs[2]], COARSE, References(COARSE, copied, progress=False))
    assert [course.method for course in courses[:3]] == ["ddqn (dense)", "ddqn (factored)", "shorter"]
