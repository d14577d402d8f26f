"""`read_table`: a log of any form that DuckDB reads, as arrays, with what was found about its files."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym.reading import one_line
from twin.data.logs import cells, dates, dialect, engine, preamble
from twin.data.logs.cells import Wrong
from twin.data.logs.dialect import Dialect, Written
from twin.data.logs.files import FILE, Files, Source, opened

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Table:
    """A log as it stands in its files, n rows.

    Args:
        names: of all columns that there are.
        columns: those that were read, by name, in the files' order (n,): int64 or float64 (NaN where no number stands),
            bool, datetime64[us], or texts (object).
        files: names of the files.
        file: number of each row's file (n,).
        dialect: how the first file is written; None where it is no CSV.
        wrong: cells that are not what the rest of their column is.
        surplus: rows that have more fields than there are columns (k,).
        query: whether a query shaped the rows, which then have no lines.
        orders: of columns of dates that are not ISO, what comes first in them, see `dates.order_of`.
    """

    names: tuple[str, ...]
    columns: dict[str, npt.NDArray[Any]]
    files: tuple[str, ...]
    file: npt.NDArray[Any]
    dialect: Dialect | None
    wrong: dict[str, Wrong]
    surplus: IntArray
    query: bool
    _codes: dict[str, tuple[npt.NDArray[Any], list[str | None]]]
    _first_line: int
    orders: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.file)

    @cached_property
    def rows(self) -> IntArray:
        """The line of each row in its file (n,), as a text editor counts; of a query's result the number of the row."""
        if self.query or len(self) == 0:
            return np.arange(1, len(self) + 1)
        starts = np.searchsorted(self.file, np.arange(len(self.files)))
        lines: IntArray = np.arange(len(self)) - starts[self.file] + self._first_line
        if self.dialect is None:
            return lines
        for number, name in enumerate(self.files):
            count = int((self.file == number).sum())
            filled = _filled_lines(Path(name))
            if len(filled) - (self._first_line - 1) == count and len(filled) and filled[-1] != len(filled):
                lines[starts[number] : starts[number] + count] = filled[self._first_line - 1 :]
        return lines

    def where(self, row: int) -> str:
        """A row for messages: its line, and its file where there are several."""
        line = f"row {self.rows[row]}"
        if self.query:
            return f"{line} of the query's result"
        return line if len(self.files) < 2 else f"{line} of {self.files[self.file[row]]!r}"

    def codes(self, name: str) -> tuple[npt.NDArray[Any], list[Any]]:
        """The number of each row's value among the different ones (n,), and these, sorted."""
        if name in self._codes:
            return self._codes[name]
        values = self.columns[name]
        if values.dtype == object:
            different = sorted({each for each in values.tolist() if each is not None}, key=str)
            numbers = {value: number for number, value in enumerate([*different, None])}
            return np.array([numbers[each] for each in values.tolist()], np.int64), [*different, None]
        found, numbers_of = np.unique(values, return_inverse=True)
        return numbers_of, found.tolist()


def read_table(
    files: Files | Any,
    *,
    query: str | None = None,
    columns: Sequence[str] | None = None,
    as_text: Collection[str] = (),
) -> Table:
    """A log as arrays.

    Args:
        files: a path, a glob, a folder, or a list of these; CSV of any dialect, JSON lines or Parquet, also packed (gz,
            zst, zip); or a pandas DataFrame.
        query: SQL that shapes the log, which it calls `log`, before anything else; runs locked in (`run_query`). The
            name of a row's file is its column `file`.
        columns: those to read; None: all.
        as_text: columns that are read as texts even where they look like numbers.

    Returns:
        Rows in the order of the files.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: DuckDB is not installed.
        ValueError: it is not a table, lacks columns, its files have different columns, or the query fails.
    """
    if hasattr(files, "columns"):  # a DataFrame, which only its owner imports
        return _read_frame(files, query, columns, as_text)
    with opened(files) as source, engine.connected() as connection:
        import duckdb

        for path, name in zip(source.paths, source.names, strict=True):
            if source.kind == "csv" and preamble.is_blank(Path(path)):
                raise ValueError(f"log: {name!r} is empty, allowed is a table with a line of names and rows below it")
        faults = (duckdb.Error, UnicodeError, OverflowError, MemoryError)
        try:
            return _read(connection, source, query, columns, as_text)
        except faults as error:
            at, name, why = source.paths[0], source.names[0], error
            for path, each in zip(source.paths, source.names, strict=True):
                try:  # which of them it is
                    _read(connection, Source(source.kind, (path,), (each,)), query, columns, as_text)
                except faults as own:
                    at, name, why = path, each, own
                    break
            if re.search(
                "not utf-8 encoded|invalid utf-8", str(why), re.IGNORECASE
            ):  # DuckDB advises options of its own, which nobody can set
                raise ValueError(f"log: {name!r} is not UTF-8; {_as_utf_8(Path(at))}") from error
            line = preamble.header_line(Path(at)) if source.kind == "csv" else None
            if line is not None:
                raise ValueError(f"log: {name!r} is not a table: {preamble.above(line)}") from error
            if source.kind == "csv" and preamble.has_decimal_commas(Path(at)):
                raise ValueError(
                    f"log: {name!r} is not a table: its rows have more fields than its header, as where numbers have "
                    f"decimal commas and ',' stands between fields; {preamble.DECIMAL_COMMAS}"
                ) from error
            what = one_line(str(why).partition("\nLINE ")[0])
            raise ValueError(f"log: {name!r} is not a table ({what})") from error


def _read(
    connection: Any, source: Source, query: str | None, columns: Sequence[str] | None, as_text: Collection[str]
) -> Table:
    """The rows of files."""
    found = dialect.find_dialect(connection, source, () if query else columns or ()) if source.kind == "csv" else None
    if found is None:
        names = ", ".join(engine.text(path) for path in source.paths)
        reader = "read_parquet" if source.kind == "parquet" else "read_json"
        options = ", format='newline_delimited'" if source.kind == "json" and _are_lines(source) else ""
        options += ", union_by_name=true" if len(source.paths) > 1 else ""
        relation = f"{reader}([{names}]{options})"
    else:
        import duckdb

        relation = found.scan(source.paths)
        try:
            found = replace(found, numbers=_numbers(connection, relation, found))
            if found.quote:  # may hold line breaks, which the parallel reader refuses, but only when it meets one
                connection.execute(f"SELECT count({engine.quoted(found.names[0])}) FROM {relation}")
        except duckdb.Error as error:
            if "parallel" not in str(error):
                raise
            relation = found.scan(source.paths, parallel=False)
    first_line = 1 if found is None else 1 + found.skipped + found.header
    first_line = 2 if source.kind == "parquet" else first_line
    return _table(connection, relation, source.names, source.folders, found, first_line, query, columns, as_text)


def _numbers(connection: Any, relation: str, found: Dialect) -> Written:
    """How a CSV file writes its numbers; a comma in them takes another delimiter, or quotes."""
    other = found.delimiter != ","
    decimal = "," if other and dialect.decimal_comma(connection, relation, found.names) else "."
    if not (other or found.quote):
        return Written()
    return Written(decimal, dialect.grouped(connection, relation, found.names, decimal))


def _read_frame(frame: Any, query: str | None, columns: Sequence[str] | None, as_text: Collection[str]) -> Table:
    """The rows of a DataFrame, the first of which is row 2, as if its names stood in a line above."""
    names = [str(name) for name in frame.columns]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"log: {names.count(name)} columns {name!r} given, allowed is one")
    with engine.connected() as connection:
        connection.register("frame", frame.set_axis(names, axis=1))
        return _table(connection, "frame", ("the table",), [], None, 2, query, columns, as_text)


def _table(
    connection: Any,
    relation: str,
    files: tuple[str, ...],
    folders: Sequence[str],
    found: Dialect | None,
    first_line: int,
    query: str | None,
    columns: Sequence[str] | None,
    as_text: Collection[str],
) -> Table:
    written = Written() if found is None else found.numbers
    types = dialect.columns_of(connection, relation)
    if query is not None:
        _shape(connection, relation, types, written, files, folders, query, as_text)
        relation, written = "shaped", Written()
        types = dialect.columns_of(connection, relation)
    names = [name for name in types if name != dialect.BEYOND]
    dialect.check_names(names, columns or ())
    types = {name: kind for name, kind in types.items() if columns is None or name in (*columns, dialect.BEYOND)}
    kinds = cells.kinds_of(connection, relation, types, written, as_text)
    got = cells.fetch(connection, relation, types, kinds, written)
    surplus = got.columns.pop(dialect.BEYOND, np.empty(0, np.bool_))
    count = len(next(iter(got.columns.values())))
    file: npt.NDArray[Any] = np.zeros(count, np.int8)
    if len(files) > 1 and query is None:
        file = connection.execute(f"SELECT file_index FROM {relation}").fetchnumpy()["file_index"].astype(np.int32)
    return Table(
        tuple(names),
        got.columns,
        files,
        file,
        found,
        got.wrong,
        np.flatnonzero(surplus),
        query is not None,
        got.codes,
        first_line,
        {name: kind for name, kind in kinds.items() if kind in (dates.DAY_FIRST, dates.MONTH_FIRST)},
    )


def _shape(
    connection: Any,
    relation: str,
    types: Mapping[str, str],
    written: Written,
    files: Sequence[str],
    folders: Sequence[str],
    query: str,
    as_text: Collection[str],
) -> None:
    """Run a query on the columns as what they are, and the file; what is not a number is NULL there.

    Dates that are not ISO are texts there, which a query may parse itself.
    """
    kinds = cells.kinds_of(connection, relation, types, written, as_text)
    kinds = {name: "text" if kind in (dates.DAY_FIRST, dates.MONTH_FIRST) else kind for name, kind in kinds.items()}
    selected = ", ".join(
        f"{cells.typed(name, kind, types[name], written)} AS {engine.quoted(name)}"
        for name, kind in kinds.items()
        if name != dialect.BEYOND
    )
    if FILE not in types:
        names = ", ".join(engine.text(file) for file in files)
        number = "CAST(file_index AS BIGINT)" if len(files) > 1 else "0"
        selected += f", [{names}][{number} + 1] AS {FILE}"
    connection.execute(f"CREATE VIEW {engine.TABLE} AS SELECT {selected} FROM {relation}")
    engine.run_query(connection, query, folders)


def _are_lines(source: Source) -> bool:
    """Whether JSON is one value per line, not one array; by the name."""
    return any(Path(path.removesuffix(".gz").removesuffix(".zst")).suffix.lower() != ".json" for path in source.paths)


def _as_utf_8(path: Path) -> str:
    """What to do with a file that is not UTF-8, packed or not."""
    suffix, codes = path.suffix.lower(), {"Latin-1": "LATIN1", "UTF-16": "UTF-16"}
    unpack = {".gz": "gzip -dc <file> | ", ".zst": "zstd -dc <file> | "}.get(suffix, "")
    if suffix != ".zst":  # of which Python has no reader
        try:
            with gzip.open(path) if suffix == ".gz" else path.open("rb") as file:
                marked = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
        except (OSError, EOFError, zlib.error):  # damaged
            marked = False
        codes = {"UTF-16, as it begins": "UTF-16"} if marked else {"Latin-1": "LATIN1"}
    given = "" if unpack else " <file>"
    ways = [f"of {name}: {unpack}iconv -f {code} -t UTF-8{given} > <new file>" for name, code in codes.items()]
    return f"write it as UTF-8 ({'; '.join(ways)})"


def _filled_lines(path: Path) -> IntArray:
    """The numbers of a text file's lines that are not blank, from 1; none where it is packed or gone."""
    if path.suffix.lower() in (".gz", ".zst") or not path.is_file():
        return np.empty(0, np.int64)
    content = np.frombuffer(path.read_bytes(), np.uint8)
    ends = np.append(np.flatnonzero(content == 10), len(content))
    begins = np.append(0, ends[:-1] + 1)
    blank = (ends == begins) | ((ends == begins + 1) & (content[np.minimum(begins, len(content) - 1)] == 13))
    return np.flatnonzero(~blank) + 1
