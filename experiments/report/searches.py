"""Searches for settings below folders, as `experiments.search` left them: trials, importances, picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slicing_gym.reading import read_csv

JOURNAL_FILE, TRIALS_FILE, IMPORTANCES_FILE, PICTURE_FILE = "study.log", "study.csv", "importances.csv", "study.png"
MOST_TRIALS = 25
"""Trials that a report shows, the best."""


@dataclass(frozen=True)
class FoundSearch:
    """A search.

    Args:
        folder: of its study.
        number: of its trials.
        header: of its trials' table.
        trials: the best, a row each.
        importances: by key, as it is shown.
        picture: PNG with the trials in parallel coordinates; None if there is none.
    """

    folder: Path
    number: int
    header: list[str]
    trials: list[list[str]]
    importances: list[list[str]]
    picture: bytes | None


def find_searches(folders: Sequence[Path]) -> tuple[list[FoundSearch], list[str]]:
    """The searches in folders or below them, and a sentence on each that has no tables yet, or damaged ones."""
    searches, faults = {}, []
    for path in (path for folder in folders for path in sorted(folder.rglob(JOURNAL_FILE))):
        try:
            searches[path.resolve()] = _read_search(path.parent)
        except (OSError, ValueError) as error:
            faults.append(f"search in {path.parent}: no tables of its trials yet, or damaged ones ({error})")
    return list(searches.values()), faults


def _read_search(folder: Path) -> FoundSearch:
    header, rows = read_csv("folder", folder / TRIALS_FILE, ["value"])
    column = header.index("value")
    best = sorted(rows, key=lambda row: -float(row[column]) if row[column] else math.inf)[:MOST_TRIALS]
    picture = folder / PICTURE_FILE
    path = folder / IMPORTANCES_FILE
    importances = read_csv("folder", path)[1] if path.is_file() else []
    shown = picture.read_bytes() if picture.is_file() else None
    return FoundSearch(folder, len(rows), header, best, importances, shown)
