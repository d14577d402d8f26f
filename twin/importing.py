"""Histories from a log of one's own network: CSV or Parquet files, read by a mapping of their columns."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from slicing_gym import Scenario
from slicing_gym.errors import check_number, unknown_name
from slicing_gym.plain_data import build, named
from twin.columns import ARRIVALS, SPECTRAL_EFFICIENCY, SSR, Column, Control
from twin.history import History


@dataclass(frozen=True)
class SsrRule:
    """When a slice's SLA counts as met in an interval; SSR is then 1, else 0.

    Args:
        column: a performance column of the log.
        at_least, at_most: bounds a slice (S,); one of the two.
    """

    column: str
    at_least: tuple[float, ...] | None = None
    at_most: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("ssr: give one of at_least and at_most")

    def __call__(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """SSR (n, S) of the column (n, S)."""
        met = values >= np.array(self.at_least) if self.at_least is not None else values <= np.array(self.at_most)
        return met.astype(np.float64)


@dataclass(frozen=True)
class EfficiencyRule:
    """SE from the rate of a user: the sum over slices of users times rate, over the bandwidth.

    Args:
        column: a performance column of the log, a user's rate.
        unit_bps: what one of it is in bit/s.
    """

    column: str
    unit_bps: float

    def __post_init__(self) -> None:
        check_number("spectral_efficiency.unit_bps", self.unit_bps, above=0.0)


@dataclass(frozen=True)
class LogMapping:
    """What the columns of a log mean. A row is one slice in one interval, and what was decided at its end.

    Args:
        run: column that tells runs apart, numbers or names; None if the log is a single run.
        interval: column with the number of the interval in its run.
        slice: column with the slice.
        slices: what stands in it for each slice of the scenario, in order.
        arrivals: column with the packets of the interval.
        arrivals_transform: scale on which they are modelled (`Column.transform`).
        allocation: column with the units that were decided for the next interval.
        performance: further columns, by the log's name; the settings of `Column` (each may be given another `name`).
        controls: columns with what was decided beside the allocation, by the log's name: the values they may take.
        ssr, spectral_efficiency: how to compute what the reward is made of, where the log has it not; None if it is not
            wanted (the twin then makes no environment), or is itself a column of `performance`.
        scenario: the network, as `Scenario.to_dict` writes it.
        unused: columns that are left out on purpose.
    """

    interval: str
    slice: str
    slices: tuple[Any, ...]
    arrivals: str
    allocation: str
    scenario: Scenario
    run: str | None = None
    arrivals_transform: str = "sqrt"
    performance: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    controls: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    ssr: SsrRule | None = None
    spectral_efficiency: EfficiencyRule | None = None
    unused: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LogMapping:
        """The mapping that plain data (YAML) describes.

        Raises:
            ValueError, TypeError: a key is unknown or missing, or a value is not allowed; the message names it.
        """
        parts = dict(data)
        with named("history.scenario"):
            parts["scenario"] = Scenario.from_dict(parts.get("scenario", {}))
        for name, rule in (("ssr", SsrRule), ("spectral_efficiency", EfficiencyRule)):
            if parts.get(name) is not None:
                with named(f"history.{name}"):
                    parts[name] = build(rule, name, _with_tuples(parts[name]))
        mapping = build(cls, "history", _with_tuples(parts))
        if len(mapping.slices) != mapping.scenario.num_slices:
            raise ValueError(
                f"history.slices: {len(mapping.slices)} given, the scenario has {mapping.scenario.num_slices}"
            )
        mapping.check_rules()
        return mapping

    def check_rules(self) -> None:
        """Refuse rules about columns that are not there."""
        names = [column.name for column in self.columns().values()]
        for key, rule in (("ssr", self.ssr), ("spectral_efficiency", self.spectral_efficiency)):
            if rule is None:
                continue
            if rule.column not in names:
                raise ValueError(unknown_name(f"history.{key}.column", rule.column, names))
            if key in names:
                raise ValueError(f"history.{key}: is both a column of the log and to be computed")
        bounds = (self.ssr.at_least or self.ssr.at_most or ()) if self.ssr else None
        if bounds is not None and len(bounds) != len(self.slices):
            raise ValueError(f"history.ssr: {len(bounds)} bounds given, allowed are {len(self.slices)}, one a slice")

    def columns(self) -> dict[str, Column]:
        """The performance columns by the log's names."""
        return {
            name: Column.from_dict({"name": name, **(settings or {})}, f"history.performance.{name}")
            for name, settings in self.performance.items()
        }

    def wanted(self) -> list[str]:
        """The log's columns that are read."""
        first = [self.run] if self.run else []
        return [*first, self.interval, self.slice, self.arrivals, self.allocation, *self.performance, *self.controls]


def read_log(path: str | os.PathLike[str], mapping: LogMapping) -> History:
    """The history in a CSV or Parquet file.

    A decision of the history is an interval of the log and the next one: the first tells what was seen and decided, the
    second what came of it. The last interval of a run is therefore only an outcome. A gap in the numbers of the
    intervals cuts a run in two sequences (`History.sequences`).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: columns are missing or unknown; an interval lacks a slice or has it twice; a value is missing, not a
            number, or out of bounds; an allocation does not give all units away. The message names row and column (rows
            counted as in a text editor: the header is row 1).
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"history: the file {os.fspath(path)!r} does not exist")
    try:
        table = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(f"history: {os.fspath(path)!r} is not a table ({error})") from error
    return from_table(table, mapping)


def from_table(table: pd.DataFrame, mapping: LogMapping) -> History:
    """The history in a table; see `read_log`."""
    _check_names(table, mapping)
    table = table.reset_index(drop=True)
    for name in mapping.wanted():
        missing = table[name].isna()
        if missing.any():
            raise ValueError(f"{name}: nothing stands in row {_line(missing.to_numpy())}")
        if name not in (mapping.run, mapping.slice) and not pd.api.types.is_numeric_dtype(table[name]):
            wrong = pd.to_numeric(table[name], errors="coerce").isna().to_numpy()
            raise ValueError(f"{name}: {table[name][wrong.argmax()]!r} in row {_line(wrong)} is not a number")
    cube = _Cube(table, mapping)
    columns = mapping.columns()
    performance = {column.name: cube.values(name, column) for name, column in columns.items()}
    kept = list(columns.values())
    if mapping.ssr:
        performance["ssr"] = mapping.ssr(performance[mapping.ssr.column])
        kept.append(SSR)
    if mapping.spectral_efficiency:
        rule = mapping.spectral_efficiency
        users = np.array([part.num_users for part in mapping.scenario.slices])
        rate_bps = performance[rule.column] @ users * rule.unit_bps
        performance["spectral_efficiency"] = rate_bps / mapping.scenario.radio.bandwidth_hz
        spread = float(performance["spectral_efficiency"].std())
        kept.append(Column(**{**vars(SPECTRAL_EFFICIENCY), "resolution": max(spread / 100.0, 1e-6)}))
    arrivals = cube.values(mapping.arrivals, Column("arrivals", whole=True))
    allocation = cube.values(mapping.allocation, Column("allocation", whole=True))
    now, following = cube.pairs()
    return History(
        scenario=mapping.scenario,
        run=cube.run[now],
        interval=cube.interval[now],
        allocation=allocation[now].astype(np.int64),
        arrivals=arrivals[now].astype(np.int64),
        next_arrivals=arrivals[following].astype(np.int64),
        performance={name: values[following] for name, values in performance.items()},
        controls={name: cube.values(name, Column(name, whole=True))[now].astype(np.int64) for name in mapping.controls},
        columns=tuple(kept),
        arrivals_column=Column(**{**vars(ARRIVALS), "transform": mapping.arrivals_transform}),
        control_columns=tuple(Control(name, tuple(values)) for name, values in mapping.controls.items()),
    )


class _Cube:
    """The table by interval and slice: m intervals, S slices."""

    def __init__(self, table: pd.DataFrame, mapping: LogMapping) -> None:
        self._table = table
        runs = table[mapping.run] if mapping.run else pd.Series(np.zeros(len(table), np.int64))
        run = pd.factorize(runs)[0]
        interval = _whole(table, mapping.interval)
        place = {value: n for n, value in enumerate(mapping.slices)}
        unknown = ~table[mapping.slice].isin(list(place)).to_numpy()
        if unknown.any():
            raise ValueError(
                f"{mapping.slice}: {table[mapping.slice][unknown.argmax()]!r} in row {_line(unknown)}, "
                f"allowed are {', '.join(map(str, mapping.slices))}"
            )
        slices = table[mapping.slice].map(place).to_numpy(np.int64)
        order = np.lexsort((slices, interval, run))
        keys = np.stack([run, interval, slices], axis=1)[order]
        twice = (keys[1:] == keys[:-1]).all(axis=1)
        if twice.any():
            first = int(twice.argmax())
            a, b = sorted((int(order[first]) + 2, int(order[first + 1]) + 2))
            raise ValueError(
                f"{mapping.interval}: {keys[first, 1]} of slice {mapping.slices[keys[first, 2]]} stands in row {a} and "
                f"again in row {b}"
            )
        blocks, counts = np.unique(keys[:, :2], axis=0, return_counts=True)
        lacking = counts < len(mapping.slices)
        if lacking.any():
            r, i = blocks[lacking.argmax()]
            present = set(slices[(run == r) & (interval == i)].tolist())
            absent = [str(name) for name, n in place.items() if n not in present]
            row = int(np.flatnonzero((run == r) & (interval == i))[0]) + 2
            raise ValueError(
                f"{mapping.slice}: interval {i} (row {row}) lacks slice {', '.join(absent)}; "
                f"every interval needs {', '.join(map(str, mapping.slices))}"
            )
        self._rows = order.reshape(-1, len(mapping.slices))  # (m, S) rows of the table
        self.run, self.interval = run[self._rows[:, 0]], interval[self._rows[:, 0]]
        given = _whole(table, mapping.allocation)[self._rows]
        wrong = (given.min(axis=1) < 1) | (given.sum(axis=1) != mapping.scenario.num_units)
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(
                f"{mapping.allocation}: {given[row].tolist()} in rows {(self._rows[row] + 2).tolist()}, allowed is at "
                f"least 1 a slice and {mapping.scenario.num_units} in all"
            )

    def values(self, name: str, column: Column) -> npt.NDArray[np.float64]:
        """A column as (m, S), or (m,) if it is the cell's: then all slices must say the same."""
        if column.whole:
            _whole(self._table, name)
        given = self._table[name].to_numpy(np.float64)
        wrong = ~np.isfinite(given) | (given < column.lower) | (given > column.upper)
        if wrong.any():
            raise ValueError(
                f"{name}: {given[wrong.argmax()]:g} in row {_line(wrong)}, allowed are {column.lower:g} to {column.upper:g}"
            )
        cube = given[self._rows]
        if column.per_slice:
            return cube
        differ = (cube != cube[:, :1]).any(axis=1)
        if differ.any():
            raise ValueError(
                f"{name}: {cube[differ.argmax()].tolist()} in rows {(self._rows[differ.argmax()] + 2).tolist()}; "
                "a column of the cell (per_slice: false) is the same for every slice"
            )
        return cube[:, 0]

    def pairs(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Numbers of the intervals that have a next one, and of those next ones.

        Raises:
            ValueError: no interval has.
        """
        follows = (self.run[1:] == self.run[:-1]) & (self.interval[1:] == self.interval[:-1] + 1)
        now = np.flatnonzero(follows)
        if len(now) == 0:
            raise ValueError("history: no two intervals of a run follow one another")
        return now, now + 1


def _check_names(table: pd.DataFrame, mapping: LogMapping) -> None:
    """Refuse a table that lacks columns, or has some that the mapping does not speak of."""
    names = [str(name) for name in table.columns]
    for name in mapping.wanted():
        if name not in names:
            raise ValueError(unknown_name("history: column", name, names))
    for name in names:
        if name not in (*mapping.wanted(), *mapping.unused):
            raise ValueError(f"history: the mapping says nothing of column {name!r}; use it, or list it under `unused`")
    if table.empty:
        raise ValueError("history: the table has no rows")


def _whole(table: pd.DataFrame, name: str) -> npt.NDArray[np.int64]:
    """A column of whole numbers."""
    given = table[name].to_numpy(np.float64)
    wrong = given != np.floor(given)
    if wrong.any():
        raise ValueError(f"{name}: {given[wrong.argmax()]:g} in row {_line(wrong)} is not a whole number")
    return given.astype(np.int64)


def _line(wrong: npt.NDArray[np.bool_]) -> int:
    """The first row that is wrong, as a text editor counts."""
    return int(wrong.argmax()) + 2


def _with_tuples(value: Any) -> Any:
    """Lists of plain data as tuples; a Scenario as it is."""
    if isinstance(value, list | tuple):
        return tuple(_with_tuples(each) for each in value)
    if isinstance(value, Mapping):
        return {key: _with_tuples(each) for key, each in value.items()}
    return value
