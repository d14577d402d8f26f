"""Folders of runs: what is in them, who writes there, where they stand, and whether two have one configuration.

What reads agents needs PyTorch; it is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from experiments.runs.lock import RunIsLocked, RunLock
from experiments.runs.status import STATES, Status, read_status, state_of, write_status

if TYPE_CHECKING:
    from experiments.runs.folder import Run, common_scenario, find_runs, read_run
    from experiments.runs.naming import method_name, twin_name

_OF_AGENTS = {
    "Run": "experiments.runs.folder",
    "common_scenario": "experiments.runs.folder",
    "find_runs": "experiments.runs.folder",
    "method_name": "experiments.runs.naming",
    "read_run": "experiments.runs.folder",
    "twin_name": "experiments.runs.naming",
}

__all__ = [
    "STATES",
    "Run",
    "RunIsLocked",
    "RunLock",
    "Status",
    "common_scenario",
    "find_runs",
    "method_name",
    "read_run",
    "read_status",
    "state_of",
    "twin_name",
    "write_status",
]


def __getattr__(name: str) -> Any:
    if name not in _OF_AGENTS:
        raise AttributeError(f"module 'experiments.runs' has no attribute {name!r}")
    return getattr(import_module(_OF_AGENTS[name]), name)
