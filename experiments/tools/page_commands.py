"""What people read: README, docs and notebooks of a checkout, and the commands in them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from experiments.tools.package import ROOT
from slicing_gym import get_scenario

MARKDOWN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))

STANDS_FOR = {"my_log.csv": str(ROOT / "docs" / "data" / "synthetic_log.csv"), "device=cuda": "device=cpu"}
"""What readers have, and what is taken in its place where commands are tried."""

PLACEHOLDERS = {
    "<colosseum_slicing_log.csv>": "docs/data/synthetic_log.csv",
    "<name>": "paper-1mhz",
    "<run folder>": "runs/mine",
    "<its run>": "runs/mine",
    "<path>.yaml": "mine/scenario/mine.yaml",
    "<history.npz>": "runs/mine/history.npz",
    "policy=runs/<run>": "policy=runs/mine scenario=paper-1mhz",
    "runs/<run>": "runs/mine",
    "runs/<sweep>": "runs/first_sweep",
    "runs/<the folder it wrote>": "runs/evaluation",
}
"""What stands for a placeholder: made by other commands, or by `write_own_modules`."""

OWN_MODULES = ("my_package", "mine")
"""What docs/bring-your-own.md and docs/extending.md ask a reader to write."""

_COMMAND = r"(?:python -m experiments\.|slicing-gym |python (?=examples/))([a-z_/]+(?:\.[a-z_]+)*)((?: [^\n`]*)?)"
_ON_PROCESSORS = r"(?:taskset \S+ \S+ )?"
_IN_MINE = {"agent/my_agent.yaml": "bring-your-own", "twin/moving_average.yaml": "extending"}


class ShownCommand(NamedTuple):
    """A command as a page shows it.

    Args:
        page: where it stands, from the root.
        topic: `train` of `python -m experiments.train` and of `slicing-gym train`, `tools.ship` of the developers',
            `examples/what_if.py` of an example.
        arguments: what follows.
    """

    page: str
    topic: str
    arguments: str

    def __str__(self) -> str:
        program = self.topic if "/" in self.topic else f"-m experiments.{self.topic}"
        return f"python {program} {self.arguments}".rstrip()


def text_of(path: Path) -> str:
    """A page's Markdown, each command on one line: a backslash joins it with the next."""
    return re.sub(r"\\\n +", "", path.read_text())


def texts() -> Iterator[tuple[Path, str]]:
    """Every page with its Markdown; of a notebook that of its cells."""
    for path in MARKDOWN:
        yield path, text_of(path)
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text())["cells"]
        yield path, "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def commands() -> list[ShownCommand]:
    """Each different command that begins a line of a code block, or stands alone in backticks."""
    found: dict[tuple[str, str], ShownCommand] = {}
    for path, text in texts():
        typed = re.findall(f"^{_ON_PROCESSORS}{_COMMAND}$", unlabelled_blocks(text), re.MULTILINE)
        typed += re.findall(f"`{_COMMAND}`", without_code(text))
        for topic, arguments in typed:
            each = ShownCommand(str(path.relative_to(ROOT)), topic, arguments.partition("  #")[0].strip())
            found.setdefault((each.topic, each.arguments), each)
    return list(found.values())


def unlabelled_blocks(text: str) -> str:
    """The code blocks of a page that name no language: what is typed into a shell, and what it answers."""
    fenced = re.findall(r"^```([^\n]*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return "\n".join(block for language, block in fenced if not language)


def without_code(text: str) -> str:
    """A page without its code blocks, in which `#` is no heading and brackets are no link."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def write_own_modules(folder: Path) -> None:
    """Write what readers are asked to write, modules and configurations, into the folder where commands are typed."""
    (folder / "my_package.py").write_text(
        "from tests.helpers.own_agents import Logarithms as Logs, Middle, SoftTargets as MyDQN, tenth\n"
    )
    (folder / "mine.py").write_text(_definitions((ROOT / "docs" / "extending.md").read_text()))
    for file, page in _IN_MINE.items():
        (folder / "mine" / file).parent.mkdir(parents=True, exist_ok=True)
        block = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / f"{page}.md").read_text(), re.DOTALL)
        assert block is not None
        (folder / "mine" / file).write_text(block[1])
    scenario = folder / "mine" / "scenario" / "mine.yaml"
    scenario.parent.mkdir(exist_ok=True)
    get_scenario("paper-1mhz").replace(name="mine").save(scenario)


def _definitions(page: str) -> str:
    """Imports, classes and functions of a page's examples, as one module."""
    found = []
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        kinds = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)
        found += [ast.unparse(node) for node in ast.parse(block).body if isinstance(node, kinds)]
    return "\n\n".join(found)
