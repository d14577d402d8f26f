"""`History`: what a network was told to do and what came of it, decision by decision, as columns."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym import Scenario
from slicing_gym.errors import check_integer, check_number, unknown_name
from slicing_gym.files import atomic_write
from twin.columns import ARRIVALS, PERFORMANCE, Column, Control
from twin.layout import Layout

FORMAT_VERSION = 1
"""Of the files `History.save` writes."""

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """The history of one network (the paper's section III-B): n decisions on S slices, ordered by run and interval.

    Args:
        scenario: the slices, the units there are to give, and the reward.
        run: number of the run each decision belongs to (n,); nothing is known across runs.
        interval: number of the decision in its run (n,). Where a number is left out, the decisions before and after the
            gap are treated as different sequences.
        allocation: units each slice was given (n, S).
        arrivals: packets in the interval before the decision, the state s_t (n, S).
        next_arrivals: packets in the interval that the decision was for, s_{t+1} (n, S).
        performance: what else was measured in that interval, by column: (n, S), or (n,) for a column of the cell.
        controls: what was decided beside the allocation, by name: (n, S).
        columns: of `performance`, in order; those of a simulator are `ssr` and `spectral_efficiency`.
        arrivals_column: how arrivals are modelled.
        control_columns: of `controls`, in order.

    Raises:
        ValueError, TypeError: something does not fit together; the message names row, column and what is allowed.
    """

    scenario: Scenario
    run: IntArray
    interval: IntArray
    allocation: IntArray
    arrivals: IntArray
    next_arrivals: IntArray
    performance: Mapping[str, npt.NDArray[np.float64]]
    controls: Mapping[str, IntArray] = field(default_factory=dict)
    columns: tuple[Column, ...] = PERFORMANCE
    arrivals_column: Column = ARRIVALS
    control_columns: tuple[Control, ...] = ()

    def __post_init__(self) -> None:
        n, slices = len(np.atleast_1d(self.run)), self.scenario.num_slices
        if n == 0:
            raise ValueError("history: no decisions given, allowed are one or more")
        for name in ("run", "interval"):
            self._take(name, getattr(self, name), (n,), whole=True)
        for name in ("allocation", "arrivals", "next_arrivals"):
            self._take(name, getattr(self, name), (n, slices), whole=True)
        object.__setattr__(self, "performance", dict(self.performance))
        object.__setattr__(self, "controls", dict(self.controls))
        _same_names("performance", self.performance, [column.name for column in self.columns])
        _same_names("controls", self.controls, [control.name for control in self.control_columns])
        for column in self.columns:
            shape = (n, slices) if column.per_slice else (n,)
            values = _checked(column.name, self.performance[column.name], shape, whole=False)
            self._check_bounds(column, values)
            self.performance[column.name] = values  # type: ignore[index]
        for control in self.control_columns:
            values = _checked(control.name, self.controls[control.name], (n, slices), whole=True)
            wrong = ~np.isin(values, control.values)
            if wrong.any():
                row, place = np.argwhere(wrong)[0]
                raise ValueError(f"{control.name}: {values[row, place]} in row {row}, allowed are {control.values}")
            self.controls[control.name] = values  # type: ignore[index]
        for name in ("arrivals", "next_arrivals"):
            self._check_bounds(Column(name), getattr(self, name))
        self._check_order()
        self._check_allocations()

    def _take(self, name: str, values: npt.ArrayLike, shape: tuple[int, ...], whole: bool) -> None:
        """Replace a field by its checked array."""
        object.__setattr__(self, name, _checked(name, values, shape, whole))

    def _check_bounds(self, column: Column, values: npt.NDArray[Any]) -> None:
        wrong = (values < column.lower) | (values > column.upper)
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0])
            where = f"row {place[0]}" + (f", slice {self.scenario.slice_names[place[1]]!r}" if len(place) > 1 else "")
            raise ValueError(
                f"{column.name}: {values[place]} in {where}, allowed are {column.lower:g} to {column.upper:g}"
            )

    def _check_order(self) -> None:
        """Runs are blocks, and in a run the intervals rise."""
        same = self.run[1:] == self.run[:-1]
        repeated = same & (self.interval[1:] == self.interval[:-1])
        if repeated.any():
            row = int(np.flatnonzero(repeated)[0]) + 1
            raise ValueError(
                f"interval: {self.interval[row]} of run {self.run[row]} occurs twice (rows {row - 1} and {row})"
            )
        falling = same & (self.interval[1:] < self.interval[:-1])
        if falling.any():
            row = int(np.flatnonzero(falling)[0]) + 1
            raise ValueError(
                f"interval: {self.interval[row]} in row {row} comes after {self.interval[row - 1]}; sort by run and interval"
            )
        blocks = self.run[np.flatnonzero(np.concatenate([[True], ~same]))]
        values, counts = np.unique(blocks, return_counts=True)
        if (counts > 1).any():
            raise ValueError(
                f"run: {values[counts > 1][0]} occurs in separate blocks of rows; sort by run and interval"
            )

    def _check_allocations(self) -> None:
        """Each slice has a unit, and all units are given away."""
        units = self.scenario.num_units
        wrong = (self.allocation.min(axis=1) < 1) | (self.allocation.sum(axis=1) != units)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"allocation: {self.allocation[row].tolist()} in row {row} (run {self.run[row]}, interval "
                f"{self.interval[row]}), allowed is at least 1 a slice and {units} in all"
            )

    def __len__(self) -> int:
        """Number of decisions."""
        return len(self.run)

    @property
    def ssr(self) -> FloatArray:
        """SLA satisfaction ratios (n, S).

        Raises:
            ValueError: they were not measured.
        """
        return self._measured("ssr")

    @property
    def spectral_efficiency(self) -> FloatArray:
        """SE (n,) [bit/s/Hz].

        Raises:
            ValueError: it was not measured.
        """
        return self._measured("spectral_efficiency")

    def _measured(self, name: str) -> FloatArray:
        if name not in self.performance:
            raise ValueError(f"history: {name!r} was not measured; its columns are {', '.join(self.performance)}")
        return self.performance[name]

    @property
    def runs(self) -> IntArray:
        """Numbers of the runs, in order."""
        return np.unique(self.run)

    def sequences(self) -> list[slice]:
        """Blocks of rows that follow one another without a gap."""
        broken = (self.run[1:] != self.run[:-1]) | (self.interval[1:] != self.interval[:-1] + 1)
        edges = [0, *(np.flatnonzero(broken) + 1).tolist(), len(self)]
        return [slice(start, stop) for start, stop in zip(edges[:-1], edges[1:], strict=True)]

    def take(self, rows: npt.NDArray[Any] | slice) -> History:
        """The decisions `rows`, a mask or numbers in rising order."""
        return History(
            **vars(self.layout),
            run=self.run[rows],
            interval=self.interval[rows],
            allocation=self.allocation[rows],
            arrivals=self.arrivals[rows],
            next_arrivals=self.next_arrivals[rows],
            performance={name: values[rows] for name, values in self.performance.items()},
            controls={name: values[rows] for name, values in self.controls.items()},
        )

    def split_by_run(self, last: int) -> tuple[History, History]:
        """All but the `last` runs, and those.

        Raises:
            ValueError: nothing would be left on one side.
        """
        runs = self.runs
        if len(runs) < 2:
            raise ValueError(f"history: {len(runs)} run given, a split by run needs 2 or more; use split_by_time")
        check_integer("last", last, at_least=1, at_most=len(runs) - 1)
        held_out = np.isin(self.run, runs[-last:])
        return self.take(~held_out), self.take(held_out)

    def split_by_time(self, share: float) -> tuple[History, History]:
        """The first part of every run, and the last `share` of it (at least one decision on each side)."""
        check_number("share", share, above=0.0, at_most=1.0)
        late = np.zeros(len(self), np.bool_)
        for run in self.runs:
            rows = np.flatnonzero(self.run == run)
            if len(rows) < 2:
                raise ValueError(f"history: run {run} has one decision and cannot be split by time")
            late[rows[-min(max(1, round(share * len(rows))), len(rows) - 1) :]] = True
        return self.take(~late), self.take(late)

    def sample_windows(self, number: int, length: int, generator: np.random.Generator) -> IntArray:
        """Rows (number, length) of windows that cross no gap, all windows being equally likely.

        Raises:
            ValueError: no sequence is that long.
        """
        starts = np.concatenate(
            [np.arange(block.start, max(block.start, block.stop - length + 1)) for block in self.sequences()]
        )
        if len(starts) == 0:
            longest = max(block.stop - block.start for block in self.sequences())
            raise ValueError(f"length: {length} given, the longest sequence has {longest} decisions")
        return starts[generator.integers(len(starts), size=number)][:, None] + np.arange(length)

    @property
    def layout(self) -> Layout:
        """Which variables it measures."""
        return Layout(self.scenario, self.arrivals_column, self.columns, self.control_columns)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file (npz) with the schema inside, atomically."""
        arrays: dict[str, npt.NDArray[Any]] = {name: getattr(self, name) for name in _FIELDS}
        arrays |= {f"performance.{name}": values for name, values in self.performance.items()}
        arrays |= {f"controls.{name}": values for name, values in self.controls.items()}
        header = json.dumps({"format": FORMAT_VERSION, "layout": self.layout.to_dict()})
        with atomic_write(path) as file:
            np.savez_compressed(file, header=np.array(header), **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> History:
        """The history that `save` wrote; loading runs no code.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is not a history, is damaged, or is of another version.
        """
        name = os.fspath(path)
        if not Path(path).exists():
            raise FileNotFoundError(f"history: the file {name!r} does not exist")
        try:
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in archive.files}
            header = json.loads(str(arrays.pop("header")))
            version = header["format"]
        except Exception as error:
            raise ValueError(f"history: {name!r} is not a history's file, or is damaged ({error})") from error
        if version != FORMAT_VERSION:
            raise ValueError(f"history: {name!r} has format {version!r}, allowed is {FORMAT_VERSION}")
        try:
            layout = Layout.from_dict(header["layout"])
            return cls(
                **vars(layout),
                **{key: arrays[key] for key in _FIELDS},
                performance=_with_prefix(arrays, "performance."),
                controls=_with_prefix(arrays, "controls."),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"history: {name!r} does not hold a history ({error})") from error


_FIELDS = ("run", "interval", "allocation", "arrivals", "next_arrivals")


def concatenate(histories: Sequence[History]) -> History:
    """One history of several of the same network; their runs are numbered anew, one after the other.

    Raises:
        ValueError: none given, or they differ in scenario or columns.
    """
    if not histories:
        raise ValueError("histories: none given, allowed are one or more")
    first = histories[0]
    runs, number = [], 0
    for place, history in enumerate(histories):
        first.layout.check_same(f"histories[{place}]", history.layout)
        _, own = np.unique(history.run, return_inverse=True)
        runs.append(own + number)
        number += len(history.runs)
    return History(
        **vars(first.layout),
        run=np.concatenate(runs),
        **{name: np.concatenate([getattr(each, name) for each in histories]) for name in _FIELDS[1:]},
        performance={
            name: np.concatenate([each.performance[name] for each in histories]) for name in first.performance
        },
        controls={name: np.concatenate([each.controls[name] for each in histories]) for name in first.controls},
    )


def _with_prefix(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {key.removeprefix(prefix): values for key, values in arrays.items() if key.startswith(prefix)}


def _same_names(key: str, given: Mapping[str, object], wanted: Sequence[str]) -> None:
    """Refuse columns that are missing or not described."""
    for name in given:
        if name not in wanted:
            raise ValueError(unknown_name(key, name, wanted))
    missing = [name for name in wanted if name not in given]
    if missing:
        raise ValueError(f"{key}: {', '.join(missing)} missing")


def _checked(name: str, values: npt.ArrayLike, shape: tuple[int, ...], whole: bool) -> npt.NDArray[Any]:
    """A read-only copy as int64 or float64, of that shape and without NaN."""
    given = np.asarray(values)
    if given.shape != shape:
        raise ValueError(f"{name}: shape {given.shape} given, allowed is {shape}")
    if given.dtype == np.bool_ or not np.issubdtype(given.dtype, np.number) or np.iscomplexobj(given):
        raise TypeError(f"{name}: {given.dtype} given, allowed are numbers")
    bad = ~np.isfinite(given) if not whole else ~np.isfinite(given) | (given != np.floor(given))
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name}: {given[place]} in row {place[0]}, allowed are {'whole' if whole else 'finite'} numbers"
        )
    array = np.array(given, np.int64 if whole else np.float64)
    array.flags.writeable = False
    return array
