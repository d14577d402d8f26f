"""The parts of a mapping that are rules of their own: time, allocation, aggregation, SLA and spectral efficiency."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from slicing_gym import Scenario
from slicing_gym.errors import check_instance, check_integer, check_number, unknown_name
from twin.data.columns import SPECTRAL_EFFICIENCY, Column

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "iso": 1e-6}
"""Of time stamps, in seconds; `iso` stamps are texts, read to the microsecond."""

SHARES = {"share": 1.0, "percent": 100.0}
"""What the shares of all units add up to, by how they are counted."""

VOLUMES = {
    "bit": 1.0,
    "kbit": 1e3,
    "Mbit": 1e6,
    "Gbit": 1e9,
    "byte": 8.0,
    "kB": 8e3,
    "MB": 8e6,
    "GB": 8e9,
    "KiB": 8.0 * 2**10,
    "MiB": 8.0 * 2**20,
    "GiB": 8.0 * 2**30,
}
"""Units of volumes, in bits; k, M and G are decimal."""

_PREFIXES = {"k": "kilo", "m": "mega", "g": "giga"}

PACKET_BYTE = 1500.0
"""Size of a packet where nothing says it: an Ethernet frame's payload [byte]."""

KINDS = ("units", *SHARES, "mask", "caps")
"""What an allocation's column may hold."""

FUNCTIONS = ("sum", "mean", "min", "max", "first", "count")
"""By which rows become one."""


@dataclass(frozen=True)
class TimeRule:
    """How time stamps become numbers of intervals.

    Args:
        column: of the time stamps.
        unit: "s", "ms" or "us" since any moment, or "iso" for dates.
        period: length of an interval in that unit (iso: in seconds); None: the median difference of two stamps.
        tolerance: how far a difference may be from whole periods, in the same unit; None: a quarter of the period.
        repeated_hour: dates are of local time. The hour that stands twice at the end of summer time is two hours, in
            the order of the file. Time that runs back elsewhere is refused; without this, any is.
    """

    column: str
    unit: str = "s"
    period: float | None = None
    tolerance: float | None = None
    repeated_hour: bool = False

    def __post_init__(self) -> None:
        check_instance("column", self.column, (str,))
        check_instance("repeated_hour", self.repeated_hour, (bool,))
        if self.unit not in UNITS:
            raise ValueError(unknown_name("unit", self.unit, UNITS))
        if self.period is not None:
            check_number("period", self.period, above=0.0)
        if self.tolerance is not None:
            check_number("tolerance", self.tolerance, at_least=0.0)
        if self.repeated_hour and self.unit != "iso":
            raise ValueError(
                f"repeated_hour: true given with unit {self.unit!r}, allowed is 'iso': dates of local time"
            )


@dataclass(frozen=True)
class ArrivalsRule:
    """What a log's arrivals are: numbers of packets, or volumes that are counted as packets of one size.

    Args:
        column: that holds them.
        unit: of a volume, one of `VOLUMES`; None: the column counts packets (or whole bytes), and is taken as it is.
        packet_byte: size of the packets that a volume is counted in [byte]; None: `PACKET_BYTE`.
    """

    column: str
    unit: str | None = None
    packet_byte: float | None = None

    def __post_init__(self) -> None:
        check_instance("column", self.column, (str,))
        if self.unit is not None and self.unit not in VOLUMES:
            raise ValueError(_unknown_volume(self.unit))
        if self.packet_byte is not None:
            check_number("packet_byte", self.packet_byte, above=0.0)
            if self.unit is None:
                raise ValueError(f"unit: missing, of which packet_byte: {self.packet_byte:g} makes packets")

    @property
    def size_byte(self) -> float:
        """Of a packet that a volume is counted in [byte]."""
        return PACKET_BYTE if self.packet_byte is None else self.packet_byte

    def packets(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Whole packets of the column's values (m, S): volumes are rounded, what is counted stays as it is."""
        if self.unit is None:
            return values
        return np.asarray(np.rint(values * VOLUMES[self.unit] / (8.0 * self.size_byte)))


def _unknown_volume(unit: object) -> str:
    """The message for a unit that is none; of `Mb` and `Mbps` it asks for bits or bytes, a factor of eight."""
    found = re.fullmatch(r"([kKmMgG])(?:b|[bB](?:ps|/s))", str(unit))
    if found is None:
        return unknown_name("unit", unit, VOLUMES)
    small = found[1].lower()
    prefix = small if small == "k" else small.upper()
    asked = f"{prefix}bit ({_PREFIXES[small]}bit) or {prefix}B ({_PREFIXES[small]}byte)"
    rate = " of an interval, not of a second" if str(unit).endswith("s") else ""
    return f"unit: unknown name {unit!r}; {asked}{rate}? (allowed: {', '.join(sorted(VOLUMES))})"


@dataclass(frozen=True)
class AllocationRule:
    """What a log's allocations are.

    Args:
        column: that holds them.
        kind: "units"; "share" (parts of 1); "percent"; "mask" (texts of 0 and 1, a group of units each); "caps" (the
            most units that a slice may use: where they add up to more than there are, units are shared out in
            proportion).
        idle: whether what is not given away belongs to nobody; else all units must be given away.
        smallest: units that a slice has at least, 0 or 1.
        group: units in a group of a mask; None: the fewest that make as many groups as masks are long.
    """

    column: str
    kind: str = "units"
    idle: bool = False
    smallest: int = 1
    group: int | None = None

    def __post_init__(self) -> None:
        check_instance("column", self.column, (str,))
        if self.kind not in KINDS:
            raise ValueError(unknown_name("as", self.kind, KINDS))
        check_instance("idle", self.idle, (bool,))
        check_integer("smallest", self.smallest, at_least=0, at_most=1)
        if self.group is not None:
            check_integer("group", self.group, at_least=1)


@dataclass(frozen=True)
class AggregateRule:
    """How rows of users, bearers or cells become one row per slice.

    Args:
        by: the column that tells them apart.
        functions: by column, one of `FUNCTIONS`; `count` makes a new column, of how many there were. Columns that are
            not named must have one value in the rows of a slice and interval.
    """

    by: str
    functions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_instance("by", self.by, (str,))
        for name, function in self.functions.items():
            if function not in FUNCTIONS:
                raise ValueError(unknown_name(str(name), function, FUNCTIONS))

    @property
    def counted(self) -> list[str]:
        """Columns that the log does not have."""
        return [name for name, function in self.functions.items() if function == "count"]


@dataclass(frozen=True)
class SsrRule:
    """When a slice's SLA counts as met in an interval; SSR is then 1, else 0.

    Args:
        column: a performance column of the log, of every slice.
        at_least, at_most: one bound per slice (S,); one of the two.
    """

    column: str
    at_least: tuple[float, ...] | None = None
    at_most: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(
                f"at_least: {self.at_least!r} given and at_most: {self.at_most!r}, allowed is one of the two"
            )
        name = "at_most" if self.at_least is None else "at_least"
        check_instance(name, self.bounds, (tuple, list))
        for bound in self.bounds:
            check_number(name, bound)

    @property
    def bounds(self) -> tuple[float, ...]:
        """Those that were given."""
        return (self.at_most or ()) if self.at_least is None else self.at_least

    def __call__(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """SSR (n, S) of the column (n, S)."""
        met = values <= np.array(self.bounds) if self.at_least is None else values >= np.array(self.bounds)
        return np.asarray(met, np.float64)


@dataclass(frozen=True)
class EfficiencyRule:
    """SE from rates: the sum over slices of users times rate, over the bandwidth.

    Args:
        column: a performance column of the log, of every slice: a user's rate.
        unit_bps: what one of it is in bit/s.
        users: a performance column of the log with the users of each interval; or a number, 1 where the rate is the
            slice's; None: the scenario's `num_users`.
    """

    column: str
    unit_bps: float
    users: str | int | None = None

    def __post_init__(self) -> None:
        check_number("unit_bps", self.unit_bps, above=0.0)
        if self.users is not None and not isinstance(self.users, str):
            check_integer("users", self.users, at_least=1)

    def __call__(
        self,
        scenario: Scenario,
        values: npt.NDArray[np.float64],
        users: npt.NDArray[np.float64] | None = None,
    ) -> npt.NDArray[np.float64]:
        """SE (n,) [bit/s/Hz] of the column (n, S), and of the users (n, S) where a column has them."""
        total = values @ self._users(scenario) if users is None else (values * users).sum(axis=1)
        return np.asarray(total * self.unit_bps / scenario.radio.bandwidth_hz, np.float64)

    def _users(self, scenario: Scenario) -> npt.NDArray[np.int64]:
        """Users a slice (S,) where no column has them."""
        if isinstance(self.users, int):
            return np.full(scenario.num_slices, self.users)
        return np.array([part.num_users for part in scenario.slices])

    def describe(self, scenario: Scenario, rate: Column) -> Column:
        """SE's column: its resolution is that of the smallest slice's rate."""
        fewest = 1 if isinstance(self.users, str) else int(self._users(scenario).min())
        resolution = fewest * rate.resolution * self.unit_bps / scenario.radio.bandwidth_hz
        return replace(SPECTRAL_EFFICIENCY, resolution=resolution)


def check_computed(
    ssr: SsrRule | None, efficiency: EfficiencyRule | None, columns: Mapping[str, Column], arrivals: str
) -> None:
    """Refuse rules whose columns are none of every slice, or are in the log already.

    Args:
        ssr: the rule; None: the mapping has none.
        efficiency: likewise.
        columns: the performance columns by their names.
        arrivals: the log's column of the arrivals, which is none of these unless it is named there, too.
    """
    rules: list[tuple[str, str, SsrRule | EfficiencyRule | None]] = [
        ("ssr", "column", ssr),
        ("spectral_efficiency", "column", efficiency),
    ]
    if efficiency is not None and isinstance(efficiency.users, str):
        rules.append(("spectral_efficiency", "users", efficiency))
    for key, part, rule in rules:
        if rule is None:
            continue
        name = getattr(rule, part)
        if name not in columns:
            also = f"; to use the arrivals' column, name it once more: performance: {{{arrivals!r}: {{name: sent}}}}"
            raise ValueError(
                unknown_name(f"{key}.{part}", name, columns) + (also if name in (arrivals, "arrivals") else "")
            )
        if not columns[name].per_slice:
            raise ValueError(f"{key}.{part}: {name!r} is the cell's, allowed is one of every slice")
        if key in columns:
            raise ValueError(f"{key}: is both a column of the log and to be computed; allowed is one")
