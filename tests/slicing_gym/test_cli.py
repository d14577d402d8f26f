"""The console script: names of commands, and what is said where one does not exist or cannot run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import check_origins
from slicing_gym.cli import command_line, commands, main, usage
from slicing_gym.version import __version__

ROOT = Path(__file__).resolve().parents[2]


def test_a_command_stands_for_its_module():
    assert command_line(["train", "seed=3"]) == [sys.executable, "-m", "experiments.train", "seed=3"]
    assert {"train", "evaluate", "inspect", "report", "fidelity", "export"} <= set(commands())
    assert command_line(["animate", "hard"]) == [sys.executable, "-m", "experiments.tools.animate", "hard"]
    assert "  animate          an episode of a policy as a GIF, or its end\n" in usage()
    for name, about in commands().items():
        assert about, name
        assert f"{name}  " in usage()


def test_an_unknown_command_lists_those_that_there_are(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["slicing-gym", "trian"])
    with pytest.raises(SystemExit, match=r"error: command: unknown name 'trian'; did you mean 'train'.*evaluate"):
        main()


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_what_cannot_be_printed_is_one_line(monkeypatch, option):
    monkeypatch.setattr(sys, "argv", ["slicing-gym", option])
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit, match=r"^error: what was printed could not be written whole: .*No space left"):
            main()


@pytest.mark.parametrize("imported", ["numpy", "gymnasium"])
def test_ctrl_c_while_the_script_imports_is_a_quiet_end(imported, tmp_path):
    (tmp_path / f"{imported}.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    entry = re.search(r'^slicing-gym = "(.+):(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert entry is not None
    module, function = entry.groups()
    script = tmp_path / "slicing-gym"  # as pip writes it
    script.write_text(f"import sys\nfrom {module} import {function}\nsys.exit({function}())\n")
    places = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    ran = subprocess.run([sys.executable, script, "--version"], env=os.environ | places, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")
    (tmp_path / f"{imported}.py").unlink()
    ran = subprocess.run([sys.executable, script, "--version"], env=os.environ | places, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{__version__}\n", "")


HIDING = {
    "conf": "conf/__init__.py",
    "twin": "twin/__init__.py",
    "agents": "agents.py",
    "slicing_gym": "slicing_gym.py",
}


@pytest.mark.parametrize("hidden", [*HIDING, "experiments"])
def test_a_folder_that_hides_a_package_is_named(hidden, tmp_path):
    own = tmp_path / HIDING.get(hidden, "experiments/__init__.py")
    own.parent.mkdir(exist_ok=True)
    own.write_text("raise RuntimeError('imported')\n")
    script = [sys.executable, "-c", "import sys; sys.path.pop(0); from experiments import main; main()"]
    ways = [[*script, "regret", "--help"], [sys.executable, "-m", "experiments.figures", "--help"]]
    places = os.environ | {"PYTHONPATH": str(ROOT)}
    for line in ways[: 1 if hidden == "experiments" else 2]:  # of its own `experiments` no line of ours is run
        ran = subprocess.run(line, cwd=tmp_path, env=places, capture_output=True, text=True)
        (said,) = ran.stderr.splitlines()
        assert said.startswith(f"error: {own.parent if own.stem == '__init__' else own} hides the package {hidden}")
        assert (ran.returncode, ran.stdout) == (1, "")
    if sys.version_info >= (3, 11):
        line = [*script, "figures", "--help"]
        ran = subprocess.run(line, cwd=tmp_path, env=places | {"PYTHONSAFEPATH": "1"}, capture_output=True, text=True)
        assert "python -m experiments.figures" in ran.stdout, ran.stderr


def test_a_folder_without_an_init_hides_an_editable_package(tmp_path):
    (tmp_path / "conf").mkdir()
    with pytest.raises(SystemExit, match=rf"error: {tmp_path}/conf hides the package conf"):
        check_origins([str(tmp_path)])  # as there: what is installed is on no path
    check_origins([str(tmp_path), str(ROOT)])


def test_the_package_is_a_program_as_the_script_is():
    ran = subprocess.run([sys.executable, "-m", "experiments"], cwd=ROOT, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout.strip()) == (0, usage())


def test_the_script_is_replaced_by_the_command():
    ran = subprocess.run(
        [sys.executable, "-m", "slicing_gym.cli", "figures", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert "python -m experiments.figures" in ran.stdout
