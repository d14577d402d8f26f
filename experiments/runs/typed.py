"""What was typed for runs, as Hydra left it in their folders."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from slicing_gym.reading import one_line
from slicing_gym.yaml_reading import read_yaml

LONGEST = 60
"""Characters of a value in a sentence."""

LONGEST_LINE = 140
"""Characters of a line of values."""

SILENT = {
    *("seed", "progress", "resume", "checkpoint_s", "imports", "trust", "torch_threads", "without_twin", "device"),
    *("with_planner", "scenario", "scenario.name", "head", "agent.name", "evaluation.policies"),
    "agent.arguments.seed",  # of an agent that was made in Python, as searches and `train` make them
    *("agent", "twin"),
}
"""Keys that change no result, are each run's own, or go by another name."""


def overrides_of(folder: Path) -> tuple[str, ...] | None:
    """What was typed, as Hydra left it in a folder, or in that of the run that this one followed; None: nothing."""
    above = folder.parent if folder.name in ("without_twin", "planner", "plain") else folder
    for place in (folder, above):
        try:
            found = read_yaml("folder", place / ".hydra" / "overrides.yaml")
        except (OSError, ValueError):
            continue
        if isinstance(found, list):
            return tuple(map(str, found))
    return None


def typed_for_all(overrides: Sequence[Sequence[str]], known: Collection[str] = ()) -> list[str]:
    """What was typed for each of several runs alike, but for what changes no result.

    Args:
        overrides: of each run.
        known: keys that are shown elsewhere.
    """
    last = [{each.lstrip("+~").partition("=")[0]: each for each in own} for own in overrides]
    first, *others = last or [{}]
    silent = {*SILENT, *known}
    return [
        each
        for key, each in first.items()
        if key not in silent and not key.startswith("hydra") and all(own.get(key) == each for own in others)
    ]


def as_a_line(found: Sequence[str], notes: Sequence[str] = ()) -> str:
    """What was typed for all runs as a sentence, cut where it is long; "" where nothing was.

    Args:
        found: what `typed_for_all` returns.
        notes: what to say behind each of them; empty: nothing.
    """
    shown: list[str] = []
    for each, note in zip(found, notes or [""] * len(found), strict=True):
        shown.append(one_line(each, LONGEST) + note)
        if len(", ".join(shown)) > LONGEST_LINE:
            break
    more = [f"and {len(found) - len(shown)} more"] if len(found) > len(shown) else []
    return f"typed for all runs: {', '.join([*shown, *more])}" if found else ""
