"""The subpackages of experiments: arrows between them go one way, libraries need no Hydra, and imports do nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "experiments"
LOW = {"config", "reporting"}
ALLOWED = {
    "config": set(),
    "reporting": {"config"},
    "environments": set(),
    "runs": {"config", "environments"},
    "sweeps": {*LOW, "runs"},
    "commands": {*LOW, "runs", "sweeps"},  # of every __main__
    "evaluate": {*LOW, "environments", "runs"},
    "train": {*LOW, "environments", "runs", "evaluate"},
    "offline": {*LOW, "environments", "runs", "evaluate", "train"},
    "distill": {*LOW, "environments", "runs", "evaluate"},
    "landscape": {*LOW, "runs"},
    "inspect": LOW,
    "describe": LOW,
    "export": {"config", "environments", "runs", "evaluate"},
    "fidelity": {*LOW, "runs", "evaluate"},
    "what_if": {*LOW, "environments", "runs", "evaluate"},
    "calibration": {*LOW, "fidelity"},
    "traffic": {*LOW, "fidelity"},
    "regret": {"reporting", "runs", "evaluate"},
    "report": {*LOW, "runs", "sweeps", "evaluate", "train", "regret"},
    "figures": {*LOW, "train", "offline", "regret"},
    "benchmark": {*LOW, "evaluate"},
    "benchmark_suite": {*LOW, "environments", "runs", "evaluate", "train", "sweeps"},
    "search": {*LOW, "environments", "runs", "evaluate", "train", "offline", "sweeps"},
    "tools": {*LOW, "runs", "sweeps", "evaluate", "train", "fidelity", "commands", "report"},
}
LIBRARIES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    for path in ROOT.rglob("*.py")
    if path.stem not in ("__main__", "__init__")
    and path not in (ROOT / "config" / "hydra.py", ROOT / "config" / "refusals.py")
    and "tools" not in path.relative_to(ROOT).parts
    and path.parent.name != "commands"
    and ("sweeps" not in path.parts or path.name in ("names.py", "plan.py"))
)


def subpackages_imported(path: Path) -> set[str]:
    """Subpackages of experiments that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.split(".")[1] for name in names if name.startswith("experiments.")}
    return found


def test_every_module_is_in_a_subpackage():
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py", "__main__.py"}
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} == set(ALLOWED)
    assert {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "_"} == set(ALLOWED)


@pytest.mark.parametrize("subpackage", ALLOWED)
def test_arrows_between_the_subpackages_go_one_way(subpackage):
    order = list(ALLOWED)
    for path in (ROOT / subpackage).rglob("*.py"):
        allowed = ALLOWED[subpackage] | ({"commands"} if path.name == "__main__.py" else set())
        assert subpackages_imported(path) - {subpackage} <= allowed, path
    assert all(order.index(below) < order.index(subpackage) for below in ALLOWED[subpackage])


@pytest.mark.parametrize("subpackage", ALLOWED)
def test_every_subpackage_says_what_it_is_and_names_its_public_things(subpackage):
    module = import_module(f"experiments.{subpackage}")
    assert module.__doc__
    assert all(hasattr(module, name) for name in getattr(module, "__all__", []))


def test_libraries_import_no_hydra_and_importing_them_does_nothing():
    """One process for all: matplotlib keeps its backend, logging its handlers, torch its threads."""
    code = """
import importlib, logging, os, sys, warnings
import gymnasium, matplotlib, scipy.stats, stable_baselines3, sympy, torch, tqdm.auto
before = (dict(matplotlib.rcParams), torch.get_num_threads(), logging.root.handlers[:], logging.root.level,
          dict(os.environ), warnings.filters[:], sys.argv[:])
for name in sys.argv[1:]:
    importlib.import_module(name)
    assert "hydra" not in sys.modules and "omegaconf" not in sys.modules, name
after = (dict(matplotlib.rcParams), torch.get_num_threads(), logging.root.handlers[:], logging.root.level,
         dict(os.environ), warnings.filters[:], sys.argv[:])
for one, other in zip(before, after):
    assert one == other, (one, other)
"""
    done = subprocess.run([sys.executable, "-c", code, *LIBRARIES], cwd=ROOT.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_module_imports_scipy_stats_before_it_is_needed():
    """That takes most of a second, of every command; functions may import it."""
    for package in ("agents", "experiments", "slicing_gym", "twin"):
        for path in (ROOT.parent / package).rglob("*.py"):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.Import | ast.ImportFrom):
                    of = getattr(node, "module", "") or ""
                    names = {of, *(f"{of}.{alias.name}".strip(".") for alias in node.names)}
                    assert "scipy.stats" not in names, path


def test_commands_are_thin():
    """Composing, checking, calling and printing: the longest, of training, takes 180 lines; all else is a library's."""
    for path in ROOT.rglob("__main__.py"):
        lines = len(path.read_text().splitlines())
        assert lines <= 180, f"{path}: {lines} lines"


def test_no_two_subpackages_call_different_things_by_one_name():
    """But for the names that they share: their settings, what they report and write, which keys have lists; jobs."""
    shared = {"Settings", "prepare", "how_to_go_on", "main", "as_table", "table", "write", "LISTS", "RENAMED"}
    shared |= {"Job", "start", "OUTPUT", "STATES"}  # of a sweep and of Algorithm 1; of runs and of students
    places: dict[str, set[str]] = {}
    for path in ROOT.rglob("*.py"):
        for name in names_at_the_top(path):
            places.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    twice = {name: found for name, found in places.items() if len(found) > 1 and name not in shared}
    assert not twice


def names_at_the_top(path: Path) -> set[str]:
    """Functions, classes and constants that a module defines, but for those that begin with an underscore."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = [each for target in targets for each in (target.elts if isinstance(target, ast.Tuple) else [target])]
        found |= {each.id for each in names if isinstance(each, ast.Name) and each.id.isupper()}
    return {name for name in found if not name.startswith("_")}
