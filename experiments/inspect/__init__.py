"""The command over `twin.inspect_log`: what a log is, what is wrong with it, a mapping to begin with, and a picture."""

from experiments.inspect.figures import plot_log
from experiments.inspect.settings import InspectConfig

__all__ = ["InspectConfig", "plot_log"]
