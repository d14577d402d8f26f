"""Histories of a network: what was decided and what was measured, from recorders, logs and data sets.

`read_log` and `LogMapping` bring in what reads logs when they are asked for, `HistoryCallback` Stable-Baselines3, and
`to_minari` and `from_minari` Minari when they are called.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from twin.data.columns import ARRIVALS, PERFORMANCE, SPECTRAL_EFFICIENCY, SSR, Column, Control
from twin.data.history import History, concatenate
from twin.data.layout import Layout
from twin.data.recorder import BLOCKED, QUEUED, Recorder, RecordHistory, RecordHistoryVector
from twin.data.transitions import transitions_of, utilities_of

_ON_DEMAND = {
    "HistoryCallback": "twin.data.callback",
    "LogMapping": "twin.data.logs",
    "from_minari": "twin.data.minari",
    "read_log": "twin.data.logs",
    "to_minari": "twin.data.minari",
}

__all__ = [
    "ARRIVALS",
    "BLOCKED",
    "PERFORMANCE",
    "QUEUED",
    "SPECTRAL_EFFICIENCY",
    "SSR",
    "Column",
    "Control",
    "History",
    "HistoryCallback",
    "Layout",
    "LogMapping",
    "RecordHistory",
    "RecordHistoryVector",
    "Recorder",
    "concatenate",
    "from_minari",
    "read_log",
    "to_minari",
    "transitions_of",
    "utilities_of",
]


def __getattr__(name: str) -> Any:
    if name not in _ON_DEMAND:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ON_DEMAND[name]), name)
