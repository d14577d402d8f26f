"""Means over seeds with their intervals."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats


class Estimate(NamedTuple):
    """A mean and half the width of its 95 % interval (nan for a single value)."""

    mean: float
    half_width: float

    def __str__(self) -> str:
        """As tables show it."""
        return self.show(3)

    def show(self, digits: int) -> str:
        """The mean, and the interval if there is one."""
        mean = f"{self.mean:.{digits}f}"
        return mean if math.isnan(self.half_width) else f"{mean} ± {self.half_width:.{digits}f}"


def estimate(values: npt.ArrayLike) -> Estimate:
    """Mean over seeds (n,) and Student's 95 % interval."""
    sample = np.asarray(values, np.float64)
    if len(sample) < 2:
        return Estimate(float(sample.mean()), float("nan"))
    half = stats.t.ppf(0.975, len(sample) - 1) * sample.std(ddof=1) / np.sqrt(len(sample))
    return Estimate(float(sample.mean()), float(half))
