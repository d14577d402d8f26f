"""Statistics over seeds and decisions, tables, and the style of figures."""

from experiments.reporting.statistics import (
    Estimate,
    Interval,
    block_bootstrap,
    bootstrap_interval,
    estimate,
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
)
from experiments.reporting.tables import aligned, latex, markdown, write_rows

__all__ = [
    "Estimate",
    "Interval",
    "aligned",
    "block_bootstrap",
    "bootstrap_interval",
    "estimate",
    "interquartile_mean",
    "latex",
    "markdown",
    "performance_profile",
    "probability_of_improvement",
    "write_rows",
]
