"""The columns of a relation as arrays: which are numbers, times or texts, and which cells are none of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.data.logs import dates
from twin.data.logs.dialect import BEYOND, Written
from twin.data.logs.engine import quoted, text

LARGEST_WHOLE = 2**53
"""Beyond it a float64 does not hold every whole number."""

_SAMPLE = 20_000  # rows that decide what a column of texts is
_FEW = 1_000  # different texts in the sample, up to which they are fetched as codes

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")


@dataclass(frozen=True, eq=False)
class Wrong:
    """Cells of a column that are not numbers (or times) though most of the column is.

    Args:
        rows: where (k,).
        texts: what stands there (k,): an empty text for an empty cell, None where the row is too short or nothing was
            measured.
    """

    rows: npt.NDArray[np.int64]
    texts: npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Cells:
    """Columns as arrays (n,).

    Args:
        columns: int64 or float64 (NaN where no number stands), bool, datetime64[us] (NaT), or texts (object; None where
            the row is too short).
        wrong: cells that are not what their column is, by column.
        codes: of columns of few texts, the number of each row's text, and the texts.
    """

    columns: dict[str, npt.NDArray[Any]]
    wrong: dict[str, Wrong]
    codes: dict[str, tuple[npt.NDArray[Any], list[str | None]]] = field(default_factory=dict)


def kinds_of(
    connection: Any, relation: str, types: Mapping[str, str], written: Written, as_text: Collection[str]
) -> dict[str, str]:
    """What each column is: "number", "whole", "bool", "time", a kind of `dates`, "codes" (few texts) or "text".

    A column of texts holds numbers where at least half of the cells that are not empty do; digits with a zero in front
    (masks, telephone numbers) are texts. The first 20 000 rows decide.
    """
    kinds = {name: _kind_of_type(kind) for name, kind in types.items()}
    kinds |= {BEYOND: "surplus"} if BEYOND in kinds else {}
    unknown = [name for name, kind in kinds.items() if kind == "text"]
    if not unknown:
        return kinds
    tests = []
    for name in unknown:
        cell = quoted(name)
        tests += [
            f"count(*) FILTER ({cell} <> '')",
            f"count({as_number(name, written)})",
            f"count({dates.as_stamp(cell)})",
            f"count(*) FILTER (regexp_full_match({cell}, '0\\d+'))",
            f"approx_count_distinct({cell})",
            f"count(*) FILTER ({dates.is_date(cell)})",
        ]
    found = connection.execute(f"SELECT {', '.join(tests)} FROM (SELECT * FROM {relation} LIMIT {_SAMPLE})").fetchone()
    for place, name in enumerate(unknown):
        filled, numbers, times, padded, distinct, others = found[6 * place : 6 * place + 6]
        if name in as_text or (padded and numbers == filled):
            numbers = times = others = 0
        order = dates.order_of(connection, relation, name) if filled and 2 * others >= filled else None
        if filled and 2 * numbers >= filled:
            kinds[name] = "number"
        elif filled and 2 * times >= filled:
            kinds[name] = "time"
        elif order:
            kinds[name] = order
        elif distinct <= _FEW:
            kinds[name] = "codes"
    return kinds


def _kind_of_type(kind: str) -> str:
    if kind in _INTEGERS:
        return "whole"
    if kind == "BOOLEAN":
        return "bool"
    if kind in ("FLOAT", "DOUBLE", "UBIGINT", "HUGEINT", "UHUGEINT") or kind.startswith("DECIMAL"):
        return "number"
    return "time" if kind.startswith(("TIMESTAMP", "DATE")) else "text"


def as_number(name: str, written: Written) -> str:
    """SQL that makes a number of a text."""
    cell = quoted(name)
    if name in written.grouped:
        cell = f"replace({cell}, {text(written.separator)}, '')"
    if written.decimal != ".":
        cell = f"replace({cell}, {text(written.decimal)}, '.')"
    return f"TRY_CAST({cell} AS DOUBLE)"


def typed(name: str, kind: str, column_type: str, written: Written) -> str:
    """SQL that makes of a column what it is."""
    if kind == "number":
        return as_number(name, written) if column_type == "VARCHAR" else f"CAST({quoted(name)} AS DOUBLE)"
    if kind == "time":
        return dates.as_stamp(quoted(name)) if column_type == "VARCHAR" else f"TRY_CAST({quoted(name)} AS TIMESTAMP)"
    if kind in (dates.DAY_FIRST, dates.MONTH_FIRST):
        return dates.as_time(name, kind)
    if kind == "surplus":
        return f"coalesce({quoted(name)} <> '', false)"
    if kind in ("codes", "text"):
        return f"CAST({quoted(name)} AS VARCHAR)"
    return quoted(name)


def fetch(
    connection: Any, relation: str, types: Mapping[str, str], kinds: Mapping[str, str], written: Written
) -> Cells:
    """All rows of a relation, column by column."""
    texts = _different_texts(connection, relation, [name for name, kind in kinds.items() if kind == "codes"])
    selected = []
    for place, (name, kind) in enumerate(kinds.items()):
        expression = typed(name, kind, types[name], written)
        if name in texts:
            listed = ", ".join(text(each) for each in texts[name] if each is not None) or "''"
            connection.execute(f"CREATE OR REPLACE TYPE texts_{place} AS ENUM ({listed})")
            expression = f"enum_code(CAST({expression} AS texts_{place}))"
        selected.append(f"{expression} AS c{place}")
    fetched = connection.execute(f"SELECT {', '.join(selected)} FROM {relation}").fetchnumpy()
    columns: dict[str, npt.NDArray[Any]] = {}
    wrong: dict[str, Wrong] = {}
    codes: dict[str, tuple[npt.NDArray[Any], list[str | None]]] = {}
    for place, (name, kind) in enumerate(kinds.items()):
        values = fetched.pop(f"c{place}")
        if name in texts:
            numbers = np.ma.filled(values, len(texts[name]) - 1)  # cells without a text have the last number
            codes[name] = (numbers, texts[name])
            columns[name] = np.array(texts[name], object)[numbers]
            continue
        columns[name], missing = _plain(values, kind)
        if kind not in ("text", "bool", "surplus") and missing.any():
            wrong[name] = _wrong_cells(connection, relation, name, np.flatnonzero(missing), types[name] == "VARCHAR")
    return Cells(columns, wrong, codes)


def _different_texts(connection: Any, relation: str, names: list[str]) -> dict[str, list[str | None]]:
    """The texts of columns that have few, sorted; None last where a cell has none."""
    if not names:
        return {}
    lists = ", ".join(f"list(DISTINCT {quoted(name)}), count(*) - count({quoted(name)})" for name in names)
    found = connection.execute(f"SELECT {lists} FROM {relation}").fetchone()
    different = {}
    for place, name in enumerate(names):
        texts = sorted(str(each) for each in found[2 * place] or [] if each is not None)
        different[name] = [*texts, *([None] if found[2 * place + 1] else [])]
    return different


def _plain(values: Any, kind: str) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """An array without a mask, and where it lacks a value; whole numbers become int64."""
    mask = np.ma.getmaskarray(values) if np.ma.isMaskedArray(values) else None
    array: npt.NDArray[Any] = np.asarray(values)
    if kind in ("time", dates.DAY_FIRST, dates.MONTH_FIRST):
        array = array.astype("datetime64[us]", copy=False)
        if mask is not None:
            array[mask] = np.datetime64("NaT")
        return array, np.isnat(array)
    if kind in ("text", "bool", "surplus"):
        if mask is not None and mask.any():
            array = array.astype(object)
            array[mask] = None
        return array, np.zeros(len(array), np.bool_)
    if kind == "whole" and (mask is None or not mask.any()):
        return array.astype(np.int64, copy=False), np.zeros(len(array), np.bool_)
    array = array.astype(np.float64, copy=False)
    if mask is not None:
        array[mask] = np.nan
    lacking = np.isnan(array)
    if not lacking.any() and _all_whole(array):
        array = array.astype(np.int64)
    return array, lacking


def _all_whole(values: npt.NDArray[np.float64]) -> bool:
    """Whether all are whole numbers that int64 and float64 hold; block by block, for columns are long."""
    for start in range(0, len(values), 65_536):
        block = values[start : start + 65_536]
        if not (
            np.isfinite(block).all() and (np.abs(block) <= LARGEST_WHOLE).all() and (block == np.rint(block)).all()
        ):
            return False
    return True


def _wrong_cells(connection: Any, relation: str, name: str, rows: npt.NDArray[np.int64], texts: bool) -> Wrong:
    """What stands in cells that are not what their column is; nothing where the column holds no texts."""
    found = np.full(len(rows), None, object)
    if texts:
        every = connection.execute(
            f"SELECT row, cell FROM (SELECT row_number() OVER () - 1 AS row, {quoted(name)} AS cell FROM {relation}) "
            f"WHERE row BETWEEN {rows[0]} AND {rows[-1]} AND "
            "(cell IS NULL OR TRY_CAST(replace(cell, ',', '.') AS DOUBLE) IS NULL OR lower(cell) LIKE '%nan%')"
        ).fetchall()
        by_row = dict(every)
        for place, row in enumerate(rows.tolist()):
            found[place] = by_row.get(row, "")
    return Wrong(rows, found)
