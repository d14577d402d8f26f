"""What is not clean in a log: cells that hold no value, rows that are a field short, and rows that stand twice."""

from __future__ import annotations

import numpy as np

from twin.inspection.cells import IntArray
from twin.inspection.facts import LogFacts
from twin.inspection.findings import Finding, listed

MOST_LINES = 8
"""Lines that are not clean of which a message says what is wrong."""


def dirty(facts: LogFacts, lines: IntArray) -> list[Finding]:
    """Cells that hold no value, rows that are a field short, doubled rows and rows that differ, all at once.

    Args:
        facts: of the log.
        lines: of its rows (n,) in their files.
    """
    wrong = sorted(_wrong_cells(facts, lines) + _doubled(facts, lines))
    if not wrong:
        return []
    shown = listed([f"{line} ({text})" for line, text in wrong], MOST_LINES)
    more = _by_kind([text for _, text in wrong]) if len(wrong) > MOST_LINES else ""
    noun = "line is" if len(wrong) == 1 else "lines are"
    rows = tuple(line for line, _ in wrong)
    return [Finding("cells", f"{len(wrong):,} {noun} not clean: {shown}{more}", rows)]


def _wrong_cells(facts: LogFacts, lines: IntArray) -> list[tuple[int, str]]:
    """Line and what is wrong of every cell that holds no value of its column's kind."""
    found: list[tuple[int, str]] = []
    short: dict[int, list[str]] = {}
    for name, each in facts.cells.items():
        for place, text in zip(each.wrong.tolist(), each.shown, strict=True):
            if text is None:
                short.setdefault(int(lines[place]), []).append(name)
            else:
                found.append((int(lines[place]), f"{text[:20]!r} in {name}" if text.strip() else f"{name} is empty"))
    for line, names in short.items():
        fields = "a field" if len(names) == 1 else f"{len(names)} fields"
        found.append((line, f"{fields} short: no {listed(names, 3)}"))
    return found


def _doubled(facts: LogFacts, lines: IntArray) -> list[tuple[int, str]]:
    """Rows of a slice, user and time that there was a row of."""
    if facts.timing is None or facts.mixed:
        return []
    first, again = facts.again
    found = []
    for one, other in zip(first.tolist(), again.tolist(), strict=True):
        same = all(_same(each.numbers[one], each.numbers[other]) for each in facts.cells.values())
        text = f"repeats line {lines[one]}" if same else f"differs from line {lines[one]} of the same slice and time"
        found.append((int(lines[other]), text))
    return found


def _same(one: float, other: float) -> bool:
    return one == other or (np.isnan(one) and np.isnan(other))


def _by_kind(texts: list[str]) -> str:
    """How many there are of each kind of text, digits aside."""
    kinds: dict[str, int] = {}
    for text in texts:
        word = text.partition(" line ")[0] if " line " in text else text
        kinds[word] = kinds.get(word, 0) + 1
    most = sorted(kinds.items(), key=lambda pair: -pair[1])
    return f"; in all: {listed([f'{count:,} x {kind}' for kind, count in most], 6)}"
