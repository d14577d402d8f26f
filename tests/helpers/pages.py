"""The pages that a user reads: README and docs."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))


def text_of(path: Path) -> str:
    """A page's text, each command on one line: a backslash joins it with the next."""
    return path.read_text().replace("\\\n", " ")


def name_of(path: Path) -> str:
    """The page in the name of a test."""
    return path.relative_to(ROOT).as_posix()
