"""`python -m experiments.figures`: pictures, tables and CSVs of what runs left behind."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from experiments.evaluate import Settings, evaluate
from experiments.figures import __main__ as figures
from experiments.offline import offline, record_history
from experiments.offline.report import candidates_table
from experiments.reporting.style import agent_colour
from experiments.runs.folder import Run
from experiments.train import train
from experiments.train.convergence import MEASURES, draw
from tests.helpers.drawn import drawn as drawn
from tests.helpers.histories import COARSE
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.offline_runs import offline_settings
from tests.helpers.runs import SCENARIO, make_ddqn, maker, planner_run, read_rows, short_settings, twin_settings


@pytest.fixture(scope="module")
def methods(tmp_path_factory):
    """Two seeds of an agent, with and without a twin."""
    folder = tmp_path_factory.mktemp("methods")
    for seed in (0, 1):
        train(make_ddqn, SCENARIO, None, short_settings(600), folder / f"alone-{seed}", seed)
        train(make_ddqn, SCENARIO, twin_settings(), short_settings(400, fine_tune=200), folder / f"twin-{seed}", seed)
    return folder


def test_a_planner_is_drawn_with_the_agents_of_every_head(methods, tmp_path, capsys):
    runs = tmp_path / "runs"
    shutil.copytree(methods / "alone-0", runs / "dense")
    summary = json.loads((runs / "dense" / "summary.json").read_text())
    old = {key: value for key, value in summary.items() if key != "collect_by"}  # as versions before wrote it
    (runs / "dense" / "summary.json").write_text(json.dumps(old))
    shutil.copytree(runs / "dense", runs / "factored")
    (runs / "factored" / "summary.json").write_text(json.dumps(old | {"head": "factored"}))
    planner_run(runs / "planner", 220)
    figures.main(["convergence", str(runs), "--output", str(tmp_path / "picture.png")])
    printed = capsys.readouterr().out
    assert sum(line.split()[:1] == ["planner"] for line in printed.splitlines()) == 2
    for head in ("dense", "factored"):
        rows = read_rows(tmp_path / f"picture_paper-1mhz_{head}_runs.csv")
        assert [(row["agent"], row["head"], row["collect_by"]) for row in rows] == [
            ("ddqn", head, ""),
            ("planner", "none", ""),
        ]
    assert not (tmp_path / "picture_paper-1mhz_none.png").exists()
    figures.main(["convergence", str(runs / "planner"), "--output", str(tmp_path / "alone.png")])
    assert (tmp_path / "alone_paper-1mhz_none.png").exists()


@pytest.mark.parametrize("kind", ["", "-dt"])
def test_both_of_two_curves_that_coincide_are_seen(kind, tmp_path):
    """With a twin and without: pixels of both colours stand above the legend."""
    rewards = {name: np.array([0.2, 0.5, 0.9]) for name in MEASURES}
    run = Run(tmp_path, {"best_fixed_on_own_cell": 1.0, "seed": 0}, rewards)
    methods = {f"{agent}{kind}": [run] for agent in ("ddqn", "dqn")}
    draw(tmp_path / "picture.png", "paper", "dense", methods, {name: np.zeros(1) for name in MEASURES})
    pixels = imread(tmp_path / "picture.png")[:450, :, :3]
    for agent in ("ddqn", "dqn"):
        assert (np.abs(pixels - to_rgb(agent_colour(agent))).max(axis=2) < 0.01).sum() > 300


@pytest.mark.parametrize(("kind", "panels"), [("shaped", 2), ("utility", 1)])
def test_the_share_at_c_max_has_a_panel_where_the_scenario_has_such_a_goal(kind, panels, tmp_path, drawn):
    summary = {"best_fixed_on_own_cell": 1.0, "seed": 0, "config": {"scenario": {"reward": {"kind": kind}}}}
    run = Run(tmp_path, summary, {name: np.array([0.2, 0.5, 0.9]) for name in MEASURES})
    draw(tmp_path / "picture.png", "nr-8slices", "factored", {"ddqn": [run]}, {name: np.zeros(1) for name in MEASURES})
    (figure,) = drawn
    assert len(figure.axes) == panels
    assert ("no share at c_max: the scenario rewards no threshold" in figure.get_suptitle()) == (panels == 1)


def test_convergence_figure_is_drawn_from_runs(methods, tmp_path, capsys):
    figures.main(["convergence", str(methods), "--output", str(tmp_path / "picture.png")])
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1].startswith("regret below 0: ")
    assert (tmp_path / "picture_paper-1mhz_dense.png").read_bytes().startswith(b"\x89PNG")
    rows = read_rows(tmp_path / "picture_paper-1mhz_dense.csv")
    assert len(rows) == 2 * 3 + 2 * 2
    own = read_rows(methods / "twin-1" / "episodes.csv")
    mine = [row for row in rows if (row["agent"], row["seed"]) == ("ddqn-dt", "1")]
    np.testing.assert_allclose([float(r["utility"]) for r in mine], [float(r["utility"]) for r in own], rtol=1e-5)
    runs = read_rows(tmp_path / "picture_paper-1mhz_dense_runs.csv")
    for row in runs:
        folder = methods / f"{'twin' if row['agent'] == 'ddqn-dt' else 'alone'}-{row['seed']}"
        summary = json.loads((folder / "summary.json").read_text())
        assert float(row["utility"]) == summary["utility"]
    for method in ("ddqn", "ddqn-dt"):
        (line,) = [line for line in printed.splitlines() if line.split()[:1] == [method]]
        mean = np.mean([float(row["utility"]) for row in runs if row["agent"] == method])
        assert f"{mean:.3f} [" in line
    random = [float(row["utility"]) for row in rows if row["agent"] == "ddqn-dt" and row["episode"] == "1"]
    (line,) = [line for line in printed.splitlines() if line.startswith("random")]
    assert float(line.split()[4]) == pytest.approx(np.mean(random), abs=0.15)  # a first episode is random decisions
    shutil.copytree(methods / "twin-1", methods / "again" / "twin-1")
    with pytest.raises(SystemExit, match="ddqn-dt/1 is there twice"):
        figures.main(["convergence", str(methods)])
    summary = json.loads((methods / "again" / "twin-1" / "summary.json").read_text())
    summary["config"]["agent"]["arguments"]["learning_rate"] = 0.5
    (methods / "again" / "twin-1" / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(SystemExit, match=r"they differ in agent\.arguments\.learning_rate .*experiments\.report"):
        figures.main(["convergence", str(methods)])
    shutil.rmtree(methods / "again")
    with pytest.raises(SystemExit, match=r"no finished run"):
        figures.main(["convergence", str(tmp_path / "empty")])


def test_headroom_figure_is_drawn_from_evaluations(tmp_path):
    settings = Settings(seeds=[0, 1], decisions=3, threads=1, progress=False)
    for scenario in (SCENARIO, COARSE):
        (tmp_path / scenario.name).mkdir()
        evaluate(["hard", "best_fixed", "one_step_oracle"], scenario, settings).write(tmp_path / scenario.name)
    figures.main(["headroom", str(tmp_path), "--output", str(tmp_path / "picture.png")])
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    rows = read_rows(tmp_path / "picture.csv")
    assert len(rows) == 2 * 3 * 2
    evaluated = read_rows(tmp_path / "paper-1mhz" / "evaluation.csv")
    assert {(row["policy"], row["seed"], row["utility"]) for row in rows} >= {
        (row["policy"], row["seed"], row["utility"]) for row in evaluated
    }
    (tmp_path / "same-name").mkdir()
    changed = SCENARIO.replace(slices={"urllc": {"num_users": 64}})
    evaluate(["hard"], changed, settings).write(tmp_path / "same-name")
    with pytest.raises(SystemExit, match="give scenarios that differ different names"):
        figures.main(["headroom", str(tmp_path)])
    (tmp_path / "same-name" / "evaluation.csv").write_text("scenario,policy,seed,utility\npaper,hard,0,abc\n")
    with pytest.raises(SystemExit, match=r"folder: '.*evaluation\.csv' could not be read: could not convert"):
        figures.main(["headroom", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"no evaluation\.csv below"):
        figures.main(["headroom", str(tmp_path / "empty")])


def test_a_figure_that_there_is_not_is_answered_with_the_nearest(capsys):
    with pytest.raises(SystemExit):
        figures.main(["hedroom", "."])
    assert "figure: unknown name 'hedroom'; did you mean 'headroom'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def offline_runs(tmp_path_factory):
    """One with a twin and one without, from the same history."""
    folder = tmp_path_factory.mktemp("offline")
    history = record_history("random", COARSE, 0, 80)
    make, settings = maker(twin={"learning_starts": 64}), offline_settings()
    for name, twin in (("twin", twin_settings()), ("none", None)):
        offline(make, history, twin, settings, folder / name, own_seed=0)
    return folder


def summary_of(folder):
    return json.loads((folder / "offline.json").read_text())


def test_offline_figure_names_the_candidate_that_was_kept(offline_runs):
    """Of two that earned the same in the twin `keep_better` keeps Agent 2."""
    summary = summary_of(offline_runs / "twin")
    for own in summary["candidates"].values():
        own["in_twin"] = 5.0
    (line,) = [line for line in candidates_table([summary]).splitlines() if "agent 2" in line]
    assert line.endswith("1 of 1")


@pytest.mark.parametrize("version", ["today", "before"])
def test_offline_figure_is_drawn_from_runs(offline_runs, version, tmp_path, capsys):
    """Those of versions before have other names for two of their figures."""
    runs = tmp_path / "runs"
    shutil.copytree(offline_runs, runs)
    names = {"modal": "usual", "lower_baselines": "floors"} if version == "before" else {}
    summaries = {"ddqn": runs / "none" / "offline.json", "ddqn-dt": runs / "twin" / "offline.json"}
    for utility, path in zip((5.25, 6.5), summaries.values(), strict=True):
        summary = {names.get(key, key): value for key, value in json.loads(path.read_text()).items()}
        path.write_text(json.dumps(summary | {"utility": utility}))
    figures.main(["offline", str(runs), "--output", str(tmp_path / "picture.png")])
    printed = capsys.readouterr().out
    assert (tmp_path / "picture_coarse_dense.png").read_bytes().startswith(b"\x89PNG")
    rows = read_rows(tmp_path / "picture_coarse_dense.csv")
    assert [row["policy"] for row in rows] == ["ddqn", "ddqn-dt", "behaviour_cloning", "best_in_data", "hard"]
    for row in rows[:2]:
        summary = json.loads(summaries[row["policy"]].read_text())
        for name in ("utility", "reward_at_c_max", "utility_on_own_cell"):
            assert float(row[name]) == pytest.approx(summary[name], abs=1e-6)
        assert float(row["fitted_q"]) == pytest.approx(summary["estimates"]["fitted_q"], abs=1e-6)
        assert (row["twin"] == "") == (row["policy"] == "ddqn")
        (line,) = [line for line in printed.splitlines() if line.split()[:2] == [row["policy"], "1"]]
        assert line.split()[2] == f"{summary['utility']:.3f}"  # one seed has no interval
    assert "ddqn-dt minus ddqn: 1.250" in printed
    shutil.copytree(runs / "none", runs / "again")
    with pytest.raises(SystemExit, match="is there twice"):
        figures.main(["offline", str(runs)])
    with pytest.raises(SystemExit, match=r"no finished offline run \(offline\.json\)"):
        figures.main(["offline", str(tmp_path / "none")])
