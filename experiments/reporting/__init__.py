"""Statistics over seeds and decisions, tables, and the style of figures."""

from experiments.reporting.statistics import (
    Estimate,
    Interval,
    block_bootstrap,
    estimate,
    interquartile_mean,
    stratified_bootstrap,
)
from experiments.reporting.tables import aligned, write_rows

__all__ = [
    "Estimate",
    "Interval",
    "aligned",
    "block_bootstrap",
    "estimate",
    "interquartile_mean",
    "stratified_bootstrap",
    "write_rows",
]
