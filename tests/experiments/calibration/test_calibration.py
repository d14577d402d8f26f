"""A twin after the traffic has changed: from Python, and by its command."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import asdict, astuple, replace

import numpy as np
import pytest
import torch

from experiments.calibration import METRICS, Settings, calibration
from experiments.calibration.__main__ import prepare
from experiments.calibration.settings import CalibrationConfig
from slicing_gym import get_scenario
from tests.helpers.commands import configured, yaml_defaults
from tests.helpers.twins import ENSEMBLE, SMALL
from twin import DigitalTwin, TrainingSettings

QUICK = Settings(seeds=[0, 1], decisions=200, fresh=[64, 100], held_out_runs=1, copies=4, threads=1, progress=False)
BEFORE = get_scenario("paper-1mhz")
AFTER = BEFORE.replace(slices={"volte": {"traffic": {"interarrival_s": {"kind": "uniform", "low": 0.0, "high": 0.08}}}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("calibration")


@pytest.fixture(scope="module")
def result(folder):
    twin = DigitalTwin(SMALL["lstm"], ENSEMBLE, TrainingSettings(max_epochs=5))
    before = torch.get_num_threads()
    result = calibration(twin, "paper-1mhz", replace(QUICK, torch_threads=before + 1), folder, changed=AFTER)
    assert torch.get_num_threads() == before
    return result


def test_each_cell_has_a_stale_twin_and_two_for_each_number_of_fresh_decisions(result):
    wanted = [("stale", 0)]
    wanted += [(name, number) for number in (64, 100) for name in ("calibrated", "fitted from scratch")]
    assert [(each.seed, each.twin, each.fresh) for each in result.trials] == [(s, *w) for s in (0, 1) for w in wanted]
    assert [(each.twin, each.fresh) for each in result.summary] == wanted
    for summary in result.summary:
        cells = [each for each in result.trials if (each.twin, each.fresh) == (summary.twin, summary.fresh)]
        for metric in METRICS:
            assert summary.estimates[metric].mean == pytest.approx(np.mean([getattr(each, metric) for each in cells]))


def test_a_twin_that_is_not_calibrated_is_seen_to_be_stale(result):
    for seed in (0, 1):
        stale, *others = (each for each in result.trials if each.seed == seed)
        assert stale.seconds == 0.0
        for each in others:
            assert each.seconds > 0.0
            assert each.state_crps < 0.8 * stale.state_crps


def test_its_report_and_its_folder_say_the_same(result, folder):
    title, header, _, *rows = result.report().splitlines()
    assert title == "scenario paper-1mhz before, changed after; seeds [0, 1], ± 95 % interval over cells"
    assert all(label in header for label in METRICS.values())
    assert len(rows) == 5
    with (folder / "calibration.csv").open() as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == ["seed", "twin", "fresh", *METRICS]
    for row, trial in zip(found, result.trials, strict=True):
        assert (int(row["seed"]), row["twin"], int(row["fresh"])) == astuple(trial)[:3]
        for metric in METRICS:
            assert float(row[metric]) == pytest.approx(getattr(trial, metric), rel=1e-5)
    assert (folder / "calibration.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fresh": [10]}, "fresh: 10 given, allowed is 64 to "),
        ({"fresh": []}, "fresh: none given"),
        ({"fresh": [100, 100]}, "fresh: .* allowed are different ones"),
        ({"seeds": [-1]}, "seeds: -1 given"),
        ({"decisions": 7}, "decisions: 7 given, allowed is 8 to "),
        ({"copies": 1}, "copies: 1 given, allowed is 2 to "),
    ],
)
def test_wrong_settings_are_refused(changes, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        calibration("lstm", BEFORE, replace(QUICK, **changes), changed=AFTER)


def test_settings_of_something_else_are_refused():
    with pytest.raises(TypeError, match=r"^settings: \{\} given, allowed is Settings"):
        calibration(settings={}, changed="paper")


def test_a_change_of_slices_or_units_is_refused():
    with pytest.raises(ValueError, match="changed: num_units 100 given, allowed is what it was before the change: 20"):
        calibration("lstm", BEFORE, QUICK, changed="paper")
    with pytest.raises(ValueError, match=r"changed: slice_names \('phone', "):
        calibration("lstm", BEFORE, QUICK, changed=renamed(BEFORE))
    with pytest.raises(ValueError, match="transition: unknown name 'gru'"):
        calibration("gru", BEFORE, QUICK, changed=AFTER)


def renamed(scenario):
    first, *others = scenario.slices
    return replace(scenario, slices=(replace(first, name="phone"), *others))


def test_its_yaml_sets_the_defaults_of_its_settings():
    other = {"scenario", "twin", "change"}
    found = {key: value for key, value in yaml_defaults("calibration").items() if key not in other}
    assert found == {key: value for key, value in asdict(CalibrationConfig()).items() if key not in other}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("fresh=[10]", "fresh: 10 given, allowed is 64 to "),
        ("+change.slices.urllc.num_users=-1", ".*num_users: -1 given"),
        ("+change.slices.urlc.num_users=1", ".*unknown name 'urlc'"),
        ("twin=none", "twin: none given, allowed are autoregressive, lstm, transformer"),
    ],
)
def test_the_command_names_what_is_wrong_before_anything_is_done(override, message, tmp_path):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        prepare(configured("calibration", CalibrationConfig, override), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_runs_as_typed(tmp_path):
    command = [sys.executable, "-m", "experiments.calibration", "scenario=paper-1mhz", "seeds=[0]", "fresh=[64]"]
    options = ["decisions=64", "copies=2", "held_out_runs=1", "twin.training.max_epochs=1", "progress=false"]
    ran = subprocess.run([*command, *options, f"hydra.run.dir={tmp_path}"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert all(name in ran.stdout for name in ("stale", "calibrated", "fitted from scratch"))
    assert {"calibration.csv", "calibration.png"} <= {path.name for path in tmp_path.iterdir()}
