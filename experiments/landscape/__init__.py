"""How flat the loss is around trained agents (the paper's Fig. 7): `landscape(runs, ...)`, and the command over it."""

from experiments.landscape.flatness import Flatness
from experiments.landscape.report import Measurement
from experiments.landscape.run import Landscape, LandscapeResult, landscape
from experiments.landscape.settings import Settings

__all__ = ["Flatness", "Landscape", "LandscapeResult", "Measurement", "Settings", "landscape"]
