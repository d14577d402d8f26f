"""A study end to end: trials in twins, stopped and gone on with, pruned, confirmed, and what it leaves."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict, replace

import pytest

from experiments.config.files import with_files
from experiments.config.hydra import check_overrides, register
from experiments.config.schemas import AgentSettings, EvaluationSettings
from experiments.report import report
from experiments.report.measures import FINAL
from experiments.runs.folder import read_run
from experiments.runs.stopping import Stopped
from experiments.search import Search, Settings, search, study_pictures
from experiments.search.run import read_search
from experiments.search.study import JOURNAL, Study, read_study
from experiments.search.trial import collect
from tests.helpers.full_disk import files_of_at_most
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import SCENARIO, SCHEMAS, composed, read_rows, twin_settings
from twin import History

AGENT = AgentSettings(
    name="ddqn", _target_="agents.DDQN", head="dense", net_arch=[16], learning_starts=20, learning_rate=1e-4
)
"""It hardly learns, so that something better is found."""
SPACE = {
    "agent.learning_rate": {"low": 1e-4, "high": 3e-2, "log": True},
    "agent.net_arch": {"choices": [[16], [8, 8]]},
}
SETTINGS = Settings(
    n_trials=7,
    decisions=80,
    collect=80,
    runs=1,
    evaluations=4,
    cells=4,
    cell_decisions=5,
    finalists=2,
    final_runs=1,
    confirm=[10, 11],
    evaluation=EvaluationSettings(policies=[], seeds=[100, 101], decisions=10),
)


def begin(folder, settings=SETTINGS, **changes):
    given = {"agent": AGENT, "space": SPACE, "scenario": SCENARIO, "twin": twin_settings(), "seed": 3, **changes}
    return Search(**given, settings=settings, folder=folder)


def trials_of(folder):
    return [(each.number, each.state.name, each.params, each.intermediate_values) for each in read_study(folder)[1]]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return begin(tmp_path_factory.mktemp("study")).run()


def test_trials_take_no_real_decision_but_those_that_the_twins_are_fitted_to(found):
    history = History.load(found.folder / "history.npz")
    assert len(history) == SETTINGS.collect
    assert len(list((found.folder / "confirm").iterdir())) == 2 * len(SETTINGS.confirm)
    assert found.num_trials == SETTINGS.n_trials == len(trials_of(found.folder))


def test_the_defaults_are_the_first_trial(found):
    number, state, params, steps = trials_of(found.folder)[0]
    assert (number, state, params) == (0, "COMPLETE", {"agent.learning_rate": 1e-4, "agent.net_arch": "[16]"})
    assert sorted(steps) == [1, 2, 3, 4]
    assert found.candidates[0].in_trial == pytest.approx(steps[4])


def test_a_study_that_was_stopped_goes_on_as_if_nothing_had_been(found, tmp_path):
    made = begin(tmp_path, replace(SETTINGS, confirm=[]))
    whole, run = Study.run, 0

    def stop_in_the_fourth(self, number, objective):
        def counted(values, evaluated):
            nonlocal run
            run += 1
            if run == 4:
                raise KeyboardInterrupt
            return objective(values, evaluated)

        whole(self, number, counted)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Study, "run", stop_in_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            made.run()
    before = {path: path.read_bytes() for path in tmp_path.glob("*twin.safetensors")}
    again = begin(tmp_path, replace(SETTINGS, confirm=[]), resume=True).run()
    assert [each[1:] for each in trials_of(tmp_path)] == [each[1:] for each in trials_of(found.folder)]
    assert [each[2:] for each in again.candidates] == [each[2:] for each in found.candidates]
    assert {path: path.read_bytes() for path in before} == before


def test_a_finished_study_goes_on_with_more_trials(found, tmp_path):
    begin(tmp_path, replace(SETTINGS, n_trials=2, confirm=[])).run()
    begin(tmp_path, replace(SETTINGS, n_trials=3, confirm=[]), resume=True).run()
    assert trials_of(tmp_path) == trials_of(found.folder)[:3]


def test_bad_trials_are_pruned_by_what_the_twin_says(tmp_path):
    study = Study(tmp_path, begin(tmp_path / "any").space, 0, True, 2)
    reached = []

    def objective(_, evaluated):
        worth = 1.0 if len(reached) < 6 else 0.0
        reached.append(0)
        for step in range(1, 5):
            reached[-1] = step
            evaluated(step, worth)
        return worth

    study.run(8, objective)
    assert reached == [4] * 6 + [3] * 2  # after the warm-up
    assert [each.state.name for each in study.trials] == ["COMPLETE"] * 6 + ["PRUNED"] * 2


@pytest.mark.parametrize("failure", [ValueError("no number"), FileNotFoundError("weights.pt")])
def test_a_trial_that_fails_stops_no_other(tmp_path, failure):
    study = Study(tmp_path, begin(tmp_path / "any").space, 0, False, 0)

    def objective(values, _):
        if len(study.trials) == 2:
            raise failure
        return values["agent.learning_rate"]

    study.run(4, objective)
    assert [each.state.name for each in study.trials] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert study.trials[1].user_attrs["error"] == f"{type(failure).__name__}: {failure}"


def test_a_signal_that_became_an_error_ends_the_search(tmp_path):
    study = Study(tmp_path, begin(tmp_path / "any").space, 0, False, 0)

    def objective(*_):
        try:
            raise Stopped(signal.SIGTERM)
        except Stopped:
            raise RuntimeError("the library cannot go on") from None

    with pytest.raises(Stopped):
        study.run(4, objective)
    assert study.trials == []  # it counts for nothing


def test_a_full_disk_ends_a_study_which_goes_on_once_there_is_room(tmp_path):
    study, journal = Study(tmp_path, begin(tmp_path / "any").space, 0, False, 0), tmp_path / JOURNAL

    def objective(values, evaluated):
        if len(study.trials) == 2:
            with files_of_at_most(journal.stat().st_size + 20):
                evaluated(1, 0.5)
        return values["agent.learning_rate"]

    with pytest.raises(OSError, match=r"File too large: '.*study\.log'$"):
        study.run(4, objective)
    assert not journal.read_text().endswith("\n"), "nothing was written halfway, so that this test shows nothing"
    assert [each.state.name for each in read_study(tmp_path)[1]] == ["COMPLETE", "RUNNING"]
    again = Study(tmp_path, begin(tmp_path / "any").space, 0, False, 0)
    again.begin(None)
    again.run(4, lambda values, _: values["agent.learning_rate"])
    assert [each.state.name for each in read_study(tmp_path)[1]] == ["COMPLETE"] * 4
    assert all(json.loads(line) for line in journal.read_text().splitlines())


def test_a_damaged_journal_is_named_before_anything_is_done(tmp_path):
    (tmp_path / "study.json").write_text(json.dumps(begin(tmp_path).configuration))
    for content in ("{\n{}", "7", '{"op_code": 0}', "\x00\n{}"):
        (tmp_path / JOURNAL).write_text(f"{content}\n")
        with pytest.raises(ValueError, match=r"^folder: '.*study\.log' is no journal of a study, or is damaged \("):
            begin(tmp_path, resume=True)


def test_the_winner_is_confirmed_on_the_same_cells_as_the_defaults(found):
    assert found.winner.in_final == max(each.in_final for each in found.candidates)
    assert found.winner.label != "defaults", "the defaults hardly learn"
    assert [row["seed"] for row in found.confirmation] == [10, 11]
    label = found.winner.label
    for row in found.confirmation:
        for method, name in (("defaults", "defaults"), ("found", f"trial{label}")):
            run = read_run(found.folder / "confirm" / f"{name}_seed{row['seed']}")
            assert run.summary["utility"] == row[method]["utility"]
            assert run.summary["decisions"] == SETTINGS.decisions
    gained = [row["found"]["utility"] - row["defaults"]["utility"] for row in found.confirmation]
    assert f"{sum(gained) / 2:.3f} ± " in found.report()
    assert json.loads((found.folder / "search.json").read_text())["winner"] == label


def test_its_file_is_a_choice_of_agent_for_every_command(found):
    for command in ("train", "offline"):
        register(command, SCHEMAS[command])
        (argument,) = with_files(command, [f"agent={found.agent_file}"])
        assert argument == "agent=ddqn_found"
        check_overrides(command, [argument])
        agent = composed(command, argument).agent
        assert agent.name == "ddqn_found"
        for key, value in found.winner.values.items():
            assert getattr(agent, key.removeprefix("agent.")) == value
        assert asdict(agent) | {"name": "ddqn", "learning_rate": 1e-4, "net_arch": [16]} == asdict(AGENT)


def test_several_processes_share_a_study(found, tmp_path):
    settings = replace(SETTINGS, n_trials=3, workers=2, finalists=1, confirm=[])
    result = begin(tmp_path, settings).run()
    assert [each.state.name for each in read_study(tmp_path)[1]].count("FAIL") == 0
    assert result.num_trials == 3
    assert trials_of(tmp_path)[0] == trials_of(found.folder)[0]
    assert {path.name for path in (tmp_path / "workers").iterdir()} >= {"0", "1"}


def test_pictures_and_tables_have_every_trial(found):
    paths = study_pictures(found.folder)
    assert [path.name for path in paths] == ["study.csv", "importances.csv", "study.png"]
    rows = read_rows(paths[0])
    assert [int(row["trial"]) for row in rows] == list(range(SETTINGS.n_trials))
    assert float(rows[0]["value"]) == pytest.approx(found.candidates[0].in_trial, abs=1e-6)
    shares = {row["key"]: float(row["importance"]) for row in read_rows(paths[1])}
    assert shares.keys() == SPACE.keys()
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-3)


def test_a_report_shows_it_and_compares_winner_and_defaults(found):
    study_pictures(found.folder)
    whole = report(found.folder)
    (shown,), (section,) = whole.searches, whole.sections
    assert shown.number == SETTINGS.n_trials
    assert shown.picture is not None
    own = [each.value for each in read_study(found.folder)[1] if each.state.name == "COMPLETE"]
    assert float(shown.trials[0][shown.header.index("value")]) == pytest.approx(max(own), abs=1e-6)
    assert [(group.values["agent"], group.seeds) for group in section.groups] == [
        ("ddqn", [10, 11]),
        ("ddqn_found", [10, 11]),
    ]
    (difference,) = [each for each in section.differences if each.measure is FINAL]
    gained = [row["found"]["utility"] - row["defaults"]["utility"] for row in found.confirmation]
    assert difference.difference.value == pytest.approx(sum(gained) / 2)


def test_a_planner_may_collect():
    history = collect(SCENARIO, replace(SETTINGS, collect_by="planner"), 0)
    assert len(history) == SETTINGS.collect


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {**SPACE, "agent.net_arch": {"choices": [[16], [8]]}}}, r"space.agent.net_arch.choices: .* there"),
        ({"seed": 4}, "seed: 3 there, 4 given"),
        ({"settings": replace(SETTINGS, decisions=100)}, "decisions: 80 there, 100 given"),
        (
            {"settings": replace(SETTINGS, evaluation=EvaluationSettings(policies=[], seeds=[200, 201], decisions=10))},
            r"evaluation.seeds\S*: .* there, .* given",
        ),
    ],
)
def test_a_study_that_changed_is_refused(found, changes, message):
    with pytest.raises(ValueError, match=f"resume: the run in .* has another configuration:(.|\n)*{message}"):
        begin(found.folder, **{"resume": True, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": replace(SETTINGS, n_trials=0)}, "n_trials: 0 given"),
        ({"settings": replace(SETTINGS, collect_by="plannr")}, "collect_by: unknown name 'plannr'"),
        ({"settings": replace(SETTINGS, confirm=[3])}, "confirm: 3 given, the cell that the twins are fitted to"),
        ({"settings": replace(SETTINGS, confirm=[100])}, "100"),
        ({"name": "ddqn"}, "name: 'ddqn' given"),
        ({"space": {"agent.gama": {"low": 0.1, "high": 0.2}}}, "did you mean 'agent.gamma'"),
        ({"agent": AgentSettings(name="planner", _target_="agents.Planner")}, "agent: the planner"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        begin(tmp_path, **changes)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_a_study_is_not_written_over(found):
    with pytest.raises(ValueError, match="has a study already; resume=auto goes on with it"):
        search(AGENT, SPACE, SCENARIO, twin_settings(), SETTINGS, folder=found.folder, seed=3)
    assert read_search(found.folder).configuration == begin(found.folder, resume=True).configuration


def test_a_folder_without_a_study_has_no_pictures(tmp_path):
    with pytest.raises(ValueError, match=r"folder: .* has no study"):
        study_pictures(tmp_path)
