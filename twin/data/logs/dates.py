"""Dates as logs write them: with the day or the month first, which only a whole column can tell, and hours up to 12."""

from __future__ import annotations

import datetime
import re
from typing import Any

from twin.data.logs.engine import quoted, text

DAY_FIRST, MONTH_FIRST = "day_first", "month_first"

CLEARLY = 10.0
"""How many times as long the longest pause of one order of day and month has to be for the other to be taken."""

_FORM = (
    r"\s*(\d{1,2})([./-])(\d{1,2})[./-](\d{4})(?:,?[ T]+(\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?))?\s*"
)
"""Two numbers that are day and month, a year of four digits, perhaps a time: `27.11.2026 14:05:00,250`."""

_HALF = r"\s*([AaPp])[Mm]\s*$"
"""Which half of a day a time of 12 hours is in; a cast of DuckDB ignores it."""

_ISO = {DAY_FIRST: r"\4-\3-\1 \5", MONTH_FIRST: r"\4-\1-\3 \5"}


def shown(seconds: float) -> str:
    """A time since 1970 as a date, without what is zero below minutes."""
    try:
        date = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=round(seconds * 1e6))
    except OverflowError:
        return f"{seconds:g}"
    exact = "minutes" if date.second == date.microsecond == 0 else "milliseconds" if date.microsecond else "seconds"
    return date.isoformat(sep=" ", timespec=exact)


def readings(cell: str) -> list[float]:
    """What a single date may mean, in seconds since 1970; empty if it is none.

    As in a column, a zone is left out, points mean the day first, and 07/11/2026 may be of November or of July.
    """
    parts = re.fullmatch(_FORM, cell)
    if parts is None:
        return _seconds(cell)
    first, mark, second, year, hours = parts.groups(default="")
    days = [(first, second), (second, first)]
    found = [_seconds(f"{year}-{month:0>2}-{day:0>2} {hours}") for day, month in days if int(month) <= 12]
    unique = sorted({seconds for each in found for seconds in each})
    return found[0] if mark == "." and found else unique


def _seconds(date: str) -> list[float]:
    """Of a date with the year first; empty if it is none."""
    half = re.search(_HALF, date)
    plain = re.sub(r"([ T])(\d):", r"\g<1>0\2:", re.sub(_HALF, "", date).strip().replace(",", "."))
    try:
        found = datetime.datetime.fromisoformat(plain).replace(tzinfo=None)
    except ValueError:
        return []
    if half is not None:
        found = found.replace(hour=found.hour % 12 + (12 if half[1] in "Pp" else 0))
    return [(found - datetime.datetime(1970, 1, 1)).total_seconds()]


def is_date(cell: str) -> str:
    """SQL whether a cell is such a date."""
    return f"coalesce(regexp_full_match({cell}, {text(_FORM)}), false)"


def as_stamp(cell: str) -> str:
    """SQL that makes a time of a text with the year first; NULL if it is none."""
    half, plain = f"lower(regexp_extract({cell}, {text(_HALF)}, 1))", f"regexp_replace({cell}, {text(_HALF)}, '')"
    stamp = f"TRY_CAST(trim({plain}) AS TIMESTAMP)"
    hours = f"CASE WHEN {half} = 'p' AND hour({stamp}) < 12 THEN 12 WHEN {half} = 'a' AND hour({stamp}) = 12 THEN -12"
    return f"({stamp} + to_hours({hours} ELSE 0 END))"


def order_of(connection: Any, relation: str, name: str) -> str | None:
    """What comes first in the dates of a column: `DAY_FIRST`, `MONTH_FIRST`, or None where that cannot be told.

    A number above 12 is a day, which decides for all cells. Where there is none, points mean the day first. Other
    separators say nothing, for 07/11/2026 is one date in London and another one in New York; the order without long
    pauses is taken, if only one has such.
    """
    cell = quoted(name)
    first, mark, second = (f"regexp_extract({cell}, {text(_FORM)}, {group})" for group in (1, 2, 3))
    days = [f"TRY_CAST({number} AS INTEGER) > 12" for number in (first, second)]
    tests = [f"{days[0]} AND NOT {days[1]}", f"{days[1]} AND NOT {days[0]}", f"{mark} <> '.'"]
    counts = ", ".join(f"count(*) FILTER ({test})" for test in tests)
    day, month, other = connection.execute(f"SELECT {counts} FROM {relation} WHERE {is_date(cell)}").fetchone()
    if day and month:
        return None
    if day or month:
        return DAY_FIRST if day else MONTH_FIRST
    return _by_steps(connection, relation, name) if other else DAY_FIRST


def _by_steps(connection: Any, relation: str, name: str) -> str | None:
    """The order in which the times of a column go on at midnight, where the other one jumps by months."""
    longest = []
    for order in (DAY_FIRST, MONTH_FIRST):
        stamps = f"SELECT DISTINCT {as_time(name, order)} AS stamp FROM {relation} WHERE {is_date(quoted(name))}"
        steps = f"SELECT epoch(stamp - lag(stamp) OVER (ORDER BY stamp)) AS step FROM ({stamps})"
        (found,) = connection.execute(f"SELECT max(step) / median(step) FROM ({steps})").fetchone()
        longest.append(float("nan") if found is None else float(found))
    day, month = longest  # in usual steps
    return DAY_FIRST if day * CLEARLY <= month else MONTH_FIRST if month * CLEARLY <= day else None


def as_time(name: str, order: str) -> str:
    """SQL that makes a time of such a date, or of an ISO one among them."""
    iso = f"regexp_replace({quoted(name)}, {text(f'^{_FORM}$')}, {text(_ISO[order])})"
    return as_stamp(f"replace({iso}, ',', '.')")


def how_to_read(name: str, cell: str) -> str:
    """What a query has to do with a column of such dates that `order_of` leaves open; empty if it is no date."""
    if not re.fullmatch(_FORM, cell):
        return ""
    parts = iter(("%d", "%m", "%Y", "%H", "%M", "%S", "%f"))
    form = re.sub(r"\d+", lambda _: next(parts), cell)
    if re.search(_HALF, form):
        form = re.sub("[AaPp][Mm]", "%p", form.replace("%H", "%I"))
    example = f"SELECT * REPLACE (strptime({quoted(name)}, {text(form)}) AS {quoted(name)}) FROM log"
    return f"its rows do not say whether {cell!r} has day or month first; the key query of a mapping may: {example}"
