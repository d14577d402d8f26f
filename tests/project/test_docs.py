"""The Python shown in README and docs runs as it stands, but for a few sizes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALLER = {"20_000": "300", "max_epochs=10": "max_epochs=1", "copies=16": "copies=2", "verbose=1": "verbose=0"}
"""What is written otherwise here: sizes, so that an example takes a second, and what it prints on the way."""
BLOCKS = [
    pytest.param(block, id=f"{path.relative_to(ROOT)}-{number}")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_block_runs(block, monkeypatch):
    """In a module of the name that the pages give it: what one block registers, the same block may register again."""
    module = ModuleType("mine")
    monkeypatch.setitem(sys.modules, "mine", module)
    module.gym = __import__("gymnasium")  # a later block may go on from an earlier one's import
    before = len(vars(module))
    for size, less in SMALLER.items():
        block = block.replace(size, less)
    exec(block, vars(module))
    assert len(vars(module)) > before + 1


@pytest.mark.parametrize("path", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_links_and_pictures_are_there(path):
    page = ROOT / path
    for target in re.findall(r"\]\(([^)#]+?)\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target
