"""Which runs a report finds, and folders that are unusual: empty, of earlier versions, of several scenarios, copies."""

from __future__ import annotations

import json
import shlex
import shutil

import pytest

from experiments.regret import draw_regret
from experiments.report import report
from experiments.report.measures import FINAL
from experiments.runs.status import Status, write_status
from experiments.search import study_pictures
from experiments.search.space import Choices, Range
from experiments.search.study import Study
from experiments.train import train
from slicing_gym import get_scenario
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


@pytest.mark.parametrize(("name", "is_called"), [("mine", "mine"), ("at-${agent.learning_rate}", "at-0.001")])
def test_runs_that_wait_are_of_the_scenario_and_agent_whose_names_were_typed(name, is_called, tmp_path):
    """Of one that waits, or is named by the sweep alone, nothing else is known; of one that runs names as typed."""
    names = ("scenario=diurnal", f"scenario.name={name}", f"agent.name={name}", "agent.learning_rate=0.001")
    typed = [(f"seed={seed}", *names) for seed in range(4)]
    scenario = get_scenario("diurnal").replace(name=is_called).to_dict()
    config = {**config_of(agent=is_called), "scenario": scenario}
    leave_run(tmp_path / "0", scenario=is_called, agent=is_called, config=config)
    write_status(tmp_path / "0", Status("done", "train", typed[0]))
    as_typed = {"agent": {**config["agent"], "name": name}, "scenario": {**scenario, "name": name}, "seed": 1}
    leave_hydra(tmp_path / "1", {**config, **as_typed}, list(typed[1]))
    write_status(tmp_path / "1", Status("running", "train", typed[1]))
    write_status(tmp_path / "2", Status("queued", "train", typed[2]))
    jobs = [{"number": seed, "overrides": own, "folder": str(seed)} for seed, own in enumerate(typed)]
    sweep = {"command": "train", "arguments": ["-m", "seed=0,1,2,3"], "swept": ["seed"], "jobs": jobs}
    (tmp_path / "sweep.json").write_text(json.dumps(sweep))
    (section,) = report(tmp_path).sections
    assert (section.scenario, section.in_common["agent"]) == (is_called, is_called)
    assert [group.seeds_shown for group in section.groups] == ["1 of 4"]


def test_of_one_seed_there_is_no_interval_and_that_is_said(tmp_path):
    leave_run(tmp_path / "run", seed=4)
    found = report(tmp_path)
    ((group,),) = [section.groups for section in found.sections]
    value = json.loads((tmp_path / "run" / "summary.json").read_text())["utility"]
    assert group.interval(FINAL).show(3) == f"{value:.3f}"
    assert group.seeds_shown == "1"
    assert f"{value:.3f} [" not in found.text()
    assert "<html" in found.html()


def test_a_run_whose_sweep_ended_before_its_turn_never_began(tmp_path):
    leave_run(tmp_path / "done")
    for state in ("queued", "running"):
        write_status(tmp_path / state, Status(state, "train"))
    said = {entry.folder.name: (entry.state, entry.error) for entry in report(tmp_path).not_done}
    assert said["queued"] == ("dead", "its sweep ended before it began; with resume=auto it is run")
    assert said["running"][1].startswith("nobody runs it any more")


@pytest.mark.parametrize("flags", [["--config-dir", "mine"], ["--config-dir=mine"], ["-cd", "mine"]])
def test_the_command_of_a_run_says_where_its_choices_are(flags, tmp_path):
    (folder, *_) = leave_sweep(tmp_path, rates=[0.001], twins=["none"], seeds=[0]).values()
    assert report(tmp_path).entries[0].typed.startswith("python -m experiments.train +experiment=debug ")
    whole = json.loads((tmp_path / "sweep.json").read_text())
    (tmp_path / "sweep.json").write_text(json.dumps({**whole, "arguments": [*flags, *whole["arguments"]]}))
    (entry,) = report(tmp_path).entries
    assert entry.folder.name == folder.name
    assert entry.typed.startswith("python -m experiments.train --config-dir mine +experiment=debug ")


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
    (tmp_path / "new" / "status.json").write_text('{"state": "sleeping", "command": "train", "overrides": []}')
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


def test_the_run_without_a_twin_and_the_same_one_of_a_sweep_count_once(tmp_path):
    """They differ in keys alone that change no result."""
    for seed in (0, 1):
        beside = config_of(twin="lstm", seed=seed, without_twin=True, progress=False)
        leave_run(tmp_path / f"lstm-{seed}", twin="lstm", seed=seed, config=beside)
        leave_run(
            tmp_path / f"lstm-{seed}" / "without_twin", seed=seed, config={**beside, "twin": {"transition": None}}
        )
    leave_run(tmp_path / "none-1", seed=1, config=config_of(seed=1, progress=True))
    (section,) = report(tmp_path).sections
    shown = {group.values["twin"]: (group.seeds_shown, len(group.runs)) for group in section.groups}
    assert shown == {"none": ("2", 2), "lstm": ("2", 2)}
    assert sum("is there twice" in note for note in section.notes) == 1


def test_the_seed_of_an_agent_that_was_made_in_python_makes_no_group(tmp_path):
    for seed in (0, 1):
        agent = {"class": "agents.DDQN", "arguments": {"seed": seed, "gamma": 0.5}}
        leave_run(tmp_path / str(seed), seed=seed, config={**config_of(seed=seed), "agent": agent})
    ((group,),) = [section.groups for section in report(tmp_path).sections]
    assert group.seeds == [0, 1]
    agent["arguments"]["seed"] = 7  # other weights on the same cell: not the same run
    leave_run(tmp_path / "other", seed=1, config={**config_of(seed=1), "agent": agent})
    ((group,),) = [section.groups for section in report(tmp_path).sections]
    assert (group.seeds, len(group.runs)) == ([0, 1], 3)


@pytest.mark.parametrize("content", ["{", '{"state": "done", "command": "train", "overrides": [3], "seconds": "x"}'])
def test_a_run_that_failed_after_its_figures_keeps_them_and_is_named(tmp_path, content):
    leave_run(tmp_path / "run")
    write_status(tmp_path / "run", Status("failed", "train", (), "no room for a picture", "Traceback"))
    leave_run(tmp_path / "other", seed=1)
    (tmp_path / "other" / "status.json").write_text(content)
    found = report(tmp_path)
    ((group,),) = [section.groups for section in found.sections]
    assert group.seeds == [0, 1]
    notes = {note for note in found.sections[0].notes if note.startswith(str(tmp_path))}
    assert f"{tmp_path / 'run'}: its figures count, but its state is failed (no room for a picture)" in notes
    assert any("other" in note and "is no status of a run" in note for note in notes)
    assert len(notes) == 2
    assert "no room for a picture" in found.text()
    assert "no room for a picture" in found.html()


def test_batches_of_several_sizes_are_not_compared_by_episodes_unsaid(tmp_path):
    for number in (1, 64):
        leave_run(tmp_path / str(number), config=config_of(num_envs=number))
    (section,) = report(tmp_path).sections
    assert section.keys == ("num_envs",)
    assert any("episodes to the goal are not comparable between num_envs of 1, 64" in each for each in section.notes)
    (section,) = report(tmp_path / "64").sections
    assert section.notes == ()


def test_the_command_of_a_run_can_be_pasted_into_a_shell(tmp_path):
    overrides = ["agent.name='a b'", "agent.net_arch=[16,8]", "+env={a: 1}", "~x", "name=it's", "seed=1"]
    leave_run(tmp_path / "run")
    write_status(tmp_path / "run", Status("done", "train", tuple(overrides)))
    (entry,) = report(tmp_path).entries
    assert shlex.split(entry.typed) == ["python", "-m", "experiments.train", *overrides]


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


def leave_study(folder, trials):
    """A study as a search leaves it: trials with a value, one that was pruned, one that failed."""
    space = {"agent.learning_rate": Range(1e-4, 1e-1, log=True), "agent.net_arch": Choices(([16], [8, 8]))}
    study = Study(folder, space, 0, True, 0)

    def objective(_, evaluated):
        number = len(study.trials) - 1
        if number == trials:
            evaluated(1, 0.0)
        if number == trials + 1:
            raise ValueError("no number")
        evaluated(1, 7 + number / 100)
        return 7 + number / 100

    study.run(trials + 2, objective)
    study_pictures(folder)


def test_a_search_is_shown_with_its_best_trials_and_picture(tmp_path):
    leave_run(tmp_path / "search" / "confirm" / "defaults_seed0")
    leave_study(tmp_path / "search", 30)
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "study.log").write_text("{}")
    found = report(tmp_path)
    (search,) = found.searches
    assert (search.number, len(search.trials)) == (32, 25)
    assert search.picture == (tmp_path / "search" / "study.png").read_bytes()
    rows = [dict(zip(search.header, row, strict=True)) for row in search.trials]
    assert [row["trial"] for row in rows[:2]] == ["29", "28"]
    assert {row["state"] for row in rows} == {"complete"}
    assert {key for key, _ in search.importances} == {"agent.learning_rate", "agent.net_arch"}
    assert any("begun" in note for note in found.notes)
    assert "32 trials" in found.text()
    assert "The best 25 of 32 trials" in found.html()
    assert [entry.folder.name for entry in found.entries] == ["defaults_seed0"]


def test_a_search_without_runs_on_the_simulator_is_a_report(tmp_path):
    leave_study(tmp_path / "search", 4)
    found = report(tmp_path)
    assert found.counts == "no runs"
    assert "6 trials" in found.text()
    assert {path.suffix for path in found.write(tmp_path / "report")} == {".html", ".md", ".tex", ".csv"}


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
    own = entry.episodes
    lost = own["decisions"] * (own["best_fixed_utility"] - own["utility"])  # 200 decisions, then 20
    assert lost.sum() == pytest.approx(entry.summary["regret"], abs=1e-3)
    assert own["best_fixed_reward_at_c_max"].shape == (2,)
