"""One report over a study: every run below folders, grouped by what was swept, with what is missing named."""

from experiments.report.entries import Entry, find_entries
from experiments.report.groups import RunGroup, Section
from experiments.report.run import Report, report

__all__ = ["Entry", "Report", "RunGroup", "Section", "find_entries", "report"]
