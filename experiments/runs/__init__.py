"""Folders of runs: what is in them, checkpoints, names, and whether two have the same configuration."""

from experiments.runs.folder import Run, common_scenario, find_runs, read_run
from experiments.runs.naming import method_name, twin_name

__all__ = ["Run", "common_scenario", "find_runs", "method_name", "read_run", "twin_name"]
