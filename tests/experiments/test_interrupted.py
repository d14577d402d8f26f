"""Ctrl-C before a command has begun, or in one that does not wait for signals: a quiet end with exit status 130."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

INTERRUPT = """
import os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores it
event, name = os.environ["AT"].split()

def hook(found, arguments):
    if found == event and str(arguments[0]).endswith(name):
        os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(hook)
"""
"""What Python runs as it begins: a signal at the import of a module, or as a file is opened."""


@pytest.mark.parametrize(
    "at",
    ["import numpy", "import torch", "import experiments.report.run", "open sweep.json"],
    ids=["first import", "large import", "last import", "while it runs"],
)
def test_a_command_ends_quietly(tmp_path, at):
    (tmp_path / "sitecustomize.py").write_text(INTERRUPT)
    (tmp_path / "sweep.json").write_text("{}")
    ran = subprocess.run(
        [sys.executable, "-m", "experiments.report", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "AT": at},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")


def test_a_program_of_ones_own_that_imports_the_package_keeps_its_ways(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__init__.py").write_text("import experiments")
    waits = "import os, signal, time\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(5)\n"
    (tmp_path / "own" / "run.py").write_text(waits + 'except KeyboardInterrupt:\n    print("saved")\n')
    ran = subprocess.run(
        [sys.executable, "-c", "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
         "import os, sys; os.execv(sys.executable, [sys.executable, '-m', 'own.run'])"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "saved\n", "")
