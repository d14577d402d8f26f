"""Statistics over seeds and decisions, tables, and the style of figures."""

from experiments.reporting.statistics import (
    Estimate,
    Interval,
    block_bootstrap,
    bootstrap_interval,
    estimate,
    interquartile_mean,
)
from experiments.reporting.tables import aligned, write_rows

__all__ = [
    "Estimate",
    "Interval",
    "aligned",
    "block_bootstrap",
    "bootstrap_interval",
    "estimate",
    "interquartile_mean",
    "write_rows",
]
