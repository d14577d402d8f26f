"""The subpackages of twin: arrows between them go one way; stepping a twin needs no PyTorch and no agent library."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP = {"__init__", "env", "planning", "registration", "twin"}
ALLOWED = {
    "data": {"data"},
    "inspection": {"inspection", "data"},
    "models": {"models", "data"},
    "runtime": {"runtime", "models", "data"},
    "fitting": {"fitting", "runtime", "models", "data"},
    "fidelity": {"fidelity", "fitting", "runtime", "models", "data"},
    "top": {"top", "fitting", "runtime", "models", "inspection", "data"},
    "traffic": {"traffic", "top", "models", "data"},
}
KINDS = {path.name for path in (ROOT / "twin" / "models").iterdir() if (path / "settings.py").exists()}


def imported(path: Path) -> set[str]:
    """Modules of twin that a file imports, anywhere in it, those for type checking included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("twin."):
            names.add(node.value)  # a name that is imported on demand
    return {name for name in names if name.split(".")[0] == "twin" and " " not in name}


def subpackage_of(name: str) -> str:
    """The subpackage that a module, or something in it, belongs to."""
    second = name.split(".")[1] if "." in name else ""
    return second if second in ALLOWED else "top"


@pytest.mark.parametrize("subpackage", ALLOWED)
def test_arrows_between_the_subpackages_go_one_way(subpackage):
    folder = ROOT / "twin" if subpackage == "top" else ROOT / "twin" / subpackage
    files = [folder / f"{name}.py" for name in TOP] if subpackage == "top" else sorted(folder.rglob("*.py"))
    assert files
    for path in files:
        for name in imported(path):
            assert subpackage_of(name) in ALLOWED[subpackage], f"{path.relative_to(ROOT)} imports {name}"


def test_every_file_of_twin_is_in_a_subpackage():
    assert {path.stem for path in (ROOT / "twin").glob("*.py")} == TOP
    assert {path.parent.name for path in (ROOT / "twin").glob("*/__init__.py")} == set(ALLOWED) - {"top"}


def test_a_kind_of_transition_is_known_in_its_own_folder_only():
    """But for the packages that name what is public, no module imports a kind's."""
    assert {"lstm", "transformer"} <= KINDS
    for path in (ROOT / "twin").rglob("*.py"):
        if path.parent.name in KINDS or path.name == "__init__.py":
            continue
        for name in imported(path):
            assert not set(name.split(".")) & KINDS, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("subpackage", ["data", "inspection", "models", "runtime", "fitting", "fidelity", "traffic"])
def test_every_subpackage_names_its_public_things(subpackage):
    module = import_module(f"twin.{subpackage}")
    assert module.__doc__
    assert len(set(module.__all__)) == len(module.__all__) > 0
    assert all(hasattr(module, name) for name in module.__all__)
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        module.nothing_of_that_name  # noqa: B018


@pytest.mark.parametrize("kind", ["shipped", "transformer"])
def test_loading_and_stepping_a_twin_imports_no_torch(kind, tmp_path):
    """In a fresh process; scipy and pandas are not needed either."""
    path = "paper"
    if kind != "shipped":
        from tests.helpers.twins import history_of, small_twin

        path = str(tmp_path / "twin.safetensors")
        small_twin(history_of("paper-1mhz"), kind, epochs=1).save(path)
    code = f"""
import sys
import gymnasium as gym
import numpy as np
import twin
env = gym.make("SliceTwin-v0", twin={path!r})
env.reset(seed=0)
for action in range(5):
    env.step(action)
envs = gym.make_vec("SliceTwin-v0", num_envs=3, twin={path!r})
envs.reset(seed=0)
envs.step(np.zeros(3, int))
heavy = {{"torch", "stable_baselines3", "scipy.stats", "pandas", "hydra", "matplotlib"}} & set(sys.modules)
assert not heavy, heavy
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
