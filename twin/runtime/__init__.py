"""A fitted twin as arrays and compiled code; no PyTorch."""

from twin.runtime.cells import TwinCells, TwinInterval
from twin.runtime.model import InitialWindows, Prediction, TwinModel

__all__ = ["InitialWindows", "Prediction", "TwinCells", "TwinInterval", "TwinModel"]
