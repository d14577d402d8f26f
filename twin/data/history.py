"""`History`: what was decided in a network and what was measured, decision by decision, as columns."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym import Scenario
from slicing_gym.errors import check_instance, check_integer, check_number
from slicing_gym.files import atomic_write
from slicing_gym.reading import parsing, read_arrays
from twin.data import checks
from twin.data.columns import ARRIVALS, PERFORMANCE, Column, Control
from twin.data.layout import Layout

FORMAT_VERSION = 1
"""Of the files `History.save` writes."""

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)  # arrays have no single answer to ==
class History:
    """The history of one network (the paper's section III-B): n decisions on S slices, ordered by run and interval.

    Its arrays are read-only copies of what it was given.

    Args:
        scenario: the slices, the units there are to give, and the reward.
        run: number of the run each decision belongs to (n,); nothing is known across runs.
        interval: number of the decision in its run (n,). Where a number is left out, the decisions before and after the
            gap are treated as different sequences.
        allocation: units each slice was given (n, S).
        arrivals: packets in the interval before the decision, the state s_t (n, S).
        next_arrivals: packets in the interval that the decision was for, s_{t+1} (n, S); in a run, the arrivals of the
            decision that follows.
        performance: what else was measured in that interval, by column: (n, S), or (n,) for a column of the cell.
        controls: what was decided in addition to the allocation, by name: (n, S).
        columns: of `performance`, in order; those of a simulator are `ssr` and `spectral_efficiency`.
        arrivals_column: how arrivals are modelled.
        control_columns: of `controls`, in order.
        smallest: units that each slice holds at least (S,), 0 or 1; empty: 1 each.
        held: the allocations (k, S) to which environments are restricted; empty: all.
        time: stamp that a log gave the interval of each decision (n,) [s]; of dates since 1970, as a clock shows them
            (no time zone). None: it has none.
        run_names: what a log calls runs (its cell, its file), by number; several may be of one name, cut by a pause.

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
    smallest: tuple[int, ...] = ()
    held: tuple[tuple[int, ...], ...] = ()
    time: FloatArray | None = None
    run_names: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_instance("scenario", self.scenario, (Scenario,))
        for name in ("columns", "control_columns"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        _ = self.layout  # looks at the columns
        n, slices = np.size(self.run), self.scenario.num_slices
        if n == 0:
            raise ValueError("history: no decisions given, allowed are one or more")
        for name in _FIELDS:
            shape = (n,) if name in ("run", "interval") else (n, slices)
            object.__setattr__(self, name, checks.checked(name, getattr(self, name), shape, whole=True))
        if self.time is not None:
            object.__setattr__(self, "time", checks.checked("time", self.time, (n,), whole=False, dtype=np.float64))
        checks.same_names("performance", self.performance, [column.name for column in self.columns])
        checks.same_names("controls", self.controls, [control.name for control in self.control_columns])
        names = self.scenario.slice_names
        performance, controls = {}, {}
        for column in self.columns:
            shape = (n, slices) if column.per_slice else (n,)
            values = checks.checked(column.name, self.performance[column.name], shape, column.whole, np.float64)
            checks.check_bounds(column.name, values, column.lower, column.upper, names)
            performance[column.name] = values
        for control in self.control_columns:
            values = checks.checked(control.name, self.controls[control.name], (n, slices), whole=True)
            checks.check_choices(control.name, values, control.values, names)
            controls[control.name] = values
        object.__setattr__(self, "performance", performance)
        object.__setattr__(self, "controls", controls)
        for name in ("arrivals", "next_arrivals"):
            values, column = getattr(self, name), self.arrivals_column
            checks.check_bounds(name, values, column.lower, column.upper, names)
            # no more can join: a full queue of every user in every slot
            checks.check_bounds(name, values, 0.0, self.scenario.largest_arrivals, names)
        checks.check_order(self.run, self.interval)
        checks.check_arrivals(self.run, self.interval, self.arrivals, self.next_arrivals)
        self.layout.check_allocations(
            "allocation", self.allocation, lambda row: f"row {row} (run {self.run[row]}, interval {self.interval[row]})"
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

    def run_of(self, row: int) -> str:
        """The run of a decision, for messages: its number, and what the log calls it."""
        number = int(self.run[row])
        return f"run {number} of {self.run_names[number]}" if number in self.run_names else f"run {number}"

    def sequences(self) -> list[slice]:
        """Blocks of rows that follow one another without a gap."""
        broken = np.flatnonzero(~checks.follows(self.run, self.interval))
        edges = [0, *(broken + 1).tolist(), len(self)]
        return [slice(start, stop) for start, stop in pairwise(edges)]

    def take(self, rows: npt.NDArray[Any] | slice) -> History:
        """The decisions `rows`, a mask or numbers in rising order, of which there must be one."""
        return History(
            **vars(self.layout),
            run=self.run[rows],
            interval=self.interval[rows],
            allocation=self.allocation[rows],
            arrivals=self.arrivals[rows],
            next_arrivals=self.next_arrivals[rows],
            performance={name: values[rows] for name, values in self.performance.items()},
            controls={name: values[rows] for name, values in self.controls.items()},
            time=None if self.time is None else self.time[rows],
            run_names=self.run_names,
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
        """The first part of every run, and the last `share` of it: at least one decision on each side.

        A run of one decision is in the first part.

        Raises:
            ValueError: all runs have only one decision, or `share` is not above 0 and at most 1.
        """
        check_number("share", share, above=0.0, at_most=1.0)
        late = np.zeros(len(self), np.bool_)
        for run in self.runs:
            rows = np.flatnonzero(self.run == run)
            if len(rows) > 1:
                late[rows[-min(max(1, round(share * len(rows))), len(rows) - 1) :]] = True
        if not late.any():
            raise ValueError("history: every run has one decision and cannot be split by time")
        return self.take(~late), self.take(late)

    def sample_windows(self, number: int, length: int, generator: np.random.Generator) -> IntArray:
        """Rows (number, length) of windows that cross no gap, all windows being equally likely.

        Raises:
            ValueError: no sequence is that long.
        """
        check_integer("number", number, at_least=1)
        check_integer("length", length, at_least=1)
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
        return Layout(self.scenario, self.arrivals_column, self.columns, self.control_columns, self.smallest, self.held)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file (npz) with the schema inside, atomically."""
        arrays: dict[str, npt.NDArray[Any]] = {name: getattr(self, name) for name in _FIELDS}
        arrays |= {f"performance.{name}": values for name, values in self.performance.items()}
        arrays |= {f"controls.{name}": values for name, values in self.controls.items()}
        arrays |= {} if self.time is None else {"time": self.time}
        names = {str(run): name for run, name in self.run_names.items()}
        header = json.dumps({"format": FORMAT_VERSION, "layout": self.layout.to_dict(), "run_names": names})
        with atomic_write(path) as file:
            np.savez_compressed(file, allow_pickle=False, header=np.array(header), **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> History:
        """The history that `save` wrote; loading runs no code.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is not a history, is damaged, or is of another version.
        """
        name = os.fspath(path)
        arrays = read_arrays("history", name, _FAULT)
        with parsing("history", name, _FAULT):
            if "header" not in arrays:
                raise ValueError("it has no header")
            header = json.loads(str(arrays.pop("header")))
            version = header["format"]
        if version != FORMAT_VERSION:
            raise ValueError(f"history: {name!r} has format {version!r}, allowed is {FORMAT_VERSION}")
        try:
            layout = Layout.from_dict(header["layout"])
            return cls(
                **vars(layout),
                run=arrays["run"],
                interval=arrays["interval"],
                allocation=arrays["allocation"],
                arrivals=arrays["arrivals"],
                next_arrivals=arrays["next_arrivals"],
                performance=_with_prefix(arrays, "performance."),
                controls=_with_prefix(arrays, "controls."),
                time=arrays.get("time"),
                run_names={int(run): str(name) for run, name in header.get("run_names", {}).items()},
            )
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"history: {name!r} does not hold a history ({error})") from error


_FAULT = "is not a history's file, or is damaged"

_FIELDS = ("run", "interval", "allocation", "arrivals", "next_arrivals")


def concatenate(histories: Sequence[History]) -> History:
    """One history of several of the same network; their runs are numbered again, one after the other.

    Args:
        histories: one or more, in the order in which their runs are numbered.

    Raises:
        ValueError: none given, or they differ in slices, units or columns.
    """
    if not histories:
        raise ValueError("histories: none given, allowed are one or more")
    first = histories[0]
    runs, number = [], 0
    names: dict[int, str] = {}
    for place, history in enumerate(histories):
        first.layout.check_same(f"histories[{place}]", history.layout)
        _, own = np.unique(history.run, return_inverse=True)
        runs.append(own + number)
        numbers = {int(run): number + new for new, run in enumerate(history.runs)}
        names |= {numbers[run]: name for run, name in history.run_names.items() if run in numbers}
        number += len(history.runs)

    def joined(name: str) -> IntArray:
        return np.concatenate([getattr(each, name) for each in histories])

    held = {row for each in histories for row in each.held} if all(each.held for each in histories) else set()
    return History(
        **{**vars(first.layout), "held": tuple(sorted(held))},
        run=np.concatenate(runs),
        interval=joined("interval"),
        allocation=joined("allocation"),
        arrivals=joined("arrivals"),
        next_arrivals=joined("next_arrivals"),
        performance={
            name: np.concatenate([each.performance[name] for each in histories]) for name in first.performance
        },
        controls={name: np.concatenate([each.controls[name] for each in histories]) for name in first.controls},
        time=_times(histories),
        run_names=names,
    )


def _times(histories: Sequence[History]) -> FloatArray | None:
    """The times of several one after the other; None if one has none."""
    found = [each.time for each in histories if each.time is not None]
    return np.concatenate(found) if len(found) == len(histories) else None


def _with_prefix(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {key.removeprefix(prefix): values for key, values in arrays.items() if key.startswith(prefix)}
