"""`LogMapping`: what the columns of a log mean, from builtin types (YAML)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from slicing_gym import Scenario
from slicing_gym.builtin_types import build, named
from slicing_gym.errors import check_instance, check_number, unknown_name
from slicing_gym.extras import explained
from slicing_gym.yaml_reading import read_yaml
from twin.data.columns import ARRIVALS, PRESENT, SSR, TRANSFORMS, Column, Control
from twin.data.layout import IDLE, Layout
from twin.data.logs.builtin import plain, with_rules, with_tuples
from twin.data.logs.counters import check_running
from twin.data.logs.files import FILE
from twin.data.logs.idle import with_idle
from twin.data.logs.numbers import check_numbers_of_yaml, with_numbers
from twin.data.logs.rules import (
    AggregateRule,
    AllocationRule,
    ArrivalsRule,
    EfficiencyRule,
    SsrRule,
    TimeRule,
    check_computed,
)

ALIGNMENTS = ("decided", "in_force")
ALLOWED = ("all", "held")
GAP = "gap"
REST = "rest"


@dataclass(frozen=True)
class LogMapping:
    """What the columns of a log mean. A row is one slice in one interval, and what was decided at its end.

    Args:
        interval: column with the number of the interval in its run; None where `time` says when it was.
        time: how time stamps become intervals.
        slice: column with the slice; None for a log that is `wide`, or of one slice.
        slices: what stands in it for each slice of the scenario, in order; empty: the names of the scenario's slices,
            or without a scenario those that the log has.
        arrivals: column with the packets (or whole bytes) of the interval, or how it holds them: a volume has a unit.
        arrivals_transform: scale on which they are modelled (`Column.transform`).
        allocation: column with the units that were decided for the next interval, or how it holds them; None where
            nobody decided anything.
        allocation_is: "decided" at the end of the row's interval, or "in_force" while it was measured.
        allowed: which allocations an environment on a twin offers: "all", or those that the log "held".
        scenario: the network, as `Scenario.to_dict` writes it; may be left out where nobody decided anything.
        files: glob in the folder that is given as the log.
        query: SQL that shapes the log, which it calls `log`, before anything else.
        run: columns that name the run, by number or text, "file" being the file; None if the log is a single run.
        wide: for rows that hold all slices: by the name that the other keys use, the log's name with `{slice}` in it.
        aggregate: how rows of users become rows of slices.
        absent: what columns hold where a slice has no row, by the log's name; "gap": its interval is left out.
        performance: further columns, by the log's name; the settings of `Column` (each may be given another `name`).
        controls: columns with what was decided in addition to the allocation, by the log's name: the values that each
            may take.
        ssr, spectral_efficiency: how to compute what the reward is made of, where the log has it not; None if it is not
            wanted (the twin then makes no environment), or is itself a column of `performance`.
        missing: what stands for a value that was not measured: texts or numbers; in a query's result NULL, too.
        missing_is: "gap": the interval is left out.
        short_rows: "missing": what a row that is too short lacks was not measured; None: refused.
        drop_identical: leave out a row that is the same as another one of its interval and slice.
        running: columns of counters that run on (arrivals or `performance`), by the log's name: what counts is the
            difference to the interval before.
        unused: columns that are left out on purpose; "rest": all that are not named.

    Raises:
        ValueError, TypeError: a value is not allowed; the message names its key.
    """

    arrivals: ArrivalsRule | str
    interval: str | None = None
    time: TimeRule | None = None
    slice: str | None = None
    slices: tuple[Any, ...] = ()
    allocation: AllocationRule | str | None = None
    scenario: Scenario | None = None
    allocation_is: str = "decided"
    allowed: str = "all"
    files: str | None = None
    query: str | None = None
    run: str | tuple[str, ...] | None = None
    wide: Mapping[str, str] = field(default_factory=dict)
    aggregate: AggregateRule | None = None
    absent: Mapping[str, float] | str = field(default_factory=dict)
    arrivals_transform: str = "sqrt"
    performance: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    controls: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    ssr: SsrRule | None = None
    spectral_efficiency: EfficiencyRule | None = None
    missing: tuple[Any, ...] = ()
    missing_is: str = "gap"
    short_rows: str | None = None
    drop_identical: bool = False
    running: tuple[str, ...] = ()
    unused: tuple[str, ...] | str = ()

    def __post_init__(self) -> None:
        with named("mapping"):
            self._check_types()
            self._check_choices()
            self._check_columns()
            if not self.is_passive:
                _ = self.layout

    def _check_types(self) -> None:
        """Refuse lists where names are wanted, and the like: YAML takes anything for anything."""
        if not isinstance(self.arrivals, str | ArrivalsRule):
            raise TypeError(f"arrivals: {self.arrivals!r} given, allowed is a column, or column, unit and packet_byte")
        for name in ("interval", "slice", "files", "query"):
            if getattr(self, name) is not None:
                check_instance(name, getattr(self, name), (str,))
        if self.run is not None:
            check_instance("run", self.run, (str, tuple, list))
        check_instance("slices", self.slices, (tuple, list))
        check_instance("missing", self.missing, (tuple, list))
        check_instance("running", self.running, (tuple, list))
        if self.unused != REST:
            check_instance("unused", self.unused, (tuple, list))
        for name in ("performance", "controls", "wide"):
            check_instance(name, getattr(self, name), (Mapping,))
        check_instance("absent", self.absent, (Mapping, str))
        for name, settings in self.performance.items():
            check_instance(f"performance.{name}", settings, (Mapping, type(None)))
        for name, value in self.filled.items():
            check_number(f"absent.{name}", value)
        if self.scenario is not None:
            check_instance("scenario", self.scenario, (Scenario,))
        check_instance("drop_identical", self.drop_identical, (bool,))

    def _check_choices(self) -> None:
        """Refuse values that are none of a few, and keys of which one is needed."""
        for name, allowed in (("allocation_is", ALIGNMENTS), ("allowed", ALLOWED), ("missing_is", (GAP,))):
            if getattr(self, name) not in allowed:
                raise ValueError(unknown_name(name, getattr(self, name), allowed))
        if self.short_rows not in (None, "missing"):
            raise ValueError(unknown_name("short_rows", self.short_rows, ("missing",)))
        if isinstance(self.absent, str) and self.absent != GAP:
            raise ValueError(f"{unknown_name('absent', self.absent, (GAP,))}, or a value of every column")
        if (self.interval is None) == (self.time is None):
            raise ValueError(
                "interval: missing; allowed is interval or time"
                if self.interval is None
                else "interval: given together with time, allowed is one of the two"
            )
        if self.wide and self.slice is not None:
            raise ValueError("slice: given together with wide, allowed is one of the two")
        if self.wide and not self.values:
            raise ValueError("slices: missing; a log that is wide needs them, or a scenario")
        if self.slice is None and not self.wide and len(self.values) > 1:
            raise ValueError("slice: missing; allowed is slice or wide")
        if self.scenario is None and not self.is_passive:
            raise ValueError("scenario: missing; only a log in which nobody decided anything does without")
        if self.absent and self.is_passive is False and self.slice is None:
            raise ValueError("absent: given for a log that is wide, whose rows hold all slices")

    def _check_columns(self) -> None:
        """Refuse slices, names and rules that do not fit together."""
        values = self.values
        number = len(values) if self.scenario is None else self.scenario.num_slices
        if len(values) != number or len(set(values)) < len(values):
            names = "" if self.scenario is None else f", for {', '.join(self.scenario.slice_names)}"
            raise ValueError(f"slices: {list(values)} given, allowed are {number} different values{names}")
        described = list(self.columns().values())
        columns = {column.name: column for column in described}
        if len(columns) < len(described):
            raise ValueError(f"performance: the names {[column.name for column in described]} are not all different")
        measured = list(dict.fromkeys((self.arrivals_rule.column, *self.performance)))
        check_running(self.running, measured, self.aggregate is not None)
        check_computed(self.ssr, self.spectral_efficiency, columns, self.arrivals_rule.column)
        if self.ssr is not None and len(self.ssr.bounds) != len(values):
            raise ValueError(f"ssr: {len(self.ssr.bounds)} bounds given, allowed are {len(values)}, one a slice")
        if self.filled:
            filled = {self.log_name(name) for name in self.filled}
            own = [name for name, each in self.columns().items() if each.per_slice]
            lacking = [name for name in (self.arrivals_rule.column, *own, *self.controls) if name not in filled]
            if lacking:
                raise ValueError(f"absent: {', '.join(lacking)} missing, of which a slice without a row needs a value")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LogMapping:
        """The mapping that builtin types describe.

        Raises:
            ValueError, TypeError: a key is unknown or missing, or a value is not allowed; the message names it.
        """
        check_instance("mapping", data, (Mapping,))
        check_numbers_of_yaml(data)
        parts: dict[str, Any] = dict(data)
        if parts.get("scenario") is not None and not isinstance(parts["scenario"], Scenario):
            with named("mapping.scenario"):
                parts["scenario"] = Scenario.from_dict(parts["scenario"])
        return build(cls, "mapping", with_tuples(with_rules(parts)))

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str]) -> LogMapping:
        """The mapping in a YAML file, wherever it lies.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError, TypeError: it is not YAML, or not a mapping; the message names the file, and the key.
        """
        data = read_yaml("mapping", path)
        try:
            return cls.from_dict(with_numbers(data) if isinstance(data, dict) else data)
        except (TypeError, ValueError) as error:
            what = str(error).removeprefix("mapping").lstrip(".: ")
            raise type(error)(f"mapping: {os.fspath(path)!r}: {what}") from None

    def to_dict(self) -> dict[str, Any]:
        """As builtin types, without what is as it would be anyway; `from_dict` reads it back."""
        found: dict[str, Any] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value is None or value == () or value == {} or value == entry.default:
                continue
            found[entry.name] = plain(value)
        return found

    def to_yaml(self) -> str:
        """As the text of a YAML file."""
        with explained():
            import yaml

        return str(yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True, width=120))

    @property
    def is_passive(self) -> bool:
        """Whether nobody decided anything."""
        return self.allocation is None

    @property
    def arrivals_rule(self) -> ArrivalsRule:
        """How the log holds arrivals."""
        return ArrivalsRule(self.arrivals) if isinstance(self.arrivals, str) else self.arrivals

    @property
    def allocation_rule(self) -> AllocationRule:
        """How the log holds allocations.

        Raises:
            ValueError: it holds none.
        """
        if self.allocation is None:
            raise ValueError("mapping.allocation: null given, allowed is a column: nobody decided anything in this log")
        return AllocationRule(self.allocation) if isinstance(self.allocation, str) else self.allocation

    @property
    def network(self) -> Scenario:
        """The scenario.

        Raises:
            ValueError: it was left out.
        """
        if self.scenario is None:
            raise ValueError("mapping.scenario: missing; only a log in which nobody decided anything does without")
        return self.scenario

    @property
    def values(self) -> tuple[Any, ...]:
        """What stands for each slice."""
        if self.slices or self.scenario is None:
            return tuple(self.slices)
        return tuple(name for name in self.scenario.slice_names if name != IDLE)

    @property
    def run_columns(self) -> tuple[str, ...]:
        """What names the run."""
        if self.run is None:
            return ()
        return (self.run,) if isinstance(self.run, str) else tuple(self.run)

    def columns(self) -> dict[str, Column]:
        """The performance columns by the log's names."""
        return {
            name: Column.from_dict({"name": name, **(settings or {})}, f"performance.{name}")
            for name, settings in self.performance.items()
        }

    def log_name(self, name: str) -> str:
        """The log's name of a column that may be called by what it is (`arrivals`), or by its new name."""
        renamed = {column.name: own for own, column in self.columns().items()}
        return {"arrivals": self.arrivals_rule.column, **renamed}.get(name, name)

    @property
    def layout(self) -> Layout:
        """What the history of such a log measures: the performance columns, and what is computed from them."""
        given = list(self.columns().values())
        columns = list(given)
        if self.filled:
            columns.append(PRESENT)
        if self.ssr is not None:
            columns.append(SSR)
        if self.spectral_efficiency is not None:
            rate = next(column for column in given if column.name == self.spectral_efficiency.column)
            columns.append(self.spectral_efficiency.describe(self.network, rate))
        if self.arrivals_transform not in TRANSFORMS:
            raise ValueError(unknown_name("arrivals_transform", self.arrivals_transform, TRANSFORMS))
        controls = []
        for name, values in self.controls.items():
            with named(f"controls.{name}"):
                controls.append(Control(name, values))
        arrivals = replace(ARRIVALS, transform=self.arrivals_transform)
        scenario, smallest = self.network, (0 if self.filled else self.allocation_rule.smallest,) * len(self.values)
        if self.has_idle:
            scenario, smallest = with_idle(scenario), (*smallest, 0)
        return Layout(scenario, arrivals, tuple(columns), tuple(controls), smallest)

    @property
    def filled(self) -> Mapping[str, float]:
        """What columns hold where a slice has no row; empty where each has one, or its interval is a gap."""
        return {} if isinstance(self.absent, str) else self.absent

    @property
    def has_idle(self) -> bool:
        """Whether units may belong to nobody."""
        return not self.is_passive and (self.allocation_rule.idle or bool(self.filled))

    def wanted(self) -> list[str]:
        """The log's columns that are read, each once."""
        return [name for each in self.used() for name in self.raw_names(each)]

    def used(self) -> list[str]:
        """The columns that a slice's row must have, as this mapping calls them, each once."""
        names = [name for name in self.run_columns if name != FILE or self.query]  # a query gives the name as a column
        by = None if self.aggregate is None else self.aggregate.by
        time = None if self.time is None else self.time.column
        names += [name for name in (self.interval, time, self.slice, by) if name is not None]
        names += [self.arrivals_rule.column]
        names += [] if self.is_passive else [self.allocation_rule.column]
        names += [*self.performance, *self.controls]
        counted = () if self.aggregate is None else self.aggregate.counted
        return [name for name in dict.fromkeys(names) if name not in counted]

    def raw_names(self, name: str) -> list[str]:
        """The log's columns that make a column of slices: several where the log is wide."""
        if name not in self.wide:
            return [name]
        return [self.wide[name].replace("{slice}", str(value)) for value in self.values]
