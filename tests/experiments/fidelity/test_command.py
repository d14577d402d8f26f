"""The command that tells how far a twin can be trusted."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from experiments.config.files import with_files
from experiments.config.hydra import check_overrides
from experiments.config.parts import make_twin, read_mapped_log
from experiments.fidelity.__main__ import prepare
from experiments.fidelity.run import Fidelity
from experiments.fidelity.settings import FidelityConfig, Settings
from tests.helpers.commands import configured, yaml_defaults
from tests.helpers.twins import history_of
from twin import DigitalTwin, History, LogWarning

ROOT = Path(__file__).resolve().parents[3]
LOG = ROOT / "docs" / "data" / "synthetic_log.csv"


def test_its_yaml_sets_the_defaults_of_its_settings():
    groups = {"scenario", "mapping", "twin"}
    assert yaml_defaults("fidelity") == {k: v for k, v in asdict(FidelityConfig()).items() if k not in groups}
    composed, default = make_twin(configured("fidelity", FidelityConfig).twin), DigitalTwin("lstm")
    for what in ("transition", "performance", "training", "seed"):
        assert getattr(composed, what) == getattr(default, what)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("twin=none", "twin: none given, allowed are autoregressive, lstm, transformer"),
        ("twin.transition.memory_size=0", r"(twin\.)?transition.memory_size: 0 given"),
        ("+twin.transition.heads=3", "twin.transition: unknown name 'heads'"),
        ("+twin.training.epochs=3", "twin.training: unknown name 'epochs'; did you mean 'max_epochs'"),
        ("twin.transition.name=gru", "twin.transition.name: unknown name 'gru'"),
        ("~twin.performance", "twin.performance: missing"),
        ("seeds=[]", "seeds: none given"),
        ("run_length=10", "run_length: 10 given, allowed is 18 to "),
        ("policies=[one_step_oracle]", "policies: unknown name 'one_step_oracle'"),
        ("mapping=colosseum", "log: null given"),
        ("log=x.csv", "log: 'x.csv' given without a mapping"),
        ("mapping_file=absent.yaml", "mapping: the file 'absent.yaml' does not exist"),
        ("imports=[no_such_module]", "imports: "),
    ],
)
def test_what_is_wrong_is_named_before_anything_is_done(override, message, tmp_path):
    with pytest.raises((ValueError, TypeError, OSError), match=f"^{message}"):
        prepare(configured("fidelity", FidelityConfig, override), tmp_path)
    assert not list(tmp_path.iterdir())


def test_it_evaluates_a_log_as_typed(tmp_path):
    mapping = tmp_path / "mine.yaml"
    text = (ROOT / "conf" / "mapping" / "colosseum.yaml").read_text(encoding="utf-8")
    mapping.write_text(text + "\n# CHECK: größer als 1?\n", encoding="utf-8")
    command = [sys.executable, "-m", "experiments.fidelity", f"mapping={mapping}", f"log={LOG}", "held_out_runs=2"]
    quick = ["twin.training.max_epochs=2", "twin.transition.memory_size=8", "tree=false", "progress=false"]
    strict = {
        "PYTHONIOENCODING": "utf-8",
        "PYTHONWARNDEFAULTENCODING": "1",
        "PYTHONWARNINGS": "error::EncodingWarning:__main__",
    }
    command += [*quick, f"hydra.run.dir={tmp_path}"]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", env={**os.environ, **strict})
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("history of colosseum: 792 decisions in 8 runs; held out: the last 2;")
    assert "climatology" in ran.stdout
    assert "verdict" in ran.stdout
    assert f"still marked CHECK in {mapping}:\n  : größer als 1?\n" in ran.stdout  # read as UTF-8 in every locale
    report, written = ran.stdout.strip().rsplit("\n", 1)
    assert (tmp_path / "fidelity.txt").read_text(encoding="utf-8") == report + "\n"
    assert "fidelity.csv, fidelity.txt, fidelity.png" in written
    assert len(History.load(tmp_path / "history.npz")) == 792  # all of it, for agents that learn offline
    with (tmp_path / "fidelity.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"CRPS", "NLL [nat]", "inside 90 %", "R²", "CRPS 20 ahead", "skill"} <= {row["metric"] for row in rows}
    assert (tmp_path / "fidelity.png").stat().st_size > 0
    assert DigitalTwin.load(tmp_path / "twin.safetensors").scenario.name == rows[0]["scenario"]


def test_a_mapping_may_lie_anywhere(tmp_path):
    """By its path, or as a choice of a folder that --config-dir names; the message says so."""
    mapping = tmp_path / "own" / "mapping" / "mine.yaml"
    mapping.parent.mkdir(parents=True)
    mapping.write_text((ROOT / "conf" / "mapping" / "colosseum.yaml").read_text())
    assert with_files("fidelity", [f"mapping={mapping}"]) == [f"mapping_file={mapping}"]
    assert with_files("fidelity", ["mapping=colosseum"]) == ["mapping=colosseum"]
    with pytest.warns(LogWarning, match="never met: embb"):
        history = read_mapped_log(str(LOG), {}, str(mapping))
    assert len(history) == 792
    with pytest.raises(SystemExit, match=r"mapping=<path>\.yaml(.|\n)*--config-dir"):
        check_overrides("fidelity", ["mapping=mine", f"log={LOG}"])


@pytest.mark.parametrize(("left_out", "fits"), [(None, 4), (2, 3), (0, None)])
def test_it_says_first_how_many_fits_a_log_takes(left_out, fits):
    history = history_of("paper-1mhz")
    kinds = np.unique(history.allocation, axis=0)[:3]
    few = replace(history, allocation=kinds[np.arange(len(history)) % 3])
    said = Fidelity(DigitalTwin(), history.scenario, Settings(left_out=left_out), None, few).ahead()
    assert said.startswith(f"{fits} fits of the twin: ") if fits else said == ""
    assert ("left_out=0 skips these" in said) == (fits is not None)
