"""DuckDB as the reader of logs: a connection, what it says when it fails, and queries that may do nothing but read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

TABLE = "log"
"""What a mapping's query calls the log."""

_MESSAGE_LINES = 4


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text in SQL."""
    return "'" + value.replace("'", "''") + "'"


def short(error: Exception) -> str:
    """The first lines of a message, each cut at 200 characters."""
    lines = [line[:200] for line in str(error).splitlines() if line.strip()]
    return "\n".join(lines[:_MESSAGE_LINES])


@contextmanager
def connected() -> Iterator[Any]:
    """A connection to an empty database in memory, which looks at no variable of Python.

    Its time zone is UTC, whatever the machine's: stamps with a zone are read as the times of UTC.

    Raises:
        ImportError: DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError as error:
        raise ImportError('reading a log needs DuckDB: pip install "slicing-gym[logs]"') from error
    connection = duckdb.connect()
    try:
        connection.execute("SET python_enable_replacements = false")
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def run_query(connection: Any, query: str, folders: Sequence[str]) -> None:
    """Make what a mapping's query gives the table `shaped`; a mapping may come from anybody.

    The query is a single SELECT and runs locked in: it reads the log and what lies in its folders, and nothing else.
    DuckDB's `allowed_directories` may be written to as well, which is why nothing but a SELECT is let through.

    Raises:
        ValueError: it is something else, or fails; the message has DuckDB's first lines.
    """
    import duckdb

    try:
        statements = connection.extract_statements(query)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            kinds = ", ".join(each.type.name for each in statements) or "nothing"
            raise ValueError(f"mapping.query: {kinds} given, allowed is one SELECT from {TABLE}")
        names = ", ".join(text(folder) for folder in folders)
        connection.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
        connection.execute(f"SET allowed_directories = [{names}]")
        connection.execute("SET enable_external_access = false; SET lock_configuration = true")
        inner = query.rstrip().rstrip(";")
        connection.execute(f"CREATE TABLE shaped AS SELECT * FROM ({inner}\n)")
    except duckdb.Error as error:
        line = re.search(r"LINE (\d+):", str(error))
        where = f" line {line.group(1)}:" if line else ""
        raise ValueError(f"mapping.query:{where} {short(error)}") from error
