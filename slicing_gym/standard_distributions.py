"""The distributions that come with the package: of gaps between packets and of their sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from slicing_gym.distributions import (
    CANCELLED,
    LARGEST,
    MAX_PARAMETERS,
    Distribution,
    register_distribution,
)
from slicing_gym.errors import check_instance, check_integer, check_number
from slicing_gym.measured import Empirical

# What the kernel calls the kinds.
CONSTANT, UNIFORM, EXPONENTIAL, LOMAX, CHOICE = range(5)

_TINY = 1e-20
"""A maximum so much smaller than the scale is all that is ever drawn."""


@register_distribution
@dataclass(frozen=True)
class Constant(Distribution):
    """Always `value`."""

    value: float
    kind: ClassVar[str] = "constant"
    code: ClassVar[int] = CONSTANT

    def __post_init__(self) -> None:
        check_number("value", self.value, above=0.0, at_most=LARGEST)

    @property
    def mean(self) -> float:
        """Expected value."""
        return self.value

    @property
    def largest(self) -> float:
        """Bound that no draw exceeds (inf if there is none)."""
        return self.value

    def parameters(self, factor: float) -> tuple[float, ...]:
        """Numbers the kernel draws from, the unit of the result multiplied by `factor`."""
        return (self.value * factor,)


@register_distribution
@dataclass(frozen=True)
class Uniform(Distribution):
    """Uniform between `low` and `high`."""

    low: float
    high: float
    kind: ClassVar[str] = "uniform"
    code: ClassVar[int] = UNIFORM

    def __post_init__(self) -> None:
        check_number("low", self.low, at_least=0.0)
        check_number("high", self.high, above=self.low, at_most=LARGEST)

    @property
    def mean(self) -> float:
        """Expected value."""
        return 0.5 * (self.low + self.high)

    @property
    def largest(self) -> float:
        """Bound that no draw exceeds (inf if there is none)."""
        return self.high

    def parameters(self, factor: float) -> tuple[float, ...]:
        """Numbers the kernel draws from, the unit of the result multiplied by `factor`."""
        return (self.low * factor, self.high * factor)


@register_distribution
@dataclass(frozen=True)
class Exponential(Distribution):
    """min(X, `maximum`), X exponential with mean `scale`; with a maximum, 3GPP's truncated exponential."""

    scale: float
    maximum: float = math.inf
    kind: ClassVar[str] = "exponential"
    code: ClassVar[int] = EXPONENTIAL

    def __post_init__(self) -> None:
        check_number("scale", self.scale, above=0.0, at_most=LARGEST)
        check_number("maximum", self.maximum, above=0.0, finite=False)

    @property
    def mean(self) -> float:
        """Expected value: the integral of the survival function up to the maximum."""
        if self.maximum < _TINY * self.scale:
            return self.maximum
        return -self.scale * math.expm1(-self.maximum / self.scale)

    @property
    def largest(self) -> float:
        """Bound that no draw exceeds (inf if there is none)."""
        return self.maximum

    def parameters(self, factor: float) -> tuple[float, ...]:
        """Numbers the kernel draws from, the unit of the result multiplied by `factor`."""
        return (self.scale * factor, self.maximum * factor)


@register_distribution
@dataclass(frozen=True)
class Lomax(Distribution):
    """min(X, `maximum`), X Lomax (Pareto from zero): P(X > x) = (1 + x / `scale`) ** -`shape`."""

    shape: float
    scale: float
    maximum: float = math.inf
    kind: ClassVar[str] = "lomax"
    code: ClassVar[int] = LOMAX

    def __post_init__(self) -> None:
        check_number("shape", self.shape, above=1.0, at_most=LARGEST)
        check_number("scale", self.scale, above=0.0, at_most=LARGEST)
        check_number("maximum", self.maximum, above=0.0, finite=False)

    @property
    def mean(self) -> float:
        """Expected value: the integral of the survival function up to the maximum."""
        if self.maximum < _TINY * self.scale:
            return self.maximum
        rate, ratio = self.shape - 1.0, self.maximum / self.scale
        if math.isinf(ratio) and math.isfinite(self.maximum):  # beyond doubles, and a small rate would notice
            return self.scale / rate * -math.expm1(-rate * (math.log(self.maximum) - math.log(self.scale)))
        part = 1.0 - math.pow(1.0 + ratio, -rate)
        if part < CANCELLED:  # most of its digits are gone; elsewhere seeds keep their bytes
            part = -math.expm1(-rate * math.log1p(ratio))
        return self.scale / rate * part

    @property
    def largest(self) -> float:
        """Bound that no draw exceeds (inf if there is none)."""
        return self.maximum

    def parameters(self, factor: float) -> tuple[float, ...]:
        """Numbers the kernel draws from, the unit of the result multiplied by `factor`."""
        return (self.shape, self.scale * factor, self.maximum * factor)


@register_distribution
@dataclass(frozen=True)
class Choice(Distribution):
    """One of `values`, each as likely as the others."""

    values: tuple[float, ...]
    kind: ClassVar[str] = "choice"
    code: ClassVar[int] = CHOICE

    def __post_init__(self) -> None:
        check_instance("values", self.values, (tuple, list))
        object.__setattr__(self, "values", tuple(self.values))
        check_integer("values", len(self.values), at_least=1, at_most=MAX_PARAMETERS - 1)
        for value in self.values:
            check_number("values", value, above=0.0, at_most=LARGEST)

    @property
    def mean(self) -> float:
        """Expected value."""
        return sum(self.values) / len(self.values)

    @property
    def largest(self) -> float:
        """Bound that no draw exceeds (inf if there is none)."""
        return max(self.values)

    def parameters(self, factor: float) -> tuple[float, ...]:
        """Numbers the kernel draws from, the unit of the result multiplied by `factor`."""
        return (float(len(self.values)), *(value * factor for value in self.values))


register_distribution(Empirical)
