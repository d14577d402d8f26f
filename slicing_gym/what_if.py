"""What each slice would bring with each number of units: all allocations' outcomes from some hundred runs of a cell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from slicing_gym._jit import njit
from slicing_gym.allocation import checked_allocations
from slicing_gym.allocation_search import best_allocations
from slicing_gym.draws import forget_draws, forget_gains
from slicing_gym.interval import Interval, interval_of
from slicing_gym.kernel import advance_one
from slicing_gym.physics import Cells, Outcome, Physics, Scratch, empty_copies, empty_outcome, empty_scratch
from slicing_gym.reward import sla_satisfaction_ratio
from slicing_gym.scenario import Scenario
from slicing_gym.threads import Threads

COMPILED_WITH = "91897303dba6"
"""Digest of the modules whose compiled functions are called here (`tests/project/test_house.py`)."""

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SliceOutcomes:
    """What one decision interval would bring to each of n slices of k cells with 1, 2, ... m units.

    m = units - n + 1 is the most that a slice can hold. Slices share nothing but the sum of their units, so these
    k n m numbers say what every allocation would bring.

    Args:
        scenario: of the cells.
        arrivals, successes, delivered, queued, blocked: packets or users as in `Interval` (k, n, m).
        efficiency: the slice's share of the spectral efficiency [bit/s/Hz] (k, n, m).
    """

    scenario: Scenario
    arrivals: IntArray
    successes: IntArray
    delivered: IntArray
    queued: IntArray
    blocked: IntArray
    efficiency: FloatArray

    @cached_property
    def ssr(self) -> FloatArray:
        """SLA satisfaction ratios, equation (3) (k, n, m)."""
        return sla_satisfaction_ratio(self.successes, self.arrivals)

    @cached_property
    def values(self) -> FloatArray:
        """Each slice's term of the utility, alpha times its share of SE + beta_n SSR_n (k, n, m)."""
        weighted = self.ssr * self.scenario.ssr_weights[:, None]
        return np.ascontiguousarray(self.scenario.reward.se_weight * self.efficiency + weighted)

    def utilities(self, units: npt.ArrayLike) -> FloatArray:
        """Utilities of allocations in every cell.

        Args:
            units: int array (r, n), or (n,) for one.

        Returns:
            Sums of the slices' terms (k, r); they may differ from `Interval.utility` in the last bit.

        Raises:
            TypeError, ValueError: the units are not allocations of the scenario.
        """
        allocations = self._allocations(units, len(np.atleast_2d(np.asarray(units))))
        total = np.zeros((len(self.values), len(allocations)))
        for n in range(self.scenario.num_slices):
            total += self.values[:, n].take(allocations[:, n] - 1, axis=1)
        return total

    def best(self) -> tuple[IntArray, FloatArray]:
        """The allocation of highest utility in each cell, the lexicographically smallest of equal ones.

        Returns:
            Units (k, n), and the sums of the slices' terms (k,).
        """
        return best_allocations(self.values, self.scenario.num_units)

    def interval(self, units: npt.ArrayLike) -> Interval:
        """What one allocation a cell would bring, to the last bit as if the cells had been advanced.

        Args:
            units: int array (k, n), or (n,) for all cells.

        Returns:
            An `Interval` of k rows.

        Raises:
            TypeError, ValueError: the units are not allocations of the scenario.
        """
        cells, slices = np.arange(len(self.arrivals))[:, None], np.arange(self.scenario.num_slices)
        allocations = self._allocations(units, len(cells))
        rows = (getattr(self, name)[cells, slices, allocations - 1] for name in Outcome._fields)
        return interval_of(self.scenario, allocations, Outcome._make(rows))

    def _allocations(self, units: npt.ArrayLike, number: int) -> IntArray:
        return checked_allocations(units, number, self.scenario.num_units, self.scenario.num_slices)


def hold_units(
    physics: Physics, cells: Cells, which: IntArray, tried: IntArray, intervals: int, threads: Threads
) -> list[Outcome]:
    """Hold each number of units in each slice of some cells, which are not advanced, from now on.

    Args:
        physics: of the cells.
        cells: the cells.
        which: numbers of the k cells.
        tried: the numbers of units (t,).
        intervals: how long to hold.
        threads: that share the k t runs.

    Returns:
        One `Outcome` of arrays (k, t, n) for each interval held.
    """
    number, num_slices = len(which) * len(tried), len(physics.rate_sla_bps)
    outcome = empty_outcome(intervals * number, num_slices)
    kept = len(tried) if intervals > 1 else 1
    memories = [(empty_scratch(physics, keep_draws=True), empty_copies(cells, kept)) for _ in range(threads.number)]

    def hold(runs: IntArray, memory: tuple[Scratch, Cells]) -> None:
        same = np.zeros(num_slices, np.int64)
        _hold(physics, cells, which, tried, intervals, runs, outcome, *memory, same)

    threads.run(hold, np.arange(number), memories)
    shaped = [array.reshape(intervals, len(which), len(tried), num_slices) for array in outcome]
    return [Outcome._make(array[interval] for array in shaped) for interval in range(intervals)]


@njit
def _hold(
    physics: Physics,
    cells: Cells,
    which: IntArray,
    tried: IntArray,
    intervals: int,
    runs: IntArray,
    outcome: Outcome,
    scratch: Scratch,
    copies: Cells,
    same: IntArray,
) -> None:
    """Runs numbered `runs`, consecutive ones; run r gives each slice `tried[r % t]` units in cell `which[r // t]`.

    All runs of a cell advance by an interval before the next begins: so what they share is drawn once.
    """
    if len(runs) == 0:  # more threads than runs
        return
    first, end = runs[0], runs[-1] + 1
    while first < end:
        cell = first // len(tried)
        last = min((cell + 1) * len(tried), end)
        forget_draws(scratch)
        for interval in range(intervals):
            forget_gains(scratch)
            for run in range(first, last):
                copy = (run - first) % len(copies.key)
                if interval == 0:
                    _copy_cell(cells, which[cell], copies, copy)
                same[:] = tried[run - cell * len(tried)]
                row = interval * len(which) * len(tried) + run
                advance_one(physics, copies, copy, same, outcome, row, scratch)
                copies.decision[copy] += 1
        first = last


@njit
def _copy_cell(cells: Cells, index: int, copies: Cells, copy: int) -> None:
    """Copy cell `index` to place `copy` of `copies`."""
    copies.key[copy] = cells.key[index]
    copies.slot[copy] = cells.slot[index]
    copies.decision[copy] = cells.decision[index]
    for user in range(cells.queued.shape[1]):
        copies.snr_hz[copy, user] = cells.snr_hz[index, user]
        copies.next_arrival[copy, user] = cells.next_arrival[index, user]
        copies.joined[copy, user] = cells.joined[index, user]
        copies.queued[copy, user] = cells.queued[index, user]
        copies.head_bits[copy, user] = cells.head_bits[index, user]
        for packet in range(cells.joined_slot.shape[2]):
            copies.joined_slot[copy, user, packet] = cells.joined_slot[index, user, packet]
    for n in range(cells.level.shape[1]):
        copies.round_robin[copy, n] = cells.round_robin[index, n]
        for profile in range(2):
            copies.level[copy, n, profile] = cells.level[index, n, profile]
