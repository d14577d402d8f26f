"""What is not clean in a log: cells that hold no value, rows that are a field short, and rows that stand twice."""

from __future__ import annotations

from twin.inspection.cells import IntArray
from twin.inspection.facts import LogFacts
from twin.inspection.findings import Finding, listed

MOST_LINES = 8
"""Lines that are not clean which a message lists one by one; of more it has the kinds."""

_MOST_NAMES, _MOST_KINDS = 3, 6


def dirty(facts: LogFacts, lines: IntArray) -> list[Finding]:
    """Cells that hold no value, rows that are a field short, doubled rows and rows that differ, all at once.

    Args:
        facts: of the log.
        lines: of its rows (n,) in their files.
    """
    wrong: dict[int, list[str]] = {}
    for place, text in (*_wrong_cells(facts), *_doubled(facts, lines)):
        wrong.setdefault(place, []).append(text)
    if not wrong:
        return []
    found = sorted((int(lines[place]), "; ".join(texts)) for place, texts in wrong.items())
    shown = _by_kind(found)
    if len(found) <= MOST_LINES:
        shown = listed([f"{line} ({text})" for line, text in found], MOST_LINES)
    noun = "line is" if len(found) == 1 else "lines are"
    return [Finding("cells", f"{len(found):,} {noun} not clean: {shown}", tuple(line for line, _ in found))]


def _wrong_cells(facts: LogFacts) -> list[tuple[int, str]]:
    """Row and what is wrong of the cells that hold no value of their column's kind, alike ones of a row together."""
    wrong: dict[tuple[int, str | None], list[str]] = {}
    for name, each in facts.cells.items():
        for place, text in zip(each.wrong.tolist(), each.shown, strict=True):
            wrong.setdefault((place, None if text is None else text.strip()), []).append(name)
    return [(place, _said(text, names)) for (place, text), names in wrong.items()]


def _said(text: str | None, names: list[str]) -> str:
    """What is wrong with cells of a row in which the same stands; None: the row is too short to have them."""
    columns = listed(names, _MOST_NAMES)
    if text is None:
        return f"{'a field' if len(names) == 1 else f'{len(names)} fields'} short: no {columns}"
    return f"{text[:20]!r} in {columns}" if text else f"{columns} {'is' if len(names) == 1 else 'are'} empty"


def _doubled(facts: LogFacts, lines: IntArray) -> list[tuple[int, str]]:
    """Rows of a slice, user and time that there was a row of."""
    if facts.timing is None or facts.mixed:
        return []
    first, again = facts.again
    found = []
    for one, other, same in zip(first.tolist(), again.tolist(), facts.repeats.tolist(), strict=True):
        text = f"repeats line {lines[one]}" if same else f"differs from line {lines[one]} of the same slice and time"
        found.append((other, text))
    return found


def _by_kind(found: list[tuple[int, str]]) -> str:
    """How many lines there are of each kind, and the first of them; of doubled ones whichever line they are like."""
    kinds: dict[str, list[int]] = {}
    for line, text in found:
        before, mark, _ = text.partition(" line ")
        kinds.setdefault(f"{before} another" if mark else text, []).append(line)
    most = sorted(kinds.items(), key=lambda pair: -len(pair[1]))
    return listed(
        [
            f"{len(rows):,} x {kind} ({'line' if len(rows) == 1 else 'lines'} {listed(rows, _MOST_NAMES)})"
            for kind, rows in most
        ],
        _MOST_KINDS,
    )
