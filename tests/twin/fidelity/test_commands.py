"""The commands that print how far a twin can be trusted."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra import compose, initialize_config_dir

from experiments.calibration.run import check_config as check_calibration
from experiments.config.hydra import CONFIG_FOLDER, register_configs
from experiments.fidelity.run import check_config
from experiments.reporting.statistics import block_bootstrap
from experiments.tools.ship import ship_log
from twin import DigitalTwin
from twin.data.log import LogMapping, read_log

ROOT = Path(__file__).resolve().parents[3]


register_configs()


SMALL = [
    "progress=false",
    "twin.training.max_epochs=2",
    "twin.transition.memory_size=8",
    "policies=[hard]",
    "allocations=10",
    "copies=8",
]


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (
            ["scenario=paper-1mhz", "seeds=[0,1]", "decisions=400", "held_out_runs=2", "run_length=60"],
            ["twin_1.safetensors"],
        ),
        (["mapping=colosseum", "log=docs/data/synthetic_log.csv", "held_out_runs=2"], ["twin.safetensors"]),
    ],
    ids=["scenario", "log"],
)
def test_the_command_prints_a_table_and_leaves_its_files(tmp_path, arguments, files):
    command = [sys.executable, "-m", "experiments.fidelity", *SMALL, *arguments, f"hydra.run.dir={tmp_path}"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    assert "CRPS" in ran.stdout
    assert "climatology" in ran.stdout
    for name in (*files, "fidelity.csv", "fidelity.png"):
        assert (tmp_path / name).stat().st_size > 0
    with (tmp_path / "fidelity.csv").open() as file:
        rows = list(csv.DictReader(file))
    metrics = {row["metric"] for row in rows}
    assert {"CRPS", "NLL [nat]", "inside 90 %", "R²", "CRPS 20 ahead", "skill"} <= metrics
    assert DigitalTwin.load(tmp_path / files[0]).scenario.name == rows[0]["network"]


def test_calibration_prints_its_table(tmp_path):
    command = [sys.executable, "-m", "experiments.calibration", "scenario=paper-1mhz", "seeds=[0,1]", "fresh=[100,200]"]
    options = ["decisions=400", "copies=4", "held_out_runs=1", "twin.training.max_epochs=2", "progress=false"]
    ran = subprocess.run([*command, *options, f"hydra.run.dir={tmp_path}"], capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    assert all(name in ran.stdout for name in ("stale", "calibrated", "fitted"))
    with (tmp_path / "calibration.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2 * 5
    assert (tmp_path / "calibration.png").stat().st_size > 0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("twin.transition.memory_size=0", "transition.memory_size: 0 given"),
        ("+twin.transition.heads=3", "twin.transition: unknown name 'heads'"),
        ("+twin.training.epochs=3", "unknown name 'epochs'; did you mean 'max_epochs'"),
        ("twin.transition.name=gru", "twin.transition.name: unknown name 'gru'"),
        ("seeds=[]", "seeds: none given"),
        ("run_length=10", "run_length: 10 given, allowed is 18 or more"),
        ("decisions=30", "decisions: 30 given, allowed is 64 or more"),
        ("~twin.performance", "twin.performance: missing"),
        ("copies=1", "copies: 1 given, allowed is 2 or more"),
        ("policies=[one_step_oracle]", "policies: unknown name 'one_step_oracle'"),
        ("mapping=colosseum", "log: null given"),
        ("log=x.csv", "log: 'x.csv' given without a mapping"),
    ],
)
def test_bad_configurations_are_refused(override, message):
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        config = compose("fidelity", [override])
    with pytest.raises((ValueError, TypeError), match=message):
        check_config(config)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("fresh=[10]", "fresh: 10 given, allowed is 64 or more"),
        ("+change.slices.urllc.num_users=-1", "num_users: -1 given"),
        ("+change.slices.urlc.num_users=1", "unknown name 'urlc'"),
    ],
)
def test_bad_calibrations_are_refused(override, message):
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        config = compose("calibration", [override])
    with pytest.raises((ValueError, TypeError), match=message):
        check_calibration(config)


def test_the_synthetic_log_is_what_its_command_makes(tmp_path):
    made = tmp_path / "log.csv"
    ship_log(made)
    assert made.read_bytes() == (ROOT / "docs" / "data" / "synthetic_log.csv").read_bytes()
    mapping = LogMapping.from_dict(yaml.safe_load((ROOT / "conf" / "mapping" / "colosseum.yaml").read_text()))
    history = read_log(made, mapping)
    assert (len(history.runs), len(history)) == (8, 8 * 99)


def test_block_bootstrap_covers_the_mean_of_dependent_values():
    """An autoregressive series: the interval has to be wider than that of independent values, and cover."""
    generator = np.random.default_rng(0)
    covered, wider = 0, 0
    for trial in range(60):
        noise, series = generator.normal(size=1000), np.zeros(1000)
        for t in range(1, 1000):
            series[t] = 0.8 * series[t - 1] + noise[t]
        run = np.repeat(np.arange(4), 250)
        found = block_bootstrap(lambda rows, s=series: float(s[rows].mean()), run, block=25, seed=trial)
        assert found.mean == pytest.approx(series.mean())
        covered += abs(found.mean) < found.half_width
        wider += found.half_width > 1.5 * 1.96 * series.std() / np.sqrt(1000)
    assert 48 <= covered <= 60
    assert wider == 60
