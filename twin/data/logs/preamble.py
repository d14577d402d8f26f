"""Lines of text that a report has above its table, which DuckDB takes for a part of it."""

from __future__ import annotations

import csv
import gzip
import zlib
from itertools import islice
from pathlib import Path

MOST_LINES = 60
"""Lines that are looked at."""

_LEAST_ROWS = 3

_BLANKS = 65_536
"""Bytes that are read at once in search of the first that is no blank."""


def header_line(path: Path) -> int | None:
    """The line, from 1, that is likely the header, where others stand above it; None if there is none, or no text.

    From it on all lines have as many fields, at least two, and it has no number among them.
    """
    lines = _first_lines(path)
    found = max((_rows(lines, delimiter) for delimiter in ";\t|,"), key=lambda rows: len(rows[-1]) if rows else 0)
    first = len(found)
    while first and len(found[first - 1]) == len(found[-1]) > 1:
        first -= 1
    likely = 0 < first < len(found) - _LEAST_ROWS and all(map(_is_name, found[first]))
    return first + 1 if likely else None


def _first_lines(path: Path) -> list[str]:
    """The first lines of a file, without their ends; none where it is no text."""
    packed = path.suffix.lower() == ".gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8") if packed else path.open(encoding="utf-8") as file:
            lines = [line.rstrip("\r\n") for line in islice(file, MOST_LINES)]
    except (OSError, ValueError, EOFError, zlib.error):
        return []
    return lines[:-1] if len(lines) == MOST_LINES else lines  # a quoted field may go on in the next


def is_blank(path: Path) -> bool:
    """Whether a file, packed by gzip perhaps, has nothing but blanks and line breaks."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            return all(not part.strip() for part in iter(lambda: file.read(_BLANKS), b""))
    except (OSError, EOFError, zlib.error):
        return False  # what is wrong with it is said by what reads it


def has_decimal_commas(path: Path) -> bool:
    """Whether a text file likely has numbers with decimal commas and commas between fields, too.

    Then every row below the header has more fields than it, and all of these are filled.
    """
    rows = _rows(_first_lines(path), ",")
    return len(rows) > 1 and all(len(row) > len(rows[0]) > 1 and all(row) for row in rows[1:])


DECIMAL_COMMAS = "write it with ';' between fields, or with decimal points"
"""What to do about numbers with decimal commas where fields have commas between them."""


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    """The fields of lines, without blank lines at the end."""
    try:
        rows = [next(csv.reader([line], delimiter=delimiter), []) for line in lines]
    except csv.Error:  # a field is longer than this module takes
        return []
    while rows and not rows[-1]:
        rows.pop()
    return rows


def above(line: int) -> str:
    """What to do about the lines above a header."""
    return (
        f"line {line} looks like the header: delete the lines above it (tail -n +{line} <file> > <new file>, and set "
        "log to the new file)"
    )


def _is_name(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return bool(text.strip())
    return False
