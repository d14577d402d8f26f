"""The command that looks at a log: what it prints, writes and refuses."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import yaml
from matplotlib.dates import num2date
from matplotlib.image import imread

from experiments.commands.command import _single
from experiments.config.files import CONFIG_FOLDER, with_files
from experiments.config.hydra import Command, readable_errors, register, with_lists
from experiments.fidelity.__main__ import prepare as fit
from experiments.fidelity.settings import FidelityConfig
from experiments.inspect import InspectConfig, plot_log
from experiments.inspect.__main__ import prepare
from experiments.inspect.figures import _cuts, _time_axis
from experiments.inspect.outcome import next_step
from experiments.inspect.trial import trial
from experiments.traffic.__main__ import prepare as trace
from experiments.traffic.settings import TrafficConfig
from tests.helpers.commands import configured, yaml_defaults
from tests.helpers.operators import USED, used_prb, write_export
from twin import inspect_log
from twin.data.logs import LogMapping, LogWarning

CASES = Path(__file__).resolve().parents[2] / "data" / "logs"


def test_of_prb_that_were_used_the_next_step_is_traffic_too():
    step = next_step(inspect_log(used_prb()), "a.csv", "m.yaml")
    assert "python -m experiments.fidelity log=a.csv" in step
    assert f"\n(if nobody decided {USED}, python -m experiments.traffic log=a.csv mapping=m.yaml)" in step


def test_its_yaml_sets_the_defaults_of_its_settings():
    assert yaml_defaults("inspect") | {"mapping": {}} == asdict(InspectConfig())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "log: missing; allowed is a file, a glob, a folder, or a list of these"),
        (["log=/nowhere.csv"], "log: the file '/nowhere.csv' does not exist"),
        ([f"log={CASES}/*.xyz"], r"log: '.*\.xyz' matches no file"),
        ([f"log={CASES}/01_decided.csv", "intervals=1"], "intervals: 1 given, allowed is 2 to "),
        ([f"log=[{CASES}/01_decided.csv,{CASES}/05_wide.csv]"], "log: .* has other columns than"),
    ],
)
def test_what_is_wrong_is_named_before_anything_is_written(overrides, message, tmp_path):
    with pytest.raises((ValueError, OSError), match=message):
        prepare(configured("inspect", InspectConfig, *overrides), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "schema", "prepared"),
    [("inspect", InspectConfig, prepare), ("fidelity", FidelityConfig, fit), ("traffic", TrafficConfig, trace)],
)
def test_without_duckdb_every_command_says_in_a_line_what_to_install(name, schema, prepared, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    mapping = "{interval: t, slice: slice, slices: [embb, mtc, urllc], arrivals: pkts, unused: rest}"
    (tmp_path / "m.yaml").write_text(mapping)
    given = [f"log={CASES}/07_passive.csv", f"mapping_file={tmp_path}/m.yaml"]
    with pytest.raises(SystemExit, match=r'^error: .*pip install "slicing-gym\[logs\]"'), readable_errors():
        prepared(configured(name, schema, *given), tmp_path / "out")


@pytest.mark.parametrize(
    "name", ["03_epoch_ms_semicolon.csv", "05_wide.csv", "06_slices_come_and_go.csv", "14_dirty.csv"]
)
def test_a_log_is_printed_drawn_and_mapped(name, tmp_path, capsys):
    prepare(configured("inspect", InspectConfig, f"log={CASES}/{name}"), tmp_path)()
    printed = capsys.readouterr().out
    assert printed.startswith(f"{name}: ")
    assert printed.splitlines()[-1].startswith("next: ")
    assert imread(tmp_path / "log.png").std() > 0.05
    assert isinstance(yaml.safe_load((tmp_path / "mapping.yaml").read_text()), dict)


def test_a_picture_has_a_panel_for_what_there_is(tmp_path):
    """Arrivals, allocation and performance; a passive log has no allocation, and is drawn less high."""
    for name in ("01_decided.csv", "07_passive.csv"):
        plot_log(tmp_path / f"{name}.png", inspect_log(CASES / name), 100)
    full, passive = (imread(tmp_path / f"{name}.png").shape[0] for name in ("01_decided.csv", "07_passive.csv"))
    assert full > 1.3 * passive


def test_a_table_without_time_is_not_drawn(tmp_path):
    (tmp_path / "x.csv").write_text("name,colour\nx,red\ny,blue\n")
    with pytest.raises(ValueError, match="without a column of time"):
        plot_log(tmp_path / "x.png", inspect_log(tmp_path / "x.csv"), 100)
    prepare(configured("inspect", InspectConfig, f"log={tmp_path}/x.csv"), tmp_path / "out")()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mapping.yaml"]


def test_a_mapping_is_tried_on_the_log():
    proposal = inspect_log(CASES / "03_epoch_ms_semicolon.csv").proposal
    told = str(trial(CASES / "03_epoch_ms_semicolon.csv", proposal))
    assert told.startswith("158 decisions in 2 sequences")
    assert "pause" in told
    other = LogMapping.from_dict({**inspect_log(CASES / "02_in_force.csv").keys, "allocation_is": "decided"})
    assert "in_force" in trial(CASES / "02_in_force.csv", other).told
    refused = trial(CASES / "01_decided.csv", other)
    assert refused.refused
    assert str(refused).startswith("refused, ")


def test_a_mapping_whose_bounds_are_missed_for_want_of_demand_is_told_so():
    log, keys = CASES / "02_in_force.csv", inspect_log(CASES / "02_in_force.csv").keys
    told = trial(log, LogMapping.from_dict(keys)).told
    assert "ssr is missed for want of demand by urllc (67 of 79 misses): on" in told
    keys["ssr"] = {"column": "rate_mbps", "at_least": [2.87, 1.49, 0.5]}
    assert "want of demand" not in trial(log, LogMapping.from_dict(keys)).told
    no_slas = {key: value for key, value in keys.items() if key not in ("ssr", "spectral_efficiency")}
    assert str(trial(log, LogMapping.from_dict(no_slas))) == "159 decisions in 1 sequence"


def test_a_mapping_says_which_files_of_a_folder_are_looked_at(tmp_path, capsys):
    (tmp_path / "log" / "cell").mkdir(parents=True)
    (tmp_path / "log" / "cell" / "slices.csv").write_text((CASES / "03_epoch_ms_semicolon.csv").read_text())
    (tmp_path / "log" / "cell.csv").write_text("other,columns\n1,2\n")
    keys = {**inspect_log(CASES / "03_epoch_ms_semicolon.csv").keys, "files": "*/slices.csv"}
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(keys, sort_keys=False))
    given = with_lists([f"log={tmp_path}/log", f"mapping_file={tmp_path}/m.yaml"], ("log",))
    prepare(configured("inspect", InspectConfig, *given), tmp_path / "out")()
    printed = capsys.readouterr().out
    assert printed.startswith("slices.csv: 480 rows")
    assert "with the mapping: 158 decisions in 2 sequences" in printed
    assert f"log={tmp_path}/log/*/slices.csv" in shlex.split(printed.splitlines()[-1])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("01_decided.csv", "experiments.fidelity log=a.csv mapping=m.yaml"),
        ("07_passive.csv", "experiments.traffic log=a.csv mapping=m.yaml period_s=<"),
        ("13_constant_allocation.csv", "experiments.traffic log=a.csv"),
    ],
)
def test_the_next_step_is_what_the_log_is_good_for(name, words):
    assert words in next_step(inspect_log(CASES / name), ["a.csv"], "m.yaml")


def test_the_next_step_names_a_mapping_of_the_package_that_reads_the_columns(tmp_path):
    log = Path(__file__).resolve().parents[3] / "docs" / "data" / "synthetic_log.csv"
    found = next_step(inspect_log(log), ["a.csv"], "m.yaml")
    assert found.endswith("mapping=m.yaml\n(mapping=colosseum of the package reads these columns, too)")
    more = tmp_path / "more.csv"
    first, *rest = log.read_text().splitlines()
    more.write_text("\n".join([f"{first},further", *(f"{line},1" for line in rest)]))
    assert "colosseum" not in next_step(inspect_log(more), ["a.csv"], "m.yaml")


def test_the_next_step_of_several_files_goes_on_as_it_is_printed(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text((CASES / "12_seven_allocations.csv").read_text())
    folder = tmp_path / "out"
    command = f"log={tmp_path}/a.csv,{tmp_path}/b.csv"
    prepare(configured("inspect", InspectConfig, *with_lists([command], ("log",))), folder)()
    step = next_step(
        inspect_log(f"{tmp_path}/*.csv"), [f"{tmp_path}/a.csv", f"{tmp_path}/b.csv"], f"{folder}/mapping.yaml"
    )
    _, _, module, *given = shlex.split(step.partition("then ")[2])
    assert module == "experiments.fidelity"
    with pytest.warns(LogWarning, match="7 of 1176"):
        fit(
            configured("fidelity", FidelityConfig, *with_files("fidelity", with_lists(given, ("log",)))),
            tmp_path / "twin",
        )
    typed = shlex.split(next_step(inspect_log(f"{tmp_path}/*.csv"), "my logs/*.csv", "m.yaml"))[-2:-1]
    assert with_lists(typed, ("log",)) == ['log=["my logs/*.csv"]']


def test_it_runs_as_typed(tmp_path):
    """The mapping's query shapes what is looked at, and stands in what is proposed."""
    (tmp_path / "0.csv").write_text((CASES / "01_decided.csv").read_text().replace("pkts", "x"))
    query = "SELECT t, slice, x AS pkts, rate_mbps, prb_next FROM log"
    keys = inspect_log(CASES / "01_decided.csv").keys
    (tmp_path / "mapping").mkdir()
    (tmp_path / "mapping" / "m.yaml").write_text(yaml.safe_dump({**keys, "query": query}, sort_keys=False))
    command = [sys.executable, "-m", "experiments.inspect"]
    given = [
        f"--config-dir={tmp_path}",
        f"log={tmp_path}/0.csv",
        "mapping=m",
        f"hydra.run.dir={tmp_path}/out",
    ]
    ran = subprocess.run([*command, *given], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "159 decisions in 1 sequence" in ran.stdout
    assert ran.stdout.startswith("0.csv: 480 rows")
    assert (tmp_path / "out" / "log.png").exists()
    proposed = yaml.safe_load((tmp_path / "out" / "mapping.yaml").read_text())
    assert (proposed["query"], proposed["ssr"]) == (query, keys["ssr"])


def test_what_is_refused_is_one_line_and_leaves_no_folder(tmp_path, monkeypatch, capsys):
    register("inspect", InspectConfig)
    monkeypatch.setattr(sys, "argv", ["inspect"])
    quiet = ("hydra/job_logging=none", "hydra/hydra_logging=none")
    typed = [f"log={tmp_path}/no.csv", *quiet, f"hydra.run.dir={tmp_path}/wrong"]
    assert _single(Command("inspect", InspectConfig, prepare), typed) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: log: the file")
    assert said.count("\n") == 1
    assert not (tmp_path / "wrong").exists()


def test_the_printed_command_runs_on_the_mapping_that_was_written(tmp_path, capsys):
    """No line of it edited: local time, a volume in Mbit, shares in percent, a delay for SLAs."""
    log = write_export(tmp_path / "oss.csv")
    prepare(configured("inspect", InspectConfig, f"log={log}"), tmp_path / "look")()
    step = capsys.readouterr().out.splitlines()[-1]
    assert "(CHECK: ssr, spectral_efficiency, scenario)" in step
    _, _, module, *given = shlex.split(step.partition("then ")[2])
    assert module == "experiments.fidelity"
    given = with_files("fidelity", with_lists(given, ("log",)))
    quick = ["twin.training.max_epochs=1", "twin.transition.memory_size=8", "tree=false", "progress=false"]
    with pytest.warns(LogWarning, match="1 missing value"):
        run = fit(configured("fidelity", FidelityConfig, *given, *quick), tmp_path / "twin")
    run()
    printed = capsys.readouterr().out
    assert "verdict" in printed
    assert "the SSR of slice_1_0000A2: " in printed


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"query": "SELECT * FROM log WHERE t < 100"}, None),
        ({"query": "SELECT * FROM log WHERE t < 100", "slice": "slice"}, "m.yaml': arrivals missing"),
        ({"query": "SELECT * FROM log WHERE t < 100", "arivals": "x"}, "m.yaml': unknown name 'arivals'"),
    ],
)
def test_a_part_of_a_mapping_shapes_the_log(keys, said, tmp_path, capsys):
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(keys))
    given = [f"log={CASES}/01_decided.csv", f"mapping_file={tmp_path}/m.yaml"]
    prepare(configured("inspect", InspectConfig, *given), tmp_path / "out")()
    printed = capsys.readouterr().out
    assert printed.startswith("01_decided.csv: 300 rows, 100 intervals")
    tried = [line for line in printed.splitlines() if line.startswith("with the mapping: ")]
    assert len(tried) == (said is not None)
    assert said is None or f"refused, mapping: '{tmp_path}/{said}" in tried[0]


@pytest.mark.parametrize(
    ("units", "typed"),
    [
        (50, "next: {command} log={log} mapping={mapping}"),
        (60, "next: mend {mapping}, as it was refused above, then {command} log={log} mapping={mapping}"),
    ],
)
def test_a_mapping_that_names_the_allocation_is_gone_on_with(units, typed, tmp_path, capsys):
    """Though no column looks like an allocation by itself: of a log that leaves units to nobody, under another name."""
    log, mapping = tmp_path / "log.csv", tmp_path / "m.yaml"
    log.write_text((CASES / "09_idle_rest.csv").read_text().replace("prb", "x"))
    assert inspect_log(log).what == "passive"
    keys = inspect_log(CASES / "09_idle_rest.csv").keys
    column = next(name for name in inspect_log(log).columns if name.startswith("x"))
    keys["scenario"]["radio"]["bandwidth_hz"] = units * keys["scenario"]["radio"]["resolution_hz"]
    keys["allocation"] = {"column": column, "idle": units == 50}
    mapping.write_text(yaml.safe_dump(keys, sort_keys=False))
    given = with_lists([f"log={log}", f"mapping_file={mapping}"], ("log",))
    prepare(configured("inspect", InspectConfig, *given), tmp_path / "out")()
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == typed.format(command="python -m experiments.fidelity", log=log, mapping=mapping)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("fits", [False, True])
def test_a_choice_is_gone_on_with_by_its_name(own, fits, tmp_path, monkeypatch, capsys):
    """With the folder and the keys that were typed; one of the package cannot be mended where it is."""
    shipped = Path(CONFIG_FOLDER, "mapping", "colosseum.yaml")
    file, name, folder = shipped, "colosseum", ()
    if own:
        file, name, folder = tmp_path / "a b" / "mapping" / "mine.yaml", "mine", (f"--config-dir={tmp_path}/a b",)
        file.parent.mkdir(parents=True)
        file.write_text(shipped.read_text())
    log = CASES.parents[2] / "docs" / "data" / "synthetic_log.csv" if fits else CASES / "01_decided.csv"
    more = ["mapping.ssr.at_most=[900,100,100]", *folder]
    monkeypatch.setattr(sys, "argv", ["inspect"])
    register("inspect", InspectConfig)
    quiet = ("hydra/job_logging=none", "hydra/hydra_logging=none", f"hydra.run.dir={tmp_path}/out")
    assert _single(Command("inspect", InspectConfig, prepare), [*quiet, f"log={log}", f"mapping={name}", *more]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    mend, _, command = last.removeprefix("next: ").rpartition(", as it was refused above, then ")
    place = os.path.relpath(file)
    assert mend == ("" if fits else f"mend {place}" if own else f"copy {place} to my_mapping.yaml and mend it")
    again = ["mapping=my_mapping.yaml"] if not own and not fits else [f"mapping={name}", *more]
    assert shlex.split(command) == ["python", "-m", "experiments.fidelity", f"log={log}", *again]


@pytest.mark.parametrize("key", ["query", "files"])
def test_what_shapes_a_log_is_a_text(key, tmp_path):
    (tmp_path / "m.yaml").write_text(yaml.safe_dump({key: 3}))
    given = [f"log={CASES}/01_decided.csv", f"mapping_file={tmp_path}/m.yaml"]
    with pytest.raises(TypeError, match=rf"^mapping: '.*m\.yaml': {key}: 3 given, allowed is str"):
        prepare(configured("inspect", InspectConfig, *given), tmp_path / "out")


def test_a_long_log_is_thinned_and_dated(tmp_path):
    """Pauses stay where they are, whichever intervals are left out."""
    timing = inspect_log(CASES / "03_epoch_ms_semicolon.csv").facts.timing
    for most in (160, 53, 7):
        shown = np.arange(160)[:: -(-160 // most)]
        (cut,) = _cuts(timing, shown)
        assert shown[cut - 1] < timing.pauses[0] <= shown[cut]
    timing = inspect_log(write_export(tmp_path / "oss.csv")).facts.timing
    time, label = _time_axis(timing, np.arange(120))
    assert num2date(time[0]).isoformat() == "2026-10-24T12:00:00+00:00"
    assert label == "Begin Time; an hour ahead after summer time ended"
