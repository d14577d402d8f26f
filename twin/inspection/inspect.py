"""`inspect_log`: what a log is, what is special about it and what is wrong with it, and a mapping to begin with."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from twin.data.logs.files import Files
from twin.data.logs.mapping import LogMapping
from twin.data.logs.preamble import DECIMAL_COMMAS, above, header_line
from twin.data.logs.reader import Table, read_table
from twin.inspection.cells import Cells
from twin.inspection.comments import comments_of, to_text
from twin.inspection.describe import findings_of
from twin.inspection.dirt import dirty
from twin.inspection.facts import LogFacts, facts_of
from twin.inspection.findings import Finding, in_order, listed
from twin.inspection.proposal import proposal_of
from twin.inspection.report import headline, roles, sections


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found out about a log.

    Args:
        name: of the log, for tables.
        num_rows: of all files.
        facts: its columns, intervals, slices and allocations.
        findings: what is special or wrong, the most important first.
        dialect: how its files are written.
        query: that shaped it; None: none did.
    """

    name: str
    num_rows: int
    facts: LogFacts
    findings: tuple[Finding, ...]
    dialect: str
    query: str | None = None

    @property
    def what(self) -> str:
        """What it can be used for: "allocation", "constant", "passive" or "nothing"."""
        return self.facts.what

    @property
    def columns(self) -> Mapping[str, Cells]:
        """The cells of each column."""
        return self.facts.cells

    @property
    def roles(self) -> dict[str, str]:
        """What each column is likely to be, by its name."""
        return roles(self.facts)

    @cached_property
    def keys(self) -> dict[str, Any]:
        """The keys of the proposal as builtin types; none if the log cannot be read as it is."""
        return proposal_of(self.facts, Path(self.name).name.partition(".")[0] or "log", self.query)

    @property
    def proposal(self) -> LogMapping | None:
        """A mapping to begin with; None if the log cannot be read as it is."""
        return LogMapping.from_dict(self.keys) if self.keys else None

    def mapping_yaml(self) -> str:
        """The proposal as commented YAML; only a comment if there is none."""
        head = f"What the columns of {self.name} mean, proposed by experiments.inspect: look at each line, edit, keep."
        if not self.keys:
            head = "\n".join([f"No mapping can be proposed for {self.name}:", *map(str, self.findings)])
        return to_text(self.keys, head, comments_of(self.facts))

    def report(self) -> str:
        """All of it as text, the most important first."""
        return "\n".join(
            [headline(self.facts, self.name, self.num_rows), *sections(self.facts, self.findings, self.dialect)]
        )


def inspect_log(files: Files | Any, *, query: str | None = None) -> Inspection:
    """Look at a log, whatever its form.

    Args:
        files: a path, a glob, a folder, or a list of these (CSV of any dialect, JSON lines, Parquet; gz, zst, zip), or
            a DataFrame.
        query: SQL that shapes it before (the key `query` of a mapping).

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: DuckDB is not installed.
        ValueError: it is not a table, or the query fails.
    """
    try:
        table = read_table(files, query=query)
    except ValueError as error:
        raise ValueError(str(error).partition("\n")[0] if query is None else str(error)) from error
    if not len(table) or not table.columns:
        raise ValueError(
            f"log: {table.files[0]!r} has no rows, allowed is a table with a line of names and rows below it"
        )
    with np.errstate(over="ignore", invalid="ignore"):  # broken numbers are findings, and not NumPy's to report
        facts = facts_of(table)
        found = [
            *dirty(facts, table.rows),
            *findings_of(facts, table.rows),
            *_of_files(table),
        ]
    return Inspection(_name(table), len(table), facts, tuple(in_order(found)), _dialect(table), query)


def _name(table: Table) -> str:
    """What a log is called: its file, or how many there are."""
    first = Path(table.files[0]).name
    return first if len(table.files) == 1 else f"{first} and {len(table.files) - 1:,} more"


def _dialect(table: Table) -> str:
    """How the files are written."""
    found = table.dialect
    if found is None:
        end = Path(table.files[0]).name.lower()
        return next((kind for mark, kind in _KINDS.items() if mark in end), "a table")
    quote = f", quote {found.quote}" if found.quote else ""
    header = "a header" if found.header else "no header"
    skipped = f", {found.skipped} lines skipped above it" if found.skipped else ""
    return f"CSV, delimiter {found.delimiter!r}, decimal {found.numbers.decimal!r}{quote}, {header}{skipped}"


_KINDS = {".parquet": "Parquet", ".pq": "Parquet", ".jsonl": "JSON lines", ".ndjson": "JSON lines", ".json": "JSON"}


def _of_files(table: Table) -> Iterator[Finding]:
    """What is unusual about the files themselves."""
    for name, order in table.orders.items():
        yield Finding("dialect", f"{name} has dates that are read with the {order.partition('_')[0]} first")
    found = table.dialect
    if found is None:
        yield Finding("dialect", f"written as {_dialect(table)}")
        return
    if (found.delimiter, found.numbers.decimal) != (",", "."):
        decimal = " and decimal commas" if found.numbers.decimal == "," else ""
        yield Finding("dialect", f"written with {found.delimiter!r} between fields{decimal}")
    if found.numbers.grouped:
        named = listed(found.numbers.grouped, 3)
        yield Finding("dialect", f"{found.numbers.separator!r} between thousands, which is left out, in {named}")
    names = _with_decimal_commas(table) if found.delimiter == "," else []
    if names:
        yield Finding(
            "dialect", f"texts that look like numbers with decimal commas: {listed(names, 3)}; {DECIMAL_COMMAS}"
        )
    line = header_line(Path(table.files[0]))
    if line is not None and line != found.skipped + 1:
        yield Finding("no_header", above(line))
    elif not found.header:
        yield Finding(
            "header",
            f"no line of names: columns are called {listed(list(table.columns), 3)}; put one above the first row",
        )
    fields = _fields(Path(table.files[0]), found.delimiter, found.skipped) if found.header else []
    if len(fields) == 2 and fields[0] != fields[1]:
        commas = found.delimiter == "," and fields[1] > fields[0]
        yield Finding(
            "header",
            f"the header has {fields[0]} fields, the first row {fields[1]}: what stands behind the last name is left "
            "out (a reader that makes the first column an index shifts every column)"
            + (f"; if numbers have decimal commas, {DECIMAL_COMMAS}" if commas else ""),
        )
    if len(table.surplus):
        rows = tuple(table.rows[table.surplus].tolist())
        yield Finding("cells", f"{len(rows):,} rows have more fields than the header: lines {listed(rows)}", rows)


def _with_decimal_commas(table: Table) -> list[str]:
    """Columns of texts most of which are numbers with a decimal comma, and not all with commas at the thousands."""
    found = []
    for name, values in table.columns.items():
        texts = [each for each in table.codes(name)[1] if each] if values.dtype == object else []
        numbers = [each for each in texts if re.fullmatch(r"[+-]?\d+,\d+", each)]
        if len(numbers) * 2 > len(texts) and not all(
            re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", each) for each in numbers
        ):
            found.append(name)
    return found


def _fields(path: Path, delimiter: str, skipped: int) -> list[int]:
    """How many fields the header and the first row have; empty where that cannot be seen."""
    if path.suffix.lower() not in (".csv", ".tsv", ".txt") or not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        for _ in range(skipped):
            file.readline()
        lines = [file.readline(), file.readline()]
    try:
        return [len(row) for row in csv.reader(lines, delimiter=delimiter)]
    except csv.Error:  # a field is longer than this module takes; what reads the log takes it
        return []
