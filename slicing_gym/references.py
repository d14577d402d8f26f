"""What a picture compares an episode with: allocations held throughout, on copies of the cell at its beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from slicing_gym.backend import Backend


class ReferenceRuns:
    """Episodes of a cell in which one allocation is held, with the random numbers of the episode that is drawn.

    Nothing is simulated before it is asked for: many set a render mode and never draw.

    Args:
        start: cells as they are when the episode begins; they are cloned, never advanced.
        cell: number of the one that is drawn.
        allocations: units by slice, by the name that the picture's legend has.
    """

    def __init__(self, start: Backend, cell: int, allocations: Mapping[str, Sequence[int]]) -> None:
        self.allocations = {name: tuple(units) for name, units in allocations.items()}
        self._start = start
        self._cell = np.array([cell])
        self._cells: dict[str, Backend] = {}
        self._utilities: dict[str, list[float]] = {name: [] for name in allocations}

    def utilities(self, decisions: int) -> dict[str, list[float]]:
        """The utilities that each allocation earned in the first `decisions` decisions of the episode."""
        for name, units in self.allocations.items():
            earned = self._utilities[name]
            if len(earned) < decisions and name not in self._cells:
                self._cells[name] = self._start.clone(self._cell)
            while len(earned) < decisions:
                interval = self._cells[name].advance(np.array([units]))
                earned.append(float(interval.info()["utility"][0]))
        return {name: earned[:decisions] for name, earned in self._utilities.items()}


def reference_runs(
    backend: Backend, cells: npt.NDArray[np.int64], allocations: Mapping[str, Sequence[int]]
) -> list[ReferenceRuns]:
    """What is compared with in each of `cells` (k,), whose episodes begin now; nothing where there is no `clone`."""
    if not hasattr(backend, "clone"):
        return [ReferenceRuns(backend, cell, {}) for cell in cells]
    start = backend.clone(cells)
    return [ReferenceRuns(start, row, allocations) for row in range(len(cells))]
