"""How far a twin can be trusted, from Python: simulated cells, a history, and what is refused."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from experiments import calibration
from experiments.fidelity import Settings, fidelity
from experiments.fidelity.evaluation import split, utility_terms
from experiments.fidelity.measures import MORE_UNITS
from experiments.fidelity.verdict import ANSWERS
from experiments.reporting.statistics import Estimate
from slicing_gym.reward import utility
from tests.helpers.twins import ENSEMBLE, JOINT, SMALL, cold_twin, history_of
from twin import DigitalTwin, History, TrainingSettings

QUICK = Settings(
    seeds=[3, 4],
    decisions=400,
    held_out_runs=9,  # more than there are moments to rank allocations from
    run_length=30,
    copies=8,
    allocations=8,
    policies=["hard"],
    tree=False,
    threads=1,
    progress=False,
)


def unfitted():
    return DigitalTwin(SMALL["lstm"], ENSEMBLE, TrainingSettings(max_epochs=2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fidelity")


@pytest.fixture(scope="module")
def result(folder):
    return fidelity(unfitted(), "paper-1mhz", QUICK, folder)


def test_every_cell_has_a_twin_with_its_figures(result):
    assert len(result.outcomes) == result.parts == 2
    keys = [{measure.key for measure in outcome.measures} for outcome in result.outcomes]
    assert set(result.figures) == keys[0] == keys[1]
    values = [
        next(each.value for each in outcome.measures if each.key == ("CRPS", "arrivals_video", "twin"))
        for outcome in result.outcomes
    ]
    assert values[0] != values[1]
    assert result.figures["CRPS", "arrivals_video", "twin"].mean == pytest.approx(np.mean(values))
    assert result.figures["CRPS / noise floor's", "state", "noise_floor"].mean == pytest.approx(1.0)
    assert np.isfinite(result.figures["rank correlation", "8 allocations", "twin"].mean)
    gap, utility = (
        result.figures["|U twin - U cell|", "hard", "twin"],
        result.figures["U in the cell", "hard", "noise_floor"],
    )
    assert gap.mean >= 0.0
    assert 4.0 < utility.mean < 9.0
    assert ("skill", "arrivals_video", "tree") not in result.figures


def test_its_report_begins_with_a_verdict_and_has_a_row_a_figure_and_a_column_a_predictor(result):
    title, *rest = result.report().splitlines()
    assert title.startswith("scenario paper-1mhz: 400 random decisions a cell, seeds [3, 4]; held out: 9 runs of 30")
    header = next(line for line in rest if line.startswith("metric"))
    assert header.split() == ["metric", "of", "twin", "persistence", "climatology", "noise", "floor"]
    assert rest[0].startswith("verdict")
    above, table = rest[: rest.index(header)], rest[rest.index(header) + 2 :]
    metrics = [line[:22].strip() for line in table]
    assert metrics[0] == "CRPS / noise floor's"
    assert any(line.startswith("CRPS ") and " arrivals_video [packets] " in line for line in table)
    assert metrics[-1] == "fit [s]"
    assert len(metrics) == len({key[:2] for key in result.figures})
    for verdict in result.verdicts:
        assert f"  {verdict.use}: {verdict.answer}" in above
    assert result.verdicts[-1].use == "the SSR of urllc"
    assert all(each.answer in ANSWERS and each.reasons for each in result.verdicts)


@pytest.mark.parametrize(
    ("tried", "advice"),
    [
        ("", ["twin.performance.prior_scale=0, then with twin.performance.structure=per_slice"]),
        ("; joint with prior_scale=0 was tried, too, and loses", ["twin.performance.structure=per_slice"]),
        (", and so does joint with prior_scale=0", ["twin.performance.structure=per_slice"]),
        (", and so does per_slice, and so does joint with prior_scale=0", []),
    ],
)
def test_what_the_fit_has_tried_in_vain_is_no_advice(tried, advice, result):
    figures = {**result.figures, (f"{MORE_UNITS}: held", "video", "twin"): Estimate(0.9, float("nan"))}
    twin = DigitalTwin.from_bytes(result.outcomes[0].twin.to_bytes())
    twin.report = replace(result.outcomes[0].twin.report, notes=(f"performance: joint; it contradicts physics{tried}",))
    outcomes = [replace(result.outcomes[0], twin=twin)]
    report = replace(result, history=history_of("paper-1mhz"), figures=figures, outcomes=outcomes).report()
    assert re.findall("networks contradict physics here: fit the twin with (.*)\n", report) == advice


@pytest.mark.parametrize(("share", "structure", "said"), [(0.9, "joint", 1), (0.9, "per_slice", 0), (0.4, "joint", 0)])
def test_networks_that_contradict_physics_are_told_what_else_to_try(share, structure, said, result):
    figures = {**result.figures, (f"{MORE_UNITS}: held", "video", "twin"): Estimate(share, float("nan"))}
    history = history_of("paper-1mhz")
    twin = result.outcomes[0].twin if structure == "joint" else cold_twin(history)
    outcomes = [replace(result.outcomes[0], twin=twin)]
    notes = "networks contradict physics here: fit the twin with (.*)twin.performance.structure=per_slice\n"
    report = replace(result, history=history, figures=figures, outcomes=outcomes).report()
    found = re.findall(notes, report)
    assert found == ["twin.performance.prior_scale=0, then with "] * said
    first = next(number for number, line in enumerate(report.splitlines()) if line.startswith("verdict"))
    assert report.splitlines()[first + 1].startswith("  networks contradict physics here") == bool(said)


def test_the_terms_of_the_utility_share_its_variance():
    history = history_of("paper-1mhz")
    found = utility_terms(history)
    assert list(found) == ["spectral_efficiency", "ssr_volte", "ssr_video", "ssr_urllc"]
    whole = utility(history.scenario, history.spectral_efficiency, history.ssr)
    rest = whole - history.scenario.reward.se_weight * history.spectral_efficiency
    assert found["spectral_efficiency"] == pytest.approx(1.0 - rest.var() / whole.var())
    much = {**history.performance, "spectral_efficiency": 1e5 * history.spectral_efficiency}
    assert utility_terms(replace(history, performance=much))["spectral_efficiency"] > 0.999


def test_its_folder_has_figures_picture_and_twins(result, folder):
    assert {path.name for path in folder.iterdir()} == {
        "fidelity.csv",
        "fidelity.txt",
        "fidelity.png",
        "uncertainty.png",
        "twin_3.safetensors",
        "twin_3.card.md",
        "twin_4.safetensors",
        "twin_4.card.md",
    }
    card = (folder / "twin_4.card.md").read_text()
    assert all(f"| {each} |" in card for each in ("What", "Of", "Data", "Fidelity", "Seed", "Licence", "File"))
    assert sha256((folder / "twin_4.safetensors").read_bytes()).hexdigest() in card
    with (folder / "fidelity.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["scenario"] for row in rows} == {"paper-1mhz"}
    for row, (key, value) in zip(rows, result.figures.items(), strict=True):
        assert (row["metric"], row["variable"], row["predictor"]) == key
        np.testing.assert_allclose(float(row["mean"]), value.mean, rtol=1e-5)
    assert (folder / "fidelity.txt").read_text() == result.report() + "\n"
    assert (folder / "fidelity.png").read_bytes().startswith(b"\x89PNG")
    stored, history = DigitalTwin.load(folder / "twin_4.safetensors"), history_of("paper-1mhz")
    expected = result.outcomes[1].twin.predict(history).expected
    np.testing.assert_array_equal(stored.predict(history).expected, expected)


def test_a_history_is_split_into_runs_to_fit_to_and_runs_to_evaluate_on(tmp_path):
    twin, history = unfitted(), history_of("paper-1mhz")
    settings = replace(QUICK, held_out_runs=1, horizon=30, tree=True)
    result = fidelity(twin, history=history, settings=settings, folder=tmp_path / "out")
    assert result.report().startswith("history of paper-1mhz: 400 decisions in 2 runs; held out: the last 1;")
    assert {key[2] for key in result.figures} == {"twin", "tree", "persistence", "climatology"}
    value = result.figures["CRPS", "arrivals_urllc", "twin"]
    assert 0.0 < value.half_width < value.mean
    assert np.isnan(result.figures["CRPS 20 ahead", "arrivals_urllc", "twin"].half_width)
    past, _ = history.split_by_run(last=1)
    np.testing.assert_array_equal(
        result.outcomes[0].twin.predict(history).expected, unfitted().fit(past).predict(history).expected
    )
    files = {"fidelity.csv", "fidelity.txt", "fidelity.png", "twin.safetensors", "twin.card.md", "history.npz"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == files
    assert set(result.files) == files - {"twin.card.md"}
    assert len(History.load(tmp_path / "out" / "history.npz")) == 400  # all of it, for agents that learn offline
    held = DigitalTwin.load(tmp_path / "out" / "twin.safetensors").model.coverage.ends
    units = zip(history.scenario.slice_names, held.tolist(), strict=True)
    verdict = ", ".join(f"{name} {low} to {high}" for name, (low, high) in units)
    assert f"within the units that the fit held: {verdict}. The fit saw nothing beyond" in result.report()
    assert result.parts == 8  # blocks of 25 of the 200 that were held out
    with pytest.raises(ValueError, match="it was not fitted"):
        twin.model  # noqa: B018  # the twin that was given has settings, and is left as it was


def test_what_was_fitted_is_kept_where_what_comes_after_fails(tmp_path):
    history = history_of("paper-1mhz").take(slice(0, 200))
    (tmp_path / "fidelity.csv").mkdir()
    with pytest.raises(OSError, match=r"fidelity\.csv"):
        fidelity(DigitalTwin("autoregressive"), history=history, settings=QUICK, folder=tmp_path)
    past, _ = split(history, QUICK.held_out_runs)
    stored = DigitalTwin.load(tmp_path / "twin.safetensors")
    expected = DigitalTwin("autoregressive").fit(past).predict(past).expected
    np.testing.assert_array_equal(stored.predict(past).expected, expected)
    assert len(History.load(tmp_path / "history.npz")) == 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": []}, "seeds: none given"),
        ({"seeds": [1, 1]}, r"seeds: \[1, 1\] given, allowed are different ones"),
        ({"run_length": 10}, "run_length: 10 given, allowed is 18 to "),
        ({"decisions": 7}, "decisions: 7 given, allowed is 8 to "),
        ({"copies": 1}, "copies: 1 given, allowed is 2 to "),
        ({"allocations": 2}, "allocations: 2 given, allowed is 3 to "),
        ({"policies": ["one_step_oracle"]}, "policies: unknown name 'one_step_oracle'"),
        ({"policies": ["clairvoyant"]}, "policies: 'clairvoyant' was renamed; write 'one_step_oracle'"),
        ({"threads": 0}, "threads: 0 given"),
        ({"tree": 1}, "tree: 1 given, allowed is true or false"),
    ],
)
def test_wrong_settings_are_refused(changes, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        fidelity(settings=replace(QUICK, **changes))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"twin": "gru"}, "transition: unknown name 'gru'"),
        ({"twin": None}, "transition: None"),
        ({"scenario": "papper"}, "scenario: unknown name 'papper'; did you mean 'paper'"),
        ({"settings": {}}, "settings: {} given, allowed is Settings"),
        ({"settings": calibration.Settings()}, r"settings: .* given, allowed is Settings"),
        ({"history": "log.csv"}, "history: 'log.csv' given, allowed is History"),
        (
            {"history": history_of("paper-1mhz").take(slice(180, 220))},
            "held_out_runs: 9 given, the history has 2 runs; that leaves 20 decisions to fit to and at most 10 in a",
        ),
        (
            {
                "history": history_of("paper-1mhz").take(slice(150, 260)),
                "settings": replace(QUICK, held_out_runs=1),
                "twin": DigitalTwin("lstm", JOINT),
            },
            "held_out_runs: 1 given, the history has 2 runs; that leaves 50 decisions to fit to and at most 60 in a",
        ),
    ],
    ids=[
        "unknown twin",
        "no twin",
        "scenario",
        "no settings",
        "other settings",
        "no history",
        "few runs",
        "few decisions",
    ],
)
def test_what_cannot_be_evaluated_is_refused(given, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        fidelity(**{"settings": QUICK, **given})


def test_a_history_of_few_runs_is_split_by_time():
    """A fifth of each run is held out; more of short ones, so that a window and what follows it fit in."""
    history = history_of("paper-1mhz")
    for part, lengths in (
        (history, (40, 40)),
        (history.take(slice(0, 200)), (40,)),
        (history.take(slice(0, 60)), (18,)),
    ):
        past, held_out = split(part, 5)
        assert len(past) + len(held_out) == len(part)
        assert tuple(np.unique(held_out.run, return_counts=True)[1]) == lengths
        for run in part.runs:
            assert past.interval[past.run == run].max() < held_out.interval[held_out.run == run].min()
    result = fidelity(DigitalTwin("autoregressive"), history=history.take(slice(0, 200)), settings=QUICK)
    first = result.report().partition("\n")[0]
    assert "200 decisions in 1 run; held out: the last decisions of each run, 40 in all;" in first
