"""The tool that runs what pages show: what it makes of commands, in which order, and what it says of faults."""

from __future__ import annotations

import os
import re
import select
import shlex
import shutil
import subprocess
import sys
import typing
from importlib import import_module
from pathlib import Path

import pytest

from experiments.config.files import CONFIG_FOLDER
from experiments.config.hydra import first_composed, register, settings_of
from experiments.tools.package import ROOT
from experiments.tools.page_commands import ShownCommand
from experiments.tools.pages import _SMALL, PageCommand, _fault, as_run, chosen, run_all


def run_as(topic, arguments):
    return shlex.join(as_run(ShownCommand("page.md", topic, arguments)).arguments)


def test_a_command_becomes_small_and_stays_what_it_is():
    swept = run_as("train", "-m agent=dqn,ddqn,gan_ddqn seed=0,1,2 decisions=30000 agent.head=dense")
    assert swept.startswith("-m agent=dqn,ddqn seed=0 agent.head=dense decisions=640 ")
    assert run_as("evaluate", "policy=a,b,c seeds=[1,2,3]").startswith("policy=a,b,c 'seeds=[0,1]'")  # a list, no sweep
    nowhere = run_as("offline", "history=<history.npz> evaluation.seeds=[]")
    assert nowhere.startswith("history=runs/mine/history.npz 'evaluation.seeds=[]'")
    assert "evaluation.policies" not in nowhere
    assert run_as("train", "--help") == "--help"
    assert run_as("examples/what_if.py", "") == "3"


@pytest.mark.parametrize("topic", [topic for topic in _SMALL if Path(CONFIG_FOLDER, f"{topic}.yaml").exists()])
def test_every_small_argument_is_one_that_its_command_takes(topic):
    schema = typing.get_type_hints(import_module(f"experiments.{topic}.__main__").prepare)["config"]
    register(topic, schema)
    lists = [each for each in shlex.split(_SMALL[topic]) if topic != "benchmark_suite" or each.startswith("minutes")]
    settings_of(first_composed(topic, lists), schema)


def test_whatever_a_command_goes_on_from_was_made_by_one_before_it():
    made = set()
    for each in chosen():
        if not each.skipped:
            assert each.needs <= made, f"{each.typed.page}: {each}"
            made |= each.makes


def test_nothing_is_run_with_a_placeholder_in_it():
    assert [str(each) for each in chosen() if not each.skipped and re.search("<[^>]*>", str(each))] == []


def test_what_a_command_needs_is_run_before_it_however_few_are_asked_for():
    found = [str(each.typed) for each in chosen("docs/logs.md: python -m experiments.export")]
    assert [each.split()[2] for each in found] == [
        f"experiments.{topic}" for topic in ("inspect", "fidelity", "offline", "export")
    ]


def test_it_does_not_run_itself():
    assert [each.skipped for each in chosen("tools.pages")] == ["is this command"]


def test_what_cannot_run_here_is_listed_with_the_reason():
    ran = subprocess.run(
        [sys.executable, "-m", "experiments.tools.pages", "--list", "--only", "docs/sweeps.md"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "skipped, it needs a Slurm cluster: python -m experiments.train" in ran.stdout


def test_commands_are_run_and_faults_are_told_in_a_line(tmp_path):
    right, wrong, skipped = (
        PageCommand(ShownCommand("page.md", "figures", arguments), (arguments,), why)
        for arguments, why in (("--help", ""), ("--hlep", ""), ("--gpu", "needs a GPU"))
    )
    faults = [fault for _, fault, _ in run_all([right, wrong, skipped], tmp_path)]
    assert faults[0] == ""
    assert faults[1].startswith("__main__.py: error:") or "error: the following arguments are required" in faults[1]
    assert faults[2] == "needs a GPU"
    assert (tmp_path / "docs" / "data" / "synthetic_log.csv").exists()


def test_a_command_that_takes_too_long_is_ended_with_what_it_began(tmp_path):
    os.mkfifo(tmp_path / "held")
    reader = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    begun = "(echo begun; exec sleep 1000) > held & wait"
    assert _fault(["sh", "-c", begun], tmp_path, dict(os.environ), seconds=2.0) == "not done after 2 s"
    assert os.read(reader, 100) == b"begun\n"
    select.select([reader], [], [], 30.0)  # the end comes soon after the signal
    assert os.read(reader, 100) == b""
    os.close(reader)


def test_an_installed_package_has_no_pages_and_says_so(tmp_path):
    for name in ("agents", "conf", "experiments", "slicing_gym", "twin"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    ran = subprocess.run(
        [sys.executable, "-m", "experiments.tools.pages", "--list"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 1
    assert ran.stderr == "error: this needs a checkout of the repository, and was run from an installed package\n"
