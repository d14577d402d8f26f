"""A traffic distribution from outside the package, as a user would write it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from slicing_gym import Distribution, register_distribution


@register_distribution
@dataclass(frozen=True)
class Ramp(Distribution):
    """From 0 to `high`, a number the more likely the larger it is: P(X <= x) = (x / high)^2."""

    high: float
    kind: ClassVar[str] = "ramp"

    @property
    def mean(self) -> float:
        return 2.0 * self.high / 3.0

    @property
    def largest(self) -> float:
        return self.high

    def parameters(self, factor: float) -> tuple[float, ...]:
        return (self.high * factor,)

    @staticmethod
    def quantile(u, parameters):
        return parameters[0] * math.sqrt(u)
