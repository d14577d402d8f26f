"""What a log is, before a twin is fitted to it: `inspect_log` finds columns, time, slices, allocations, and dirt."""

from __future__ import annotations

from twin.inspection.comments import to_check
from twin.inspection.facts import LogFacts
from twin.inspection.findings import Finding
from twin.inspection.inspect import Inspection, inspect_log

__all__ = ["Finding", "Inspection", "LogFacts", "inspect_log", "to_check"]
