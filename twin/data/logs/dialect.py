"""How a CSV file is written, as DuckDB finds it, and whether that can be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from twin.data.logs.engine import quoted, text
from twin.data.logs.files import Source

ABSENT = "\x01"
"""Stands for a field that a row lacks; an empty field is an empty text."""


_MOST_NAMES = 20

BEYOND = "\x01"
"""The column of what stands behind the last one that the header names; no file can have one of this name."""


@dataclass(frozen=True)
class Written:
    """How numbers are written.

    Args:
        decimal: "." or ",".
        grouped: columns whose thousands are separated by the other of the two.
    """

    decimal: str = "."
    grouped: tuple[str, ...] = ()

    @property
    def separator(self) -> str:
        """What stands between thousands."""
        return "." if self.decimal == "," else ","


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    Args:
        names: of the columns, in order.
        delimiter, quote: one character each; no quote is an empty text.
        header: whether the first line names the columns.
        numbers: how they are written.
        skipped: lines before the header.
    """

    names: tuple[str, ...]
    delimiter: str = ","
    quote: str = ""
    header: bool = True
    numbers: Written = Written()
    skipped: int = 0

    def scan(self, paths: Sequence[str], parallel: bool = True) -> str:
        """SQL that reads files of it, every cell as text: short rows are filled up, long ones end in `BEYOND`."""
        names = ", ".join(text(path) for path in paths)
        columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in (*self.names, BEYOND))
        options = [
            "auto_detect=false",
            f"delim={text(self.delimiter)}",
            f"quote={text(self.quote)}",
            f"escape={text(self.quote)}",
            f"header={str(self.header).lower()}",
            f"skip={self.skipped}",
            f"columns={{{columns}}}",
            f"nullstr={text(ABSENT)}",
            "null_padding=true",
            *([] if parallel else ["parallel=false"]),
        ]
        return f"read_csv([{names}], {', '.join(options)})"


def find_dialect(connection: Any, source: Source, wanted: Sequence[str]) -> Dialect:
    """The dialect of the first file; all the others must have its columns.

    DuckDB's sniffing raises no error where it fails. Told that rows may be short and cells are text it finds the
    delimiter of dirty files, too; where it takes the names for a row, though a wanted one is among them, it is
    corrected.

    Raises:
        ValueError: files of different columns.
    """
    found = _sniff(connection, source.paths[0])
    if not found.header:
        named = _sniff(connection, source.paths[0], ", header=true")
        found = named if set(wanted) & set(named.names) else found
    for path, name in zip(source.paths[1:], source.names[1:], strict=True):
        other = _sniff(connection, path, f", header={str(found.header).lower()}, delim={text(found.delimiter)}")
        if other.names != found.names:
            raise ValueError(_difference(source.names[0], found.names, name, other.names))
    return found


def _sniff(connection: Any, path: str, options: str = "") -> Dialect:
    """What DuckDB finds in one file."""
    delimiter, quote, skipped, header, columns = connection.execute(
        "SELECT Delimiter, Quote, SkipRows, HasHeader, Columns FROM "
        f"sniff_csv({text(path)}, all_varchar=true, null_padding=true{options})"
    ).fetchone()
    names = tuple(column["name"] for column in columns)
    if header and names[-1] == f"column{len(names) - 1}":  # the longest row has more fields than the header
        unnamed = Dialect(names, delimiter, "" if quote in (None, "(empty)") else quote, False, skipped=int(skipped))
        first = connection.execute(f"SELECT * FROM {unnamed.scan([path])} LIMIT 1").fetchone()
        names = tuple(name for name, cell in zip(names, first, strict=False) if cell is not None)
    return Dialect(names, delimiter, "" if quote in (None, "(empty)") else quote, bool(header), skipped=int(skipped))


def _difference(first: str, names: Sequence[str], other: str, others: Sequence[str]) -> str:
    """The message for files of different columns."""
    differ = sorted(set(names).symmetric_difference(others))
    odd = ", ".join(map(repr, differ[:3])) + (" ..." if len(differ) > 3 else "")
    what = f"only one of them has {odd}" if differ else "they stand in another order"
    return f"log: {other!r} has other columns than {first!r}: {what}; read them apart, or name fewer files"


def columns_of(connection: Any, relation: str) -> dict[str, str]:
    """DuckDB's types of the columns, by name, in order."""
    return {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}


def decimal_comma(connection: Any, relation: str, names: Sequence[str]) -> bool:
    """Whether some column of texts has numbers with a comma for a point."""
    tests = ", ".join(
        f"count(*) FILTER (regexp_full_match({quoted(name)}, '[+-]?\\d+,\\d+')) * 2 > "
        f"count(*) FILTER ({quoted(name)} <> '')"
        for name in names
    )
    return bool(names) and any(connection.execute(f"SELECT {tests} FROM {relation}").fetchone())


def grouped(connection: Any, relation: str, names: Sequence[str], decimal: str) -> tuple[str, ...]:
    """Columns of numbers with separated thousands, as 1.483 or 1.147,5 where the decimal is a comma.

    All separators of a column have to stand at thousands: 12.5 in it is a fault, or a decimal point. Some number has to
    do without: 100,200 in each row may be a list.
    """
    separator = Written(decimal).separator
    number = rf"[+-]?[1-9]\d{{0,2}}([{separator}]\d{{3}})+([{decimal}]\d+)?"
    plain, tests = rf"[+-]?\d{{1,3}}([{decimal}]\d+)?", []
    for name in names:
        cell = quoted(name)
        held = f"count(*) FILTER (contains({cell}, {text(separator)}))"
        fits, less = (f"count(*) FILTER (regexp_full_match({cell}, {text(each)}))" for each in (number, plain))
        tests.append(f"{held} > 0 AND {held} = {fits} AND {less} > 0")
    found = connection.execute(f"SELECT {', '.join(tests)} FROM {relation}").fetchone() if names else ()
    return tuple(name for name, each in zip(names, found, strict=True) if each)


def check_names(names: Sequence[str], wanted: Sequence[str]) -> None:
    """Refuse a log that lacks wanted columns; the message has the nearest names.

    Raises:
        ValueError: a column is missing.
    """
    for name in wanted:
        if name not in names:
            nearest = get_close_matches(name, names, n=3, cutoff=0.5)
            likely = f"; is it {' or '.join(map(repr, nearest))}?" if nearest else ""
            shown = ", ".join(names[:_MOST_NAMES]) + (
                f" and {len(names) - _MOST_NAMES} more" * (len(names) > _MOST_NAMES)
            )
            raise ValueError(f"log: the mapping wants column {name!r}, which the log lacks{likely} (it has {shown})")
