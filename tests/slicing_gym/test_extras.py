"""Without the extras: every module and command says what to install, and what does without them works."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from slicing_gym.extras import EXTRAS, missing

ROOT = Path(__file__).resolve().parents[2]

WITHOUT = f"""
import sys
for name in {[*EXTRAS]!r}:
    sys.modules[name] = None
"""

MODULES = f"""{WITHOUT}
import importlib, pathlib
imported = 0
for room in ("slicing_gym", "agents", "twin", "experiments"):
    for path in sorted(pathlib.Path(room).rglob("*.py")):
        name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        if path.stem == "__main__":
            continue
        try:
            importlib.import_module(name)
            imported += 1
        except ImportError as error:
            assert 'pip install "slicing-gym[' in str(error) or "pip install 'slicing-gym[" in str(error), (name, error)
print(imported)
"""


def test_every_module_imports_or_says_what_to_install():
    ran = subprocess.run([sys.executable, "-c", MODULES], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 80


FUNCTIONS = f"""{WITHOUT}
import numpy as np
import agents
from twin import LogMapping
from twin.fidelity import scores

def says(call):
    try:
        call()
    except ImportError as error:
        print(str(error).partition("pip install")[2])

says(lambda: LogMapping.from_yaml("README.md"))
says(lambda: agents.DQN)
says(lambda: agents.SlicePolicy)
says(lambda: scores.wasserstein(np.ones(3), np.ones(3)))
import slicing_gym
assert slicing_gym.Simulator("paper-1mhz", [0]).num_cells == 1
print(agents.HardPolicy("paper-1mhz").predict(np.zeros(3))[0])
"""


def test_what_is_imported_late_says_what_to_install():
    ran = subprocess.run([sys.executable, "-c", FUNCTIONS], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found = re.findall(r"slicing-gym\[(\w+)\]", ran.stdout)
    assert found == ["train", "train", "deploy", "train"]


def test_who_draws_without_pillow_is_sent_to_the_extra_of_pictures():
    assert missing("PIL") == 'PIL is missing, which the extra `render` brings: pip install "slicing-gym[render]"'


COMMAND = f"""{WITHOUT}
import runpy
sys.argv, sys.orig_argv = ["-m"], ["-m", sys.modules["__main__"].command]
runpy.run_module(sys.modules["__main__"].command, run_name="__main__")
"""
NO_ONNX = """
import sys, runpy
for name in ("onnx", "onnxruntime", "onnxscript"):
    sys.modules[name] = None
sys.argv, sys.orig_argv = ["-m"], ["-m", "experiments.export"]
import experiments
runpy.run_module("experiments.export", run_name="__main__")
"""


def test_a_command_that_needs_more_than_others_says_so_in_one_line():
    ran = subprocess.run([sys.executable, "-c", NO_ONNX], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert line.startswith("error: ")
    assert "pip install 'slicing-gym[train,export]'" in line


COMMANDS = sorted(path.parent.name for path in (ROOT / "experiments").glob("*/__main__.py"))


@pytest.mark.parametrize("command", ["train", "inspect"])
def test_a_command_says_what_to_install_in_one_line(command):
    assert command in COMMANDS
    script = COMMAND.replace('sys.modules["__main__"].command', repr(f"experiments.{command}"))
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 1
    brings = 'torch is missing, which the extra `train` brings: pip install "slicing-gym[train]"'
    assert ran.stderr.strip() == f"error: {brings}"


def test_every_module_of_an_extra_is_known():
    """By pyproject.toml: what an extra installs, under the names that it is imported by."""
    text = (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2].partition("\n\n")[0]
    modules = {}
    for module, distributions in packages_distributions().items():
        for each in distributions:
            modules.setdefault(re.sub(r"[-_.]+", "-", each).lower(), set()).add(module)
    extra, wrong = None, []
    for line in text.splitlines():
        extra = line.partition(" = ")[0] if " = " in line else extra
        if extra in ("test", "sweep"):  # for those who work on the project; a plugin of Hydra
            continue
        for name in re.findall(r'"([A-Za-z][\w-]*)[>"]', line):
            known = modules.get(name.lower(), set())
            if known and not known & set(EXTRAS):
                wrong.append((extra, name))
    assert not wrong
