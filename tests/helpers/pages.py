"""What people read: README, docs and notebooks, wherever they stand, and the commands in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
MARKDOWN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


class Typed(NamedTuple):
    """A command as a page shows it.

    Args:
        page: where it stands, from the root.
        topic: `train` of `python -m experiments.train` and of `slicing-gym train`, `tools.ship` of the developers'.
        arguments: what follows.
    """

    page: str
    topic: str
    arguments: str


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


_COMMAND = r"(?:python -m experiments\.|slicing-gym )([a-z_]+(?:\.[a-z_]+)*)((?: [^\n`]*)?)"


def commands() -> list[Typed]:
    """Each different command that begins a line of a code block, or stands alone in backticks."""
    found: dict[tuple[str, str], Typed] = {}
    for path, text in texts():
        fenced = re.findall(r"^```([^\n]*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        blocks = "\n".join(block for language, block in fenced if not language)
        typed = re.findall(f"^{_COMMAND}$", blocks, re.MULTILINE) + re.findall(f"`{_COMMAND}`", without_code(text))
        for topic, arguments in typed:
            each = Typed(str(path.relative_to(ROOT)), topic, arguments.partition("  #")[0].strip())
            found.setdefault((each.topic, each.arguments), each)
    return list(found.values())


def headings(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    found: dict[str, int] = {}
    anchors = set()
    for title in re.findall(r"^#{1,6} +(.+?)\s*$", without_code(text), re.MULTILINE):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", title)
        anchor = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        anchors.add(f"{anchor}-{found[anchor]}" if anchor in found else anchor)
        found[anchor] = found.get(anchor, 0) + 1
    return anchors


def without_code(text: str) -> str:
    """A page without its code blocks, in which `#` is no heading and brackets are no link."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
