"""The programs of the frameworks that are installed here; `python -m tests.compat` runs each in its own environment."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compat.frameworks import ENVIRONMENT_IDS, EXAMPLES, FRAMEWORKS, named

ROOT = Path(__file__).resolve().parents[2]
each_framework = pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda each: each.module)


@each_framework
def test_a_framework_trains_in_both_environments(framework, tmp_path):
    modules = (framework.module, "tree") if framework.module == "ray" else (framework.module,)  # Ray without RLlib
    if any(importlib.util.find_spec(module) is None for module in modules):
        pytest.skip(f"{framework.name} is not installed; python -m tests.compat {framework.module}")
    paths = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *framework.commands[0]]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=paths)
    assert ran.returncode == 0, ran.stderr
    assert [line for line in ran.stdout.splitlines() if line.startswith("trained: ")] == [
        f"trained: {name}" for name in ENVIRONMENT_IDS
    ]


@each_framework
def test_the_page_has_its_row_with_the_version_that_was_tried(framework):
    page = (ROOT / "docs" / "compatibility.md").read_text()
    (row,) = re.findall(rf"^\| {re.escape(framework.name)} \|.*$", page, re.MULTILINE)
    assert f"| {framework.distribution} {framework.version}" in row
    assert row.count("trained from recorded decisions") == 2 * framework.recorded
    assert f"`{framework.line}`" in row


def test_examples_on_a_framework_are_run_with_it():
    """What no extra brings runs nowhere else."""
    examples = {path.name for path in EXAMPLES.glob("*.py") if re.search(r"needs \w+ in addition", path.read_text())}
    assert examples == {framework.example for framework in FRAMEWORKS if framework.example}


def test_frameworks_are_named_by_their_modules():
    assert [each.name for each in named(["ray", "skrl"])] == ["RLlib", "skrl"]
    with pytest.raises(ValueError, match="framework: rllib given, allowed are stable_baselines3"):
        named(["rllib"])
