"""The command that teaches students."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest

from experiments.config.hydra import check_overrides, register, with_lists
from experiments.distill.__main__ import LISTS, prepare
from experiments.distill.settings import DistillConfig
from experiments.offline import record_history
from tests.helpers.commands import configured, yaml_defaults


def test_its_yaml_sets_the_defaults_of_its_settings():
    assert yaml_defaults("distill") == asdict(DistillConfig())


def test_single_values_stand_for_lists():
    register("distill", DistillConfig)
    typed = ["hidden=4", "agents=dqn", "teacher=runs/a=b", "seed=3"]
    assert with_lists(typed, LISTS) == ["hidden=['4']", "agents=['dqn']", *typed[2:]]
    kept = ["hidden=[4,16]", "agents=null", "agents=[dqn,dqn-dt]"]
    assert with_lists(kept, LISTS) == kept
    assert with_lists(["hidden"], LISTS) == ["hidden"]
    for argument, wanted in (("hidden=4", [4]), ("hidden=4,16", [4, 16]), ("hidden=[4,16]", [4, 16])):
        assert with_lists(["-m", argument], LISTS)[1:] == with_lists([argument], LISTS)
        arguments = with_lists(["teacher=runs/x", argument], LISTS)
        check_overrides("distill", arguments)
        assert configured("distill", DistillConfig, *arguments).hidden == wanted
    with pytest.raises(SystemExit, match="unknown name 'hiden'; did you mean 'hidden'"):
        check_overrides("distill", with_lists(["hiden=4"], LISTS))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "teacher: not given, allowed are a run's folder"),
        (["teacher=nowhere"], r"teacher: no finished run \(summary\.json\) below 'nowhere', which does not exist"),
        (["resume=yes"], r"resume: unknown name 'yes' \(allowed: auto\)"),
        (["hidden=[4,4]"], "hidden: .* allowed are different ones"),
    ],
)
def test_what_is_wrong_is_named_before_anything_is_done(overrides, message, tmp_path):
    with pytest.raises((ValueError, OSError), match=f"^{message}"):
        prepare(configured("distill", DistillConfig, *overrides), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("smallest", "keys"),
    [
        (None, {"`allowed: held`", "`allowed: all`"}),
        ((0, 1, 1), {"`idle`", "`smallest: 0`", "`absent: gap`"}),
        ((), set()),
    ],
)
def test_an_agent_of_a_log_is_refused_by_the_keys_of_its_mapping(smallest, keys, tmp_path):
    recorded = record_history("random", "paper-1mhz", 0, 20)
    held = tuple(map(tuple, np.unique(recorded.allocation, axis=0).tolist()))
    change = {"held": held} if smallest is None else {"smallest": smallest}
    replace(recorded, **change).save(tmp_path / "history.npz")
    (tmp_path / "offline.json").write_text("{}")
    refused = "^teacher: '.*' is a run of experiments.offline, allowed are runs of experiments.train"
    with pytest.raises(ValueError, match=refused) as said:
        prepare(configured("distill", DistillConfig, f"teacher={tmp_path}"), tmp_path / "out")
    known = ("`allowed: held`", "`allowed: all`", "`idle`", "`smallest: 0`", "`absent: gap`")
    assert {key for key in known if key in str(said.value)} == keys


def test_a_folder_above_runs_of_logs_says_what_is_there_and_what_to_type(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        record_history("random", "paper-1mhz", 0, 20).save(tmp_path / name / "history.npz")
        (tmp_path / name / "offline.json").write_text("{}")
    refused = (
        r"^teacher: '.*a' is a run of experiments.offline \(as is 1 other below '.*'\), allowed are runs of "
        "experiments.train, as `python -m experiments.train hydra.run.dir=<folder>` leaves them$"
    )
    with pytest.raises(ValueError, match=refused):
        prepare(configured("distill", DistillConfig, f"teacher={tmp_path}"), tmp_path / "out")


def test_it_runs_as_typed(teachers, tmp_path):
    command = [sys.executable, "-m", "experiments.distill", f"teacher={teachers}", "hidden=4", "agents=ddqn"]
    short = ["updates=60", "progress=false", "evaluation.seeds=[100,101]", "evaluation.decisions=5"]
    options = ["evaluation.policies=[hard,1-18-1]", f"hydra.run.dir={tmp_path}/out"]
    ran = subprocess.run([*command, *short, *options], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert {"ddqn", "hard", "1-18-1"} <= {line.split()[0] for line in ran.stdout.splitlines() if line}
    assert "2x4" in ran.stdout
    assert len(list((tmp_path / "out").rglob("student.safetensors"))) == 1
    for name in ("students.csv", "students.png", ".hydra/config.yaml"):
        assert (tmp_path / "out" / name).exists()
