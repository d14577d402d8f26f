"""The command: from a log and its mapping, or from the folders that other commands leave."""

from __future__ import annotations

import pytest

from experiments.what_if.__main__ import prepare
from experiments.what_if.settings import Settings, WhatIfConfig
from tests.helpers.commands import configured, yaml_defaults
from tests.helpers.twins import cold_twin
from tests.twin.data.logs.conftest import CASES, mapping_of, quietly

LOG = CASES / "03_epoch_ms_semicolon.csv"
MAPPING = mapping_of(interval=None, time={"column": "time_ms", "unit": "ms", "period": 250, "tolerance": 5})


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """What a fit leaves: a twin and the history of the log, with its mapping."""
    folder = tmp_path_factory.mktemp("fit")
    history, _ = quietly(LOG, MAPPING)
    history.save(folder / "history.npz")
    cold_twin(history).save(folder / "twin.safetensors")
    (folder / "mapping.yaml").write_text(MAPPING.to_yaml())
    return folder, history


def shown(folder, capsys, *typed):
    prepare(configured("what_if", WhatIfConfig, *typed, "samples=20"), folder)()
    return capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::twin.LogWarning")
def test_a_log_and_the_folder_of_a_fit_give_the_same(fitted, tmp_path, capsys):
    fit, history = fitted
    own = [f"fitted={fit}", "policies=[logged,17-16-17]", f"at={float(history.time[100])}"]
    by_folder = shown(tmp_path, capsys, *own)
    by_log = shown(tmp_path, capsys, *own, f"log={LOG}", f"mapping_file={fit}/mapping.yaml")
    assert by_folder == by_log
    assert "cases: decision 100 of 0 to 157 (run 1), from 2025-10-09 " in by_folder
    assert "warning: 17-16-17 is outside the fit: mtc 16, held 1 to 15; not to be trusted" in by_folder
    assert {path.name for path in tmp_path.iterdir()} == {"what_if.csv", "what_if.png"}
    by_number = shown(tmp_path, capsys, f"fitted={fit}/twin.safetensors", f"history={fit}/history.npz", "interval=100")
    row = next(line for line in by_number.splitlines() if line.startswith("rate_mtc [Mbit/s]"))
    assert float(row.split()[2]) == pytest.approx(history.performance["rate"][100, 1], rel=1e-2)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ((), "twin: missing; allowed is a twin's file, or the folder"),
        (("fitted=nowhere",), "twin: there is no file 'nowhere'"),
        (("fitted={fit}", "history=nowhere.npz"), "history: there is no file 'nowhere.npz'"),
        (("fitted={fit}", "history={fit}", "log=a.csv"), "history: .* given together with log"),
        (("fitted={fit}", "log=a.csv"), "log: 'a.csv' given without a mapping"),
        (("fitted={fit}",), "at: missing"),
        (
            ("fitted={fit}", "at=2026-10-13 20:15"),
            "at: '2026-10-13 20:15' given, allowed are the times of the log, 2025",
        ),
    ],
)
def test_what_the_command_refuses(fitted, typed, message, tmp_path):
    given = [each.format(fit=fitted[0]) for each in typed]
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        prepare(configured("what_if", WhatIfConfig, *given), tmp_path)


def test_the_first_setting_by_position_is_the_number_of_intervals():
    assert Settings(4).ahead == 4


def test_the_yaml_holds_the_defaults():
    assert yaml_defaults("what_if") == {key: value for key, value in vars(WhatIfConfig()).items() if key != "mapping"}
