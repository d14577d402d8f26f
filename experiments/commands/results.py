"""How a command ends that has a report and files: what cannot be written is shown all the same."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol


class Reported(Protocol):
    """What a command has found."""

    def report(self) -> str:
        """It, as text."""

    def write(self, folder: Any, /) -> Sequence[Path]:
        """Write it into a folder; what was written."""


def write_and_show(result: Reported, folder: Path) -> None:
    """Write a result into a folder, print its report, and say what was written.

    Raises:
        OSError: a file cannot be written; the report has been printed.
    """
    try:
        written = result.write(os.path.relpath(folder))
    finally:
        print(result.report())
    print(f"written: {', '.join(map(str, written))}")
