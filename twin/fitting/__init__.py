"""Fitting a twin to a history (PyTorch)."""

from twin.fitting.fit import Report, fit
from twin.fitting.loop import Fitted

__all__ = ["Fitted", "Report", "fit"]
