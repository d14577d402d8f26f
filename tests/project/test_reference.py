"""The API reference has whatever the docs and the examples import or name."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from typing_extensions import is_protocol

from experiments.tools.package import ROOT
from experiments.tools.page_commands import MARKDOWN, NOTEBOOKS, texts

OURS = ("slicing_gym", "twin", "agents", "experiments")
PAGES = sorted((ROOT / "docs" / "api").glob("*.md"))


def described():
    """Dotted names in the reference, and what they are; packages of which it has all that they export among them."""
    found = {}
    for page in PAGES:
        for kind, name in re.findall(r"^\.\. (exports|autofunction|autoclass):: ([\w.]+)$", page.read_text(), re.M):
            found[name] = thing(name)
            if kind == "exports":
                found |= {f"{name}.{each}": getattr(found[name], each) for each in found[name].__all__}
    return found


def thing(dotted):
    """What a dotted name names: a module, or what is in one."""
    package, _, name = dotted.rpartition(".")
    try:
        return import_module(dotted)
    except ModuleNotFoundError:
        return getattr(thing(package), name)


def named(text):
    """Dotted names in backticks; `twin.performance.structure` and `twin.safetensors` are a key and a file."""
    for name in re.findall(rf"`((?:{'|'.join(OURS)})(?:\.[A-Za-z]\w*)+)(?=[`(])", text):
        if name.startswith("experiments.") or hasattr(thing(name.partition(".")[0]), name.split(".")[1]):
            yield name


def code():
    """Python that readers see, by the file in which it stands."""
    for path in MARKDOWN:
        for block in re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL):
            yield path, block
    for path in sorted((ROOT / "examples").glob("*.py")):
        yield path, path.read_text()
    for path in NOTEBOOKS:
        cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
        yield path, "\n".join("".join(cell["source"]) for cell in cells)


def imported(block):
    """Dotted names of ours that a block imports."""
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in OURS)


IMPORTED = sorted({(str(path.relative_to(ROOT)), name) for path, block in code() for name in imported(block)})


@pytest.fixture(scope="module")
def reference():
    return described()


@pytest.mark.parametrize(("page", "name"), IMPORTED)
def test_what_docs_and_examples_import_is_in_the_reference(page, name, reference):
    """Under that name, or a shorter one."""
    assert name in reference or any(thing(name) is each for each in reference.values()), page


def test_what_pages_name_is_in_the_reference(reference):
    """A dotted name in backticks is of something public: a class or function of ours, or a part of one."""
    missing = set()
    for path, text in texts():
        for name in named(text):
            value = thing(name)
            known = name in reference or name.rpartition(".")[0] in reference
            if (
                not isinstance(value, ModuleType)
                and not known
                and all(value is not each for each in reference.values())
            ):
                missing.add(f"{Path(path).name}: {name}")
    assert missing == set()


def assigned_with_a_docstring(module):
    """Names of a module's top level whose assignment has a docstring below it."""
    body = ast.parse(inspect.getsource(module)).body
    for node, below in itertools.pairwise(body):
        targets = [*getattr(node, "targets", []), getattr(node, "target", None)]
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            yield from (each.id for each in targets if isinstance(each, ast.Name))


def test_every_constant_of_it_is_described(reference):
    constants = {
        name: value
        for name, value in reference.items()
        if not (isinstance(value, type | ModuleType) or inspect.isroutine(value)) and "__" not in name
    }
    assert {"twin.ARRIVALS", "experiments.benchmark_suite.PROTOCOL"} <= set(constants)
    for name, value in constants.items():
        last = name.rpartition(".")[2]
        modules = [each for key, each in sys.modules.items() if key.split(".")[0] in OURS and hasattr(each, "__file__")]
        own = [each for each in modules if vars(each).get(last) is value]
        assert any(last in assigned_with_a_docstring(each) for each in own), name


def is_described(value, doc):
    """Whether a docstring describes the arguments: by "Args:", in code, in Markdown, or as those of another thing."""
    names = [] if is_protocol(value) else [name for name in inspect.signature(value).parameters if name[0] != "_"]
    section = any(title in doc for title in ("Args:\n", "## Arguments\n"))
    return section or all(f"`{each}`" in doc for each in names) or re.search(r"rguments\b.* those of `", doc)


def test_every_argument_of_it_is_described(reference):
    missing = []
    for name, value in reference.items():
        is_error = isinstance(value, type) and issubclass(value, BaseException)
        if is_error or not (isinstance(value, type) or inspect.isroutine(value)):
            continue
        doc = inspect.getdoc(value) or ""
        try:
            described = is_described(value, doc)
        except ValueError:  # no signature: a type of NumPy's or of the language
            continue
        if not described:
            missing.append(name)
    assert missing == []


def test_arguments_that_are_not_described_would_be_found():
    def add(a, b):
        return a + b

    assert not is_described(add, "The sum.")
    assert not is_described(add, "The sum of `a`.")
    assert is_described(add, "The sum of `a` and `b`.")
    assert is_described(add, "The sum.\n\nArgs:\n    a: one.\n    b: another.")
    assert is_described(add, "The sum.\n\nArguments and errors: those of `subtract`.")


def test_every_page_of_it_says_what_it_is_for():
    for page in PAGES:
        assert page.read_text().splitlines()[2].startswith("After this page you can "), page
