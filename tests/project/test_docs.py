"""The Python shown in README and docs runs as it stands."""

from __future__ import annotations

import re
import sys
from types import ModuleType

import pytest

from tests.helpers.pages import PAGES, name_of

BLOCKS = [
    pytest.param(block, id=f"{name_of(path)}-{number}")
    for path in PAGES
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_block_runs(block, monkeypatch):
    """In a module of the name that the pages give it: what one block registers, the same block may register again."""
    module = ModuleType("mine")
    monkeypatch.setitem(sys.modules, "mine", module)
    module.gym = __import__("gymnasium")  # a later block may go on from an earlier one's import
    before = len(vars(module))
    exec(block.replace("20_000", "300").replace("verbose=1", "verbose=0"), vars(module))
    assert len(vars(module)) > before + 1


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_pictures_are_there(page):
    for target in re.findall(r"\]\(([^)#]+?)\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def headings(page):
    """Anchors of a page's headings, as GitHub and the site make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    found = [re.sub(r"[^\w\- ]", "", line.lower()) for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    return {line.strip().replace(" ", "-") for line in found}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_into_pages_find_their_headings(page):
    for target, anchor in re.findall(r"\]\(([^)#:]*\.md)?#([^)]+)\)", page.read_text()):
        named = (page.parent / target).resolve() if target else page
        assert anchor in headings(named), (target, anchor)
