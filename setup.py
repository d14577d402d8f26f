"""What pyproject.toml cannot say: the README as a package index shows it, where relative links lead nowhere."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).resolve().parent


def description(readme: str, repository: str, version: str) -> str:
    """The README with links and pictures by their addresses in the repository.

    Args:
        readme: its Markdown.
        repository: address of the repository; without one links become their text, and pictures are left out.
        version: whose tag, such as v0.1.0, the links lead to.
    """

    def absolute(found: re.Match[str]) -> str:
        picture, text, target = found.groups()
        if target.startswith(("https://", "#")):
            return found[0]
        if not repository:
            return "" if picture else text
        return f"{picture}[{text}]({repository}/{'raw' if picture else 'blob'}/v{version}/{target})"

    return re.sub(r"(!?)\[([^]]*)\]\(([^)\s]+)\)", absolute, readme)


def written(pattern: str, file: str) -> str:
    """What a file of the checkout says in a line of this form; nothing where it has none."""
    found = re.search(pattern, (HERE / file).read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""


if __name__ == "__main__":
    setup(
        long_description=description(
            (HERE / "README.md").read_text(encoding="utf-8"),
            written(r'^Repository = "(.+?)/?"$', "pyproject.toml"),
            written(r'^__version__ = "(.+)"$', "slicing_gym/version.py"),
        ),
        long_description_content_type="text/markdown",
    )
