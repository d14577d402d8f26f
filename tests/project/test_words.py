"""Words that the field does not use stand nowhere: not in the source, nor in messages, settings or pages."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RETIRED = [line for line in (Path(__file__).with_name("retired_words.txt")).read_text().splitlines() if line[:1] != "#"]
FORMER_NAMES = {
    "agents/baselines.py": {"clairvoyant"},
    "tests/experiments/fidelity/test_library.py": {"clairvoyant"},
    "CHANGELOG.md": {"clairvoyant"},
    "tests/project/test_words.py": {"clairvoyant"},
}
"""Files that say what a name was, and what it is now."""


def files():
    """All that a user reads or runs."""
    for folder in ("slicing_gym", "twin", "agents", "conf", "experiments", "tests", "docs", "examples"):
        yield from (
            path for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md", ".yaml", ".ipynb", ".css")
        )
    yield from (path for path in ROOT.iterdir() if path.suffix in (".md", ".toml", ".cff") or path.name == "Makefile")


def test_retired_words_stand_nowhere():
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, RETIRED)) + r")\b", re.IGNORECASE)
    found, read = [], 0
    for path in files():
        name, read = path.relative_to(ROOT).as_posix(), read + 1
        for number, line in enumerate(path.read_text().splitlines(), 1):
            words = {word.lower() for word in pattern.findall(line)} - FORMER_NAMES.get(name, set())
            found += [f"{name}:{number}: {word}" for word in words]
    assert read > 500
    assert found == []
