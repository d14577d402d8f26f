"""Logs of one's own network, read by DuckDB and a mapping of their columns."""

from twin.data.logs.files import files_of
from twin.data.logs.history import LogWarning, from_table, history_of, read_log
from twin.data.logs.intervals import Intervals, read_intervals
from twin.data.logs.mapping import LogMapping
from twin.data.logs.reader import Table, read_table
from twin.data.logs.rules import AggregateRule, AllocationRule, ArrivalsRule, EfficiencyRule, SsrRule, TimeRule

__all__ = [
    "AggregateRule",
    "AllocationRule",
    "ArrivalsRule",
    "EfficiencyRule",
    "Intervals",
    "LogMapping",
    "LogWarning",
    "SsrRule",
    "Table",
    "TimeRule",
    "files_of",
    "from_table",
    "history_of",
    "read_intervals",
    "read_log",
    "read_table",
]
