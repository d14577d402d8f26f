"""What users send and when: two distributions, and profiles of the load over time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypeAlias

from slicing_gym.builtin_types import build, named
from slicing_gym.distributions import CANCELLED, LARGEST, Distribution, check_distribution
from slicing_gym.errors import check_instance, check_number, unknown_name
from slicing_gym.measured import Trace, plain

STEADY, DAILY, JUMPS, DRIFT = range(4)  # what the kernel calls the kinds


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
        if spread < CANCELLED:
            return (self.high - self.low) / math.log1p(spread)
        ratio = self.high / self.low
        return (self.high - self.low) / (
            math.log(ratio) if ratio < math.inf else math.log(self.high) - math.log(self.low)
        )


@dataclass(frozen=True)
class Jumps(_Random):
    """A level in [`low`, `high`], log-uniform, held for a geometric number of decisions with mean `mean_decisions`."""

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
    """A straight line between levels in [`low`, `high`], log-uniform, resampled every `knot_decisions`."""

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
    def peak_over_mean(self) -> float:
        """Load where active share and intensity are highest, over its mean; 1 or more."""
        return self.active_users.high * self.intensity.high / self.mean_load

    @property
    def mean_arrivals_per_s(self) -> float:
        """Packets a user of the slice sends per second, averaged over users and time."""
        return self.mean_load / self.interarrival_s.mean


def to_dict(part: Distribution | Profile) -> dict[str, Any]:
    """A distribution or profile as builtin types, its kind first."""
    return {"kind": part.kind, **{name: plain(value) for name, value in asdict(part).items()}}


def from_dict(key: str, data: object, kinds: Mapping[str, type[Any]]) -> Any:
    """The distribution or profile that builtin types (as of `to_dict`) describe; `key` names it in errors."""
    if isinstance(data, tuple(kinds.values())):
        return data
    if not isinstance(data, Mapping):
        raise TypeError(f"{key}: {data!r} is not a mapping with a kind out of {', '.join(kinds)}")
    kind = str(data.get("kind"))
    if kind not in kinds:
        raise ValueError(unknown_name(f"{key}.kind", kind, kinds))
    with named(key):
        return build(kinds[kind], f"{key} ({kind})", {name: value for name, value in data.items() if name != "kind"})
