"""Every program of `experiments` goes on where nobody reads what it prints: its entry has the one wrapper of output."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import experiments

ROOT = Path(experiments.__file__).parent
COMMAND = ROOT / "commands" / "command.py"


def begun_by(tree):
    """Names of the functions that a module calls when it is run as a program, those of arguments among them."""
    blocks = [node for node in tree.body if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)]
    calls = [node for block in blocks for node in ast.walk(block) if isinstance(node, ast.Call)]
    return {node.func.id for node in calls if isinstance(node.func, ast.Name)} - {"SystemExit"}


def steady(tree):
    """Names of the functions of a module that have the wrapper."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {each.name for each in functions if "steady_output()" in map(ast.unparse, each.decorator_list)}


TREES = {path: ast.parse(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}
BEGUN_BY_OTHERS = {ROOT / name for name in ("search/worker.py", "tools/fake_slurm.py", "tools/fuzz/nursery.py")}
"""Programs that another one begins, which reads what they print."""
SCRIPT = ROOT / "__main__.py"
"""The console script, which becomes another program, and has a test of its own (tests/slicing_gym/test_cli.py)."""
PROGRAMS = [path for path, tree in TREES.items() if begun_by(tree) and path not in {*BEGUN_BY_OTHERS, SCRIPT}]


def test_programs_are_found():
    assert {path for path in TREES if path.name == "__main__.py"} <= {*PROGRAMS, SCRIPT}
    assert len(PROGRAMS) > 15


def test_the_command_line_of_every_topic_has_the_wrapper():
    assert "command" in steady(TREES[COMMAND])


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_program_begins_with_has_the_wrapper(path):
    tree = TREES[path]
    from_there = {
        each.asname or each.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "experiments.commands"
        for each in node.names
        if each.name == "command"
    }
    assert begun_by(tree) & (steady(tree) | from_there)
