"""What users send and when: the distributions that come with the package, and profiles of the load over time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypeAlias

from slicing_gym.builtin_types import build, named
from slicing_gym.distributions import LARGEST, MAX_PARAMETERS, Distribution, check_distribution, register_distribution
from slicing_gym.errors import check_instance, check_number, unknown_name
from slicing_gym.measured import Empirical, Trace, plain

# What the kernel calls the kinds.
CONSTANT, UNIFORM, EXPONENTIAL, LOMAX, CHOICE = range(5)
STEADY, DAILY, JUMPS, DRIFT = range(4)

_CANCELLED = 1e-3
"""Below it, one minus a power is no longer computed by a subtraction."""

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
        part = 1.0 - math.pow(1.0 + ratio, -rate)
        if part < _CANCELLED:  # most of its digits are gone; elsewhere seeds keep their bytes
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
        if not 1 <= len(self.values) < MAX_PARAMETERS:
            raise ValueError(f"values: {len(self.values)} given, allowed are 1 to {MAX_PARAMETERS - 1}")
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


@dataclass(frozen=True)
class Steady:
    """The same `level` all the time."""

    level: float = 1.0
    kind: ClassVar[str] = "steady"
    code: ClassVar[int] = STEADY

    def __post_init__(self) -> None:
        check_number("level", self.level, at_least=0.0, at_most=LARGEST)

    @property
    def mean(self) -> float:
        """Long-run average level."""
        return self.level

    @property
    def low(self) -> float:
        """Lowest level."""
        return self.level

    @property
    def high(self) -> float:
        """Highest level."""
        return self.level

    def parameters(self) -> tuple[float, float, float, float]:
        """Numbers the kernel computes the level from."""
        return (self.level, self.level, 1.0, 0.0)


@dataclass(frozen=True)
class Daily:
    """A cosine between `low` and `high` of `period_decisions`, highest at the share `peak` of the period."""

    low: float
    high: float
    period_decisions: float = 200.0
    peak: float = 0.0
    kind: ClassVar[str] = "daily"
    code: ClassVar[int] = DAILY

    def __post_init__(self) -> None:
        check_number("low", self.low, at_least=0.0)
        check_number("high", self.high, above=self.low, at_most=LARGEST)
        check_number("period_decisions", self.period_decisions, at_least=1.0, at_most=LARGEST)
        check_number("peak", self.peak, at_least=0.0, at_most=1.0)

    @property
    def mean(self) -> float:
        """Long-run average level."""
        return 0.5 * (self.low + self.high)

    def parameters(self) -> tuple[float, float, float, float]:
        """Numbers the kernel computes the level from."""
        return (self.low, self.high, self.period_decisions, self.peak)


@dataclass(frozen=True)
class _Random:
    """What the profiles of random levels share: a level is log-uniform between `low` and `high`."""

    low: float
    high: float

    def __post_init__(self) -> None:
        check_number("low", self.low, above=0.0)
        check_number("high", self.high, above=self.low, at_most=LARGEST)

    @property
    def mean(self) -> float:
        """Long-run average level."""
        spread = (self.high - self.low) / self.low
        if spread < _CANCELLED:
            return (self.high - self.low) / math.log1p(spread)
        ratio = self.high / self.low
        return (self.high - self.low) / (
            math.log(ratio) if ratio < math.inf else math.log(self.high) - math.log(self.low)
        )


@dataclass(frozen=True)
class Jumps(_Random):
    """A level held for a geometric number of decisions (mean `mean_decisions`), then resampled, log-uniform."""

    mean_decisions: float = 20.0
    kind: ClassVar[str] = "jumps"
    code: ClassVar[int] = JUMPS

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("mean_decisions", self.mean_decisions, at_least=1.0, at_most=LARGEST)

    def parameters(self) -> tuple[float, float, float, float]:
        """Numbers the kernel computes the level from."""
        return (self.low, self.high, self.mean_decisions, 0.0)


@dataclass(frozen=True)
class Drift(_Random):
    """A straight line between levels that are resampled, log-uniform, every `knot_decisions`."""

    knot_decisions: float = 2000.0
    kind: ClassVar[str] = "drift"
    code: ClassVar[int] = DRIFT

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("knot_decisions", self.knot_decisions, at_least=1.0, at_most=LARGEST)

    def parameters(self) -> tuple[float, float, float, float]:
        """Numbers the kernel computes the level from."""
        return (self.low, self.high, self.knot_decisions, 0.0)


Profile: TypeAlias = Steady | Daily | Jumps | Drift | Trace

PROFILES: dict[str, type[Profile]] = {p.kind: p for p in (Steady, Daily, Jumps, Drift, Trace)}


@dataclass(frozen=True)
class Traffic:
    """How one user of a slice sends, and how the slice's load changes over time.

    Args:
        interarrival_s: gap between a user's packets [s].
        packet_size_byte: size of a packet [byte].
        active_users: share of the slice's users that are active; the clock of the others stands still.
        intensity: divides the gaps of the active users.
    """

    interarrival_s: Distribution
    packet_size_byte: Distribution
    active_users: Profile = Steady()
    intensity: Profile = Steady()

    def __post_init__(self) -> None:
        for name in ("interarrival_s", "packet_size_byte"):
            check_distribution(name, getattr(self, name))
        for name in ("active_users", "intensity"):
            check_instance(name, getattr(self, name), tuple(PROFILES.values()))
        if self.active_users.high > 1.0:
            raise ValueError(f"active_users: {self.active_users.high} is the highest level, allowed is at most 1")
        if not self.active_users.high > 0.0:
            raise ValueError("active_users: the level is always 0, so the slice would never have an arrival")
        if not self.intensity.low > 0.0:
            raise ValueError(f"intensity: {self.intensity.low} is the lowest level, allowed is above 0")

    @property
    def mean_load(self) -> float:
        """Mean over time of active share times intensity; random profiles are independent, cosines and traces not."""
        share, intensity = self.active_users, self.intensity
        if isinstance(share, Trace) and isinstance(intensity, Trace):
            return share.mean_with(intensity)
        together = 0.0
        if (
            isinstance(share, Daily)
            and isinstance(intensity, Daily)
            and share.period_decisions == intensity.period_decisions
        ):
            swing = 0.25 * (share.high - share.low) * (intensity.high - intensity.low)
            together = 0.5 * swing * math.cos(2.0 * math.pi * (share.peak - intensity.peak))
        return share.mean * intensity.mean + together

    @property
    def mean_arrivals_per_s(self) -> float:
        """Packets a user of the slice sends per second, averaged over users and time."""
        return self.mean_load / self.interarrival_s.mean


def to_dict(part: Distribution | Profile) -> dict[str, Any]:
    """A distribution or profile as plain data, its kind first."""
    return {"kind": part.kind, **{name: plain(value) for name, value in asdict(part).items()}}


def from_dict(key: str, data: object, kinds: Mapping[str, type[Any]]) -> Any:
    """The distribution or profile that plain data (as of `to_dict`) describes; `key` names it in errors."""
    if isinstance(data, tuple(kinds.values())):
        return data
    if not isinstance(data, Mapping):
        raise TypeError(f"{key}: {data!r} is not a mapping with a kind out of {', '.join(kinds)}")
    kind = str(data.get("kind"))
    if kind not in kinds:
        raise ValueError(unknown_name(f"{key}.kind", kind, kinds))
    with named(key):
        return build(kinds[kind], f"{key} ({kind})", {name: value for name, value in data.items() if name != "kind"})
