"""`LogMapping`: what the columns of a log mean, from builtin types (YAML)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym import Scenario
from slicing_gym.builtin_types import build, named
from slicing_gym.errors import check_instance, check_number, unknown_name
from twin.data.columns import ARRIVALS, SPECTRAL_EFFICIENCY, SSR, TRANSFORMS, Column, Control
from twin.data.layout import Layout


@dataclass(frozen=True)
class SsrRule:
    """When a slice's SLA counts as met in an interval; SSR is then 1, else 0.

    Args:
        column: a performance column of the log, of every slice.
        at_least, at_most: bounds a slice (S,); one of the two.
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
    """SE from the rate of a user: the sum over slices of users times rate, over the bandwidth.

    Args:
        column: a performance column of the log, of every slice: a user's rate.
        unit_bps: what one of it is in bit/s.
    """

    column: str
    unit_bps: float

    def __post_init__(self) -> None:
        check_number("unit_bps", self.unit_bps, above=0.0)

    def __call__(self, scenario: Scenario, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """SE (n,) [bit/s/Hz] of the column (n, S)."""
        users = np.array([part.num_users for part in scenario.slices])
        return np.asarray(values @ users * self.unit_bps / scenario.radio.bandwidth_hz, np.float64)

    def describe(self, scenario: Scenario, rate: Column) -> Column:
        """SE's column: its resolution is that of the smallest slice's rate."""
        fewest = min(part.num_users for part in scenario.slices)
        resolution = fewest * rate.resolution * self.unit_bps / scenario.radio.bandwidth_hz
        return replace(SPECTRAL_EFFICIENCY, resolution=resolution)


@dataclass(frozen=True)
class LogMapping:
    """What the columns of a log mean. A row is one slice in one interval, and what was decided at its end.

    Args:
        run: column that names the run, by number or text; None if the log is a single run.
        interval: column with the number of the interval in its run.
        slice: column with the slice.
        slices: what stands in it for each slice of the scenario, in order.
        arrivals: column with the packets of the interval.
        arrivals_transform: scale on which they are modelled (`Column.transform`).
        allocation: column with the units that were decided for the next interval.
        performance: further columns, by the log's name; the settings of `Column` (each may be given another `name`).
        controls: columns with what was decided in addition to the allocation, by the log's name: the values that each
            may take.
        ssr, spectral_efficiency: how to compute what the reward is made of, where the log has it not; None if it is not
            wanted (the twin then makes no environment), or is itself a column of `performance`.
        scenario: the network, as `Scenario.to_dict` writes it.
        unused: columns that are left out on purpose.

    Raises:
        ValueError, TypeError: a value is not allowed; the message names its key.
    """

    interval: str
    slice: str
    slices: tuple[Any, ...]
    arrivals: str
    allocation: str
    scenario: Scenario
    run: str | None = None
    arrivals_transform: str = "sqrt"
    performance: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    controls: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    ssr: SsrRule | None = None
    spectral_efficiency: EfficiencyRule | None = None
    unused: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        with named("history"):
            self._check_types()
        if len(self.slices) != self.scenario.num_slices or len(set(self.slices)) < len(self.slices):
            raise ValueError(
                f"history.slices: {list(self.slices)} given, allowed are {self.scenario.num_slices} different values, "
                f"for {', '.join(self.scenario.slice_names)}"
            )
        described = list(self.columns().values())
        columns = {column.name: column for column in described}
        if len(columns) < len(described):
            raise ValueError(
                f"history.performance: the names {[column.name for column in described]} are not all different"
            )
        for key, rule in (("ssr", self.ssr), ("spectral_efficiency", self.spectral_efficiency)):
            if rule is None:
                continue
            if rule.column not in columns:
                raise ValueError(unknown_name(f"history.{key}.column", rule.column, columns))
            if not columns[rule.column].per_slice:
                raise ValueError(f"history.{key}.column: {rule.column!r} is the cell's, allowed is one of every slice")
            if key in columns:
                raise ValueError(f"history.{key}: is both a column of the log and to be computed; allowed is one")
        if self.ssr is not None and len(self.ssr.bounds) != len(self.slices):
            raise ValueError(
                f"history.ssr: {len(self.ssr.bounds)} bounds given, allowed are {len(self.slices)}, one a slice"
            )
        with named("history"):
            _ = self.layout

    def _check_types(self) -> None:
        """Refuse lists where names are wanted, and the like: YAML takes anything for anything."""
        for name in ("interval", "slice", "arrivals", "allocation", *(["run"] if self.run is not None else [])):
            check_instance(name, getattr(self, name), (str,))
        for name in ("slices", "unused"):
            check_instance(name, getattr(self, name), (tuple, list))
        for name in ("performance", "controls"):
            check_instance(name, getattr(self, name), (Mapping,))
        for name, settings in self.performance.items():
            check_instance(f"performance.{name}", settings, (Mapping, type(None)))
        check_instance("scenario", self.scenario, (Scenario,))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LogMapping:
        """The mapping that builtin types describe.

        Raises:
            ValueError, TypeError: a key is unknown or missing, or a value is not allowed; the message names it.
        """
        check_instance("history", data, (Mapping,))
        parts = dict(data)
        if "scenario" in parts and not isinstance(parts["scenario"], Scenario):
            with named("history.scenario"):
                parts["scenario"] = Scenario.from_dict(parts["scenario"])
        for name, rule in (("ssr", SsrRule), ("spectral_efficiency", EfficiencyRule)):
            if parts.get(name) is not None:
                with named(f"history.{name}"):
                    parts[name] = build(rule, f"history.{name}", _with_tuples(parts[name]))
        return build(cls, "history", _with_tuples(parts))

    def columns(self) -> dict[str, Column]:
        """The performance columns by the log's names."""
        return {
            name: Column.from_dict({"name": name, **(settings or {})}, f"history.performance.{name}")
            for name, settings in self.performance.items()
        }

    @property
    def layout(self) -> Layout:
        """What the history of such a log measures: the performance columns, and what is computed from them."""
        given = list(self.columns().values())
        columns = list(given)
        if self.ssr is not None:
            columns.append(SSR)
        if self.spectral_efficiency is not None:
            rate = next(column for column in given if column.name == self.spectral_efficiency.column)
            columns.append(self.spectral_efficiency.describe(self.scenario, rate))
        if self.arrivals_transform not in TRANSFORMS:
            raise ValueError(unknown_name("arrivals_transform", self.arrivals_transform, TRANSFORMS))
        controls = []
        for name, values in self.controls.items():
            with named(f"controls.{name}"):
                controls.append(Control(name, values))
        arrivals = replace(ARRIVALS, transform=self.arrivals_transform)
        return Layout(self.scenario, arrivals, tuple(columns), tuple(controls))

    def wanted(self) -> list[str]:
        """The log's columns that are read."""
        first = [self.run] if self.run else []
        return [*first, self.interval, self.slice, self.arrivals, self.allocation, *self.performance, *self.controls]


def _with_tuples(value: Any) -> Any:
    """Lists of builtin types as tuples; a Scenario as it is."""
    if isinstance(value, list | tuple):
        return tuple(_with_tuples(each) for each in value)
    if isinstance(value, Mapping):
        return {key: _with_tuples(each) for key, each in value.items()}
    return value
