"""`Simulator`: n cells of one scenario, advanced by the kernel; the environments are thin adapters over it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym import kernel
from slicing_gym.allocation import checked_allocations, even_split
from slicing_gym.counter_rng import cell_key
from slicing_gym.errors import check_integer
from slicing_gym.exclusive import owned
from slicing_gym.files import atomic_write
from slicing_gym.interval import Interval, interval_of
from slicing_gym.physics import (
    Cells,
    Outcome,
    Physics,
    Scratch,
    checked_cells,
    compile_physics,
    draw_cells,
    empty_outcome,
    empty_scratch,
    map_cells,
)
from slicing_gym.presets import get_scenario
from slicing_gym.reading import parsing, read_arrays
from slicing_gym.scenario import Scenario
from slicing_gym.threads import Threads, check_threads
from slicing_gym.what_if import SliceOutcomes, hold_units

FORMAT_VERSION = 2
"""Of the files `Simulator.save` writes; those of version 1 have the round-robin pointer under another name."""

_FAULT = "is not a simulator's file"

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


class Simulator:
    """n independent cells of a scenario (the paper's section II; `docs/simulator.md` says what was decided beyond it).

    A cell is named by its seed: its users' positions and all its random numbers (arrivals, sizes, fading) follow from
    it, and do not depend on decisions.

    Args:
        scenario: a preset's name or a `Scenario`.
        seeds: one non-negative integer a cell.
        num_threads: threads that share the cells; the numbers do not depend on it.

    Attributes:
        scenario: the scenario.
        num_cells: n.
    """

    def __init__(self, scenario: str | Scenario = "paper", seeds: Sequence[int] = (0,), num_threads: int = 1) -> None:
        self.scenario = get_scenario(scenario)
        self.num_threads = check_threads(num_threads)
        if not isinstance(seeds, Iterable):
            raise TypeError(f"seeds: {seeds!r} given, allowed is a list, one a cell")
        checked = [check_integer("seeds", seed, at_least=0) for seed in seeds]
        if not checked:
            raise ValueError("seeds: none given, allowed are one or more")
        self._cells: Cells = draw_cells(self.scenario, checked)
        self._prepare(compile_physics(self.scenario))

    def _prepare(self, physics: Physics) -> None:
        """Keep what the kernel needs in addition to the cells; it holds addresses and threads of this process."""
        self._physics = physics
        self._scratch: list[Scratch] = [empty_scratch(self._physics) for _ in range(self.num_threads)]
        self._threads = Threads(self.num_threads)

    def __getstate__(self) -> dict[str, Any]:
        """Scenario and cells."""
        return {"scenario": self.scenario, "num_threads": self.num_threads, "_cells": self._cells}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(owned(state))
        self._prepare(compile_physics(self.scenario))

    @property
    def num_cells(self) -> int:
        """Number of cells."""
        return len(self._cells.key)

    @property
    def decisions(self) -> IntArray:
        """Decisions taken in each cell (n,); a warm-up counts as none, an episode that was cut short as a whole one."""
        return self._cells.decision.copy()

    @property
    def levels(self) -> FloatArray:
        """Load of the last interval (n, n_slices, 2): share of users active, intensity."""
        return self._cells.level.copy()

    @levels.setter
    def levels(self, value: npt.ArrayLike) -> None:
        levels = np.asarray(value, np.float64)
        try:
            self._cells.level[:] = levels
        except ValueError:
            raise ValueError(f"levels: shape {levels.shape} given, allowed is {self._cells.level.shape}") from None

    def advance(self, units: npt.ArrayLike, cells: npt.ArrayLike | None = None) -> Interval:
        """Run one decision interval.

        Args:
            units: int array (k, n_slices), or (n_slices,) for all; each row gives every slice at least 1 unit and all
                units away.
            cells: numbers of the k cells to advance, all different; by default all, in order.

        Returns:
            What the interval brought to those cells.

        Raises:
            TypeError, ValueError: the allocations are not of that form.
        """
        return self._advance(units, cells, decisions=1)

    def _advance(self, units: npt.ArrayLike, cells: npt.ArrayLike | None, decisions: int) -> Interval:
        """As `advance`; the clock of the load profiles moves on by so many decisions."""
        which = self._check_cells(cells)
        allocation = checked_allocations(units, len(which), self.scenario.num_units, self.scenario.num_slices)
        rows, outcome = allocation, empty_outcome(self.num_cells, self.scenario.num_slices)
        place: slice | IntArray = slice(None)
        if cells is not None:  # the kernel finds a cell's rows by its number
            place, rows = which, np.ones_like(outcome.arrivals)
            rows[which] = allocation
        self._run(self._cells, which, rows, outcome)
        self._cells.decision[place] += decisions
        if cells is not None:
            outcome = Outcome._make(array[which] for array in outcome)
        return interval_of(self.scenario, allocation, outcome)

    def warm_up(self, cells: npt.ArrayLike | None = None) -> Interval:
        """Run one interval under the even split, so that there is a last interval to observe; it is no decision."""
        return self._advance(even_split(self.scenario.num_units, self.scenario.num_slices), cells, decisions=0)

    def begin_episode(self, cells: npt.ArrayLike | None = None) -> Interval:
        """`clear`, then `warm_up`."""
        self.clear(cells)
        return self.warm_up(cells)

    def clear(self, cells: npt.ArrayLike | None = None) -> IntArray:
        """End the episode of k cells (by default all): empty the queues, and take the load to where an episode begins.

        Users stay where they are and their clocks run on.

        Returns:
            Packets thrown away (k, n_slices).
        """
        which = self._check_cells(cells)
        starts = self._physics.slice_start[:-1]
        dropped = np.add.reduceat(self._cells.queued[which], starts, axis=1)
        self._cells.queued[which] = 0
        self._cells.head_bits[which] = 0.0
        length = self.scenario.decisions_per_episode
        self._cells.decision[which] = -(-self._cells.decision[which] // length) * length
        return dropped

    def redraw(self, cells: npt.ArrayLike, seeds: Sequence[int]) -> None:
        """Replace the cells numbered `cells` (k,) by fresh ones of the given seeds."""
        which = self._check_cells(cells)
        if len(which) != len(seeds):
            raise ValueError(f"seeds: {len(seeds)} given, allowed are {len(which)}, one a cell")
        fresh = draw_cells(self.scenario, [check_integer("seeds", seed, at_least=0) for seed in seeds])
        for array, new in zip(self._cells, fresh, strict=True):
            array[which] = new

    def clone(self, cells: npt.ArrayLike | None = None) -> Simulator:
        """A simulator of copies of cells (by default all; a number may be repeated), with the same random streams."""
        which = self._check_cells(cells, repeated=True)
        copies = object.__new__(Simulator)
        copies.scenario, copies.num_threads = self.scenario, self.num_threads
        copies._cells = map_cells(lambda array: array[which], self._cells)
        copies._prepare(self._physics)
        return copies

    def fork(self, cell: int, seeds: Sequence[int]) -> Simulator:
        """Copies of a cell as it now is, users, queues and load included, with the random streams of `seeds` from here.

        How far they spread is the noise that no prediction from the cell's present state can remove.
        """
        copies = self.clone([cell] * len(seeds))
        copies._cells.key[:] = [cell_key(check_integer("seeds", seed, at_least=0)) for seed in seeds]
        return copies

    def what_if(self, units: npt.ArrayLike, cell: int = 0, intervals: int = 1) -> list[Interval]:
        """What each of k allocations would bring to a cell if it were held from now on (common random numbers).

        The cell itself is not advanced. Slices share nothing but the sum of their units, so each slice is tried once
        with every number of units that occurs, and the k outcomes are put together from that: exact, and all 4851
        allocations cost little more than 98.

        Args:
            units: int array (k, n_slices).
            cell: number of the cell.
            intervals: how long to hold.

        Returns:
            One `Interval` of k rows for each interval held.
        """
        allocation = checked_allocations(
            units, len(np.atleast_2d(np.asarray(units))), self.scenario.num_units, self.scenario.num_slices
        )
        which = self._check_cells([cell])
        check_integer("intervals", intervals, at_least=1)
        tried, place = np.unique(allocation, return_inverse=True)
        chosen = (0, place.reshape(allocation.shape), np.arange(self.scenario.num_slices))
        return [
            interval_of(self.scenario, allocation, Outcome._make(array[chosen] for array in outcome))
            for outcome in hold_units(self._physics, self._cells, which, tried, intervals, self._threads)
        ]

    def what_if_slices(self, cells: npt.ArrayLike | None = None, intervals: int = 1) -> list[SliceOutcomes]:
        """What each number of units, held from now on, would bring to each slice of k cells: all allocations at once.

        As `what_if`, the cells are not advanced, and the outcomes are exact. Nothing is listed by allocation.

        Args:
            cells: numbers of the k cells, all different; by default all, in order.
            intervals: how long to hold.

        Returns:
            One `SliceOutcomes` for each interval held.

        Raises:
            TypeError, ValueError: there are no such cells, or `intervals` is below 1.
        """
        which = self._check_cells(cells)
        check_integer("intervals", intervals, at_least=1)
        tried = np.arange(1, self.scenario.num_units - self.scenario.num_slices + 2)
        return [
            SliceOutcomes(self.scenario, **{name: array.swapaxes(1, 2) for name, array in outcome._asdict().items()})
            for outcome in hold_units(self._physics, self._cells, which, tried, intervals, self._threads)
        ]

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """A copy of everything that changes, random state included, by name."""
        return {name: array.copy() for name, array in self._cells._asdict().items()}

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that `state` of a simulator of the same scenario gave; the number of cells may differ.

        Raises:
            ValueError: an array is missing, or is not one that a simulator of this scenario could have.
        """
        self._cells = checked_cells(self.scenario, state)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write scenario and state to one file (npz), atomically."""
        header = json.dumps({"format": FORMAT_VERSION, "scenario": self.scenario.to_dict()})
        with atomic_write(path) as file:
            np.savez(file, header=np.array(header), **self.state())  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: str | os.PathLike[str], num_threads: int = 1) -> Simulator:
        """The simulator that `save` wrote; loading runs no code.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is not a simulator's, is damaged, or is of another version.
        """
        arrays = read_arrays("path", path, _FAULT)
        with parsing("path", os.fspath(path), _FAULT):
            header = json.loads(str(arrays.pop("header")))
            version, scenario = header["format"], header["scenario"]
        if version not in (1, FORMAT_VERSION):
            raise ValueError(f"path: {os.fspath(path)!r} has format {version!r}, allowed are 1 to {FORMAT_VERSION}")
        with parsing("path", os.fspath(path), _FAULT):
            checked = Scenario.from_dict(scenario)
            cells = checked_cells(checked, arrays)
        simulator = cls(checked, [0], num_threads)
        simulator._cells = cells
        return simulator

    def _check_cells(self, cells: npt.ArrayLike | None, repeated: bool = False) -> IntArray:
        """Numbers of cells as an int64 array (k,)."""
        if cells is None:
            return np.arange(self.num_cells)
        given = np.asarray(cells)
        if given.ndim != 1 or not (np.issubdtype(given.dtype, np.integer) or given.size == 0):
            raise TypeError(f"cells: {given.dtype} {given.shape} given, allowed are integers (k,)")
        which = given.astype(np.int64)
        if which.size and not 0 <= which.min() <= which.max() < self.num_cells:
            raise ValueError(f"cells: {given.tolist()} given, allowed are 0 to {self.num_cells - 1}")
        if not repeated and len(np.unique(which)) < len(which):
            raise ValueError(f"cells: {given.tolist()} given, allowed are different ones")
        return which

    def _run(self, cells: Cells, which: IntArray, units: IntArray, outcome: Outcome) -> None:
        """Call the kernel, in as many threads as asked for."""
        self._threads.run(
            lambda part, scratch: kernel.advance(self._physics, cells, part, units, outcome, scratch),
            which,
            self._scratch,
        )
