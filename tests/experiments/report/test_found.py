"""Which runs a report finds, and folders that are unusual: empty, of earlier versions, of several scenarios, copies."""

from __future__ import annotations

import json
import shutil

import pytest

from experiments.regret import draw_regret
from experiments.report import report
from experiments.report.measures import FINAL
from experiments.runs.status import Status, write_status
from experiments.train import train
from tests.helpers.runs import SCENARIO, make_ddqn, read_rows, short_settings
from tests.helpers.studies import config_of, leave_hydra, leave_run, leave_sweep


def test_an_empty_folder_and_none_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"folder: no run in '.*' or below \(summary\.json"):
        report(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"folder: '.*nowhere' does not exist"):
        report([tmp_path, tmp_path / "nowhere"])
    with pytest.raises(ValueError, match="folder: none given"):
        report([])


def test_scenarios_are_sections_of_their_own(tmp_path):
    for scenario in ("paper", "diurnal"):
        for seed in (0, 1):
            leave_run(tmp_path / f"{scenario}-{seed}", seed=seed, scenario=scenario)
    found = report(tmp_path)
    assert [(section.scenario, section.keys) for section in found.sections] == [("diurnal", ()), ("paper", ())]
    assert all(group.seeds == [0, 1] for section in found.sections for group in section.groups)
    assert "scenario diurnal" in found.text()
    assert "scenario paper" in found.text()
    assert [section.keys for section in report(tmp_path, ["scenario", "agent"]).sections] == [("agent",)] * 2


def test_of_one_seed_there_is_no_interval_and_that_is_said(tmp_path):
    leave_run(tmp_path / "run", seed=4)
    found = report(tmp_path)
    ((group,),) = [section.groups for section in found.sections]
    value = json.loads((tmp_path / "run" / "summary.json").read_text())["utility"]
    assert group.interval(FINAL).show(3) == f"{value:.3f}"
    assert group.seeds_shown == "1"
    assert f"{value:.3f} [" not in found.text()
    assert "<html" in found.html()


def test_runs_of_earlier_versions_are_in_the_same_group(tmp_path):
    """They have other names of files and keys, and lack keys of today: that tells them apart from nobody."""
    for seed in (0, 1):
        leave_run(tmp_path / str(seed), seed=seed)
    old = tmp_path / "1"
    (old / "rounds.csv").write_text((old / "episodes.csv").read_text().replace("episode", "round"))
    (old / "episodes.csv").unlink()
    summary = json.loads((old / "summary.json").read_text())
    summary["rounds_to_goal"] = summary.pop("episodes_to_goal")
    summary["config"].pop("decisions")
    (old / "summary.json").write_text(json.dumps(summary))
    (section,) = report(tmp_path).sections
    (group,) = section.groups
    assert group.seeds == [0, 1]
    assert all(len(run.episodes["utility"]) == 3 for run in group.runs)


def test_a_summary_without_a_configuration_and_a_status_of_tomorrow_are_named(tmp_path):
    leave_run(tmp_path / "good")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "summary.json").write_text('{"scenario": "paper"}')
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "status.json").write_text('{"state": "dreaming", "command": "train", "overrides": []}')
    leave_hydra(tmp_path / "new", config_of(seed=1), ["seed=1"])
    (tmp_path / "sweep.json").write_text('{"version": 9}')
    found = report(tmp_path)
    named = {entry.folder.name: (entry.state, entry.error) for entry in found.not_done}
    assert named.keys() == {"old", "new"}
    assert named["old"][0] == named["new"][0] == "unreadable"
    assert "another version wrote it" in named["old"][1]
    assert any("sweep.json" in note and "another version" in note for note in found.notes)
    (section,) = [section for section in found.sections if section.scenario == "paper-1mhz"]
    assert {group.seeds_shown for group in section.groups} == {"1 of 3"}  # of one of them nobody knows the seed


def test_a_run_that_is_there_twice_counts_once_and_is_said(tmp_path):
    leave_run(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    found = report([tmp_path, tmp_path / "one"])  # and a folder that is given twice is read once
    ((group,),) = [section.groups for section in found.sections]
    assert len(group.runs) == 1
    assert len(found.entries) == 2
    assert any("is there twice" in note and "one" in note and "two" in note for note in found.sections[0].notes)


def test_seeds_that_other_groups_have_are_missed(tmp_path):
    folders = leave_sweep(tmp_path, rates=(0.01,))
    (tmp_path / "sweep.json").unlink()
    shutil.rmtree(folders[0.01, "lstm", 1])
    (section,) = report(tmp_path).sections
    assert "twin lstm: no run of seed 1, which other groups have" in section.notes


def test_second_runs_in_the_folder_of_one_that_failed_are_missing_too(tmp_path):
    for seed in (0, 1):
        config = config_of(twin="lstm", seed=seed, without_twin=True, with_planner=True)
        overrides = ["without_twin=true", "with_planner=true", "twin=lstm", f"seed={seed}"]
        folder = tmp_path / str(seed)
        if seed:
            write_status_of_failure(folder, config, overrides)
        else:
            leave_run(folder, twin="lstm", config=config)
            leave_hydra(folder, config, overrides)
            leave_run(folder / "without_twin", config={**config, "twin": {"transition": None}})
            leave_run(folder / "planner", agent="planner", config={**config, "twin": {"transition": None}})
    (section,) = report(tmp_path).sections
    shown = {tuple(group.values.values()): group.seeds_shown for group in section.groups}
    assert section.keys == ("agent", "twin")
    assert shown == dict.fromkeys([("ddqn", "none"), ("ddqn", "lstm"), ("planner", "none")], "1 of 2")
    typed = {run.typed for group in section.groups for run in (*group.runs, *group.others)}
    assert typed == {
        f"python -m experiments.train without_twin=true with_planner=true twin=lstm seed={seed}" for seed in (0, 1)
    }


def write_status_of_failure(folder, config, overrides):
    leave_hydra(folder, config, overrides)
    write_status(folder, Status("failed", "train", tuple(overrides), "no memory"))


def test_runs_that_learned_from_a_history_are_a_section(tmp_path):
    leave_run(tmp_path / "train")
    folder = tmp_path / "offline"
    folder.mkdir()
    config = config_of(seed=3) | {"history": "random"}
    summary = {"scenario": "paper-1mhz", "agent": "ddqn", "twin": "none", "head": "dense", "seed": 3, "decisions": 500}
    figures = {"utility": 7.25, "utility_on_own_cell": None, "estimates": {"fitted_q": 7.5, "twin": None}}
    (folder / "offline.json").write_text(json.dumps({**summary, **figures, "cpu_seconds": 2.0, "config": config}))
    one, two = report(tmp_path).sections
    assert (one.command, two.command) == ("offline", "train")
    assert [measure.name for measure in one.measures] == ["utility_unseen", "fitted_q", "cpu_seconds"]
    assert one.in_common["history"] == "random"


def test_what_other_commands_leave_is_no_run(tmp_path):
    leave_run(tmp_path / "run")
    write_folder = tmp_path / "evaluate"
    write_folder.mkdir()
    write_status(write_folder, Status("failed", "evaluate", (), "no"))
    assert len(report(tmp_path).entries) == 1


def test_a_search_is_shown_with_its_best_trials_and_picture(tmp_path):
    leave_run(tmp_path / "run")
    for name in ("search", "begun"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "study.log").write_text("{}")
    values = [f"{number},COMPLETE,{7 + number / 100},1e-{number % 9}" for number in range(30)]
    (tmp_path / "search" / "study.csv").write_text(
        "\n".join(["trial,state,value,learning_rate", *values, "30,FAIL,,0.1"])
    )
    (tmp_path / "search" / "importances.csv").write_text("key,importance\nlearning_rate,1.0\n")
    (tmp_path / "search" / "study.png").write_bytes(b"PNG")
    found = report(tmp_path)
    (search,) = found.searches
    assert (search.number, search.picture, len(search.trials)) == (31, b"PNG", 25)
    assert [row[0] for row in search.trials[:2]] == ["29", "28"]
    assert any("begun" in note for note in found.notes)
    assert "31 trials" in found.text()
    assert "The best 25 of 31 trials" in found.html()


def test_regret_against_the_oracle_is_that_of_the_regret_figure(tmp_path):
    train(make_ddqn, SCENARIO, None, short_settings(220), tmp_path / "run", 1)
    leave_run(tmp_path / "made-up")  # which has no history, and says so
    found = report(tmp_path, oracle=True, progress=False)
    (note,) = found.notes
    assert "made-up" in note
    assert "has no history.npz" in note
    draw_regret(tmp_path / "run", tmp_path / "regret.png", progress=False)
    (row,) = [row for row in read_rows(tmp_path / "regret_paper-1mhz.csv") if row["method"] == "ddqn"]
    (entry,) = [entry for entry in found.entries if entry.folder.name == "run"]
    assert entry.summary["regret_oracle"] == pytest.approx(float(row["regret_oracle"]), abs=1e-5)
    assert "regret, oracle [U]" in found.text()
