"""Which allocations a planner may choose (bounds on units, a set, SSRs that are demanded), and the best of these."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from slicing_gym import Scenario, allocation_index
from slicing_gym.allocation import allocation_table, checked_allocations
from slicing_gym.allocation_search import best_allocations, limits
from slicing_gym.errors import check_integer, check_number, unknown_name

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

Bounds = Mapping[str, int] | npt.ArrayLike
"""Units by slice name, or of every slice (n_slices,)."""


class Permitted(NamedTuple):
    """The numbers of units that every slice may hold, so that what is demanded is met or comes closest.

    Args:
        units: bool (n_slices, M); column u - 1 is of u units.
        probability: with which each slice meets what is demanded of it, at least, with any of them.
        meets: whether that is as much as is demanded.
    """

    units: BoolArray
    probability: float
    meets: bool


class Constraints:
    """The allocations that a planner may choose.

    Args:
        scenario: of the network.
        lowest: the fewest units of each slice; those that are not named may hold 1.
        highest: the most units of each slice; those that are not named have no bound.
        allowed: the allocations among which it chooses, int (r, n_slices); None: all.
        min_ssr: the SSR that is demanded of a slice in the mean of an episode, by name.
        min_probability: with which each of them is to be met, by what the model knows.

    Attributes:
        demanded: SSR (n_slices,), 0 where nothing is demanded.

    Raises:
        ValueError, TypeError: a slice is unknown, a value is not allowed, or no allocation is left; the message names
            the key.
    """

    def __init__(
        self,
        scenario: Scenario,
        lowest: Bounds | None = None,
        highest: Bounds | None = None,
        allowed: npt.ArrayLike | None = None,
        min_ssr: Mapping[str, float] | None = None,
        min_probability: float = 0.9,
    ) -> None:
        self._scenario = scenario
        self.num_units, self._num_slices = scenario.num_units, scenario.num_slices
        self.most = self.num_units - self._num_slices + 1
        self.lowest = self._bounds("lowest", lowest, 1)
        self.highest = self._bounds("highest", highest, self.most)
        limits((1, self._num_slices, self.most), self.num_units, self.lowest, self.highest)
        self._allowed = None if allowed is None else self._checked_set(allowed)
        self.demanded = np.zeros(self._num_slices)
        for name, ssr in self._named("min_ssr", min_ssr or {}).items():
            key = f"min_ssr.{name}"
            self.demanded[scenario.slice_names.index(name)] = check_number(key, ssr, at_least=0.0, at_most=1.0)
        self.min_probability = check_number("min_probability", min_probability, above=0.0, at_most=1.0)

    def to_dict(self) -> dict[str, Any]:
        """The arguments as builtin types."""
        names = self._scenario.slice_names
        return {
            "lowest": self.lowest.tolist(),
            "highest": self.highest.tolist(),
            "allowed": None if self._allowed is None else self._allowed.tolist(),
            "min_ssr": {name: float(ssr) for name, ssr in zip(names, self.demanded, strict=True) if ssr > 0.0},
            "min_probability": self.min_probability,
        }

    @property
    def demands(self) -> bool:
        """Whether any SSR is demanded."""
        return bool(self.demanded.any())

    def _named(self, key: str, given: object) -> Mapping[str, Any]:
        if not isinstance(given, Mapping):
            raise TypeError(f"{key}: {given!r} given, allowed is a mapping of slice names")
        for name in given:
            if name not in self._scenario.slice_names:
                raise ValueError(unknown_name(key, name, self._scenario.slice_names))
        return given

    def _bounds(self, key: str, given: Any, usual: int) -> IntArray:
        """Units of every slice (n_slices,), checked."""
        bounds = np.full(self._num_slices, usual, np.int64)
        names = self._scenario.slice_names
        if given is None:
            return bounds
        if not isinstance(given, Mapping):
            units = np.asarray(given)
            if units.shape != bounds.shape:
                raise ValueError(f"{key}: shape {units.shape} given, allowed is {bounds.shape}, one number per slice")
            given = dict(zip(names, units.tolist(), strict=True))
        for name, value in self._named(key, given).items():
            bounds[names.index(name)] = check_integer(f"{key}.{name}", value, at_least=1)
        return bounds

    def _checked_set(self, allowed: npt.ArrayLike) -> IntArray:
        """The allocations of a set that are within the bounds, in the order of their numbers, each once."""
        given = np.asarray(allowed)
        if given.size == 0 or given.ndim != 2:
            raise ValueError(f"allowed: shape {given.shape} given, allowed are 1 or more rows (r, {self._num_slices})")
        try:
            rows = checked_allocations(given, len(given), self.num_units, self._num_slices)
        except (TypeError, ValueError) as error:
            raise type(error)(f"allowed: {error}") from None
        rows = np.unique(self._within(rows), axis=0)  # lexicographic, as the numbers are
        if not len(rows):
            raise ValueError(
                f"allowed: none of {len(given)} allocations is within lowest = {self.lowest.tolist()} and "
                f"highest = {self.highest.tolist()}"
            )
        return rows

    def _within(self, rows: IntArray) -> IntArray:
        return rows[((rows >= self.lowest) & (rows <= self.highest)).all(axis=1)]

    @cached_property
    def rows(self) -> IntArray:
        """The allocations within the bounds and the set, in the order of their numbers (r, n_slices).

        Raises:
            ValueError: they cannot be listed.
        """
        if self._allowed is not None:
            return self._allowed
        return self._within(allocation_table(self.num_units, self._num_slices))

    @cached_property
    def numbers(self) -> IntArray:
        """Their numbers (r,)."""
        return allocation_index(self.rows, self.num_units)

    def best(self, values: FloatArray, permitted: BoolArray | None = None) -> tuple[IntArray, FloatArray]:
        """The best allocation of each row; of equal ones the lowest number.

        Args:
            values: of each slice with 1 to M units (k, n_slices, M), or of every allocation (k, num_allocations).
            permitted: numbers of units that each slice may hold (n_slices, M); None: all.

        Returns:
            Units int64 (k, n_slices), and their values (k,).
        """
        if values.ndim == 3 and self._allowed is None:
            masked = values if permitted is None else np.where(permitted, values, -np.inf)
            return best_allocations(masked, self.num_units, self.lowest, self.highest)
        totals = self.totals(values, permitted)
        chosen = totals.argmax(axis=1)
        return self.rows[chosen], totals[np.arange(len(totals)), chosen]

    def totals(self, values: FloatArray, permitted: BoolArray | None = None) -> FloatArray:
        """The values of each of `rows` (k, r), -inf where it is not permitted; arguments as for `best`.

        Raises:
            ValueError: the allocations cannot be listed.
        """
        totals = self._of_rows(values) if values.ndim == 3 else values[:, self.numbers]
        return totals if permitted is None else np.where(self._by_slice(permitted).all(axis=1), totals, -np.inf)

    def _of_rows(self, values: FloatArray) -> FloatArray:
        """The sum over the slices of each listed allocation (k, r)."""
        totals = np.zeros((len(values), len(self.rows)))
        for n in range(self._num_slices):
            totals += values[:, n].take(self.rows[:, n] - 1, axis=1)
        return totals

    def _by_slice(self, table: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Entries of a table (n_slices, M) at the units of each listed allocation (r, n_slices)."""
        return table[np.arange(self._num_slices), self.rows - 1]

    def permitted(self, satisfied: FloatArray) -> Permitted:
        """The units with which each slice meets what is demanded of it, or, where no allocation does, comes closest.

        Where no allocation can have every slice meet it with `min_probability`, the probability is lowered to the
        highest one that some allocation reaches in all its slices: what is left are the allocations whose smallest
        probability is as large as it can be.

        Args:
            satisfied: probability that a slice meets what is demanded of it with 1 to M units (n_slices, M).
        """
        probability = np.where(self.demanded[:, None] > 0.0, satisfied, 1.0)
        reached = min(self._reachable(probability), self.min_probability)
        return Permitted(probability >= reached, reached, reached >= self.min_probability)

    def _reachable(self, probability: FloatArray) -> float:
        """The smallest probability of an allocation's slices, at its largest over all allocations.

        Not looked for above `min_probability`.
        """
        if self._allowed is not None:
            return float(self._by_slice(probability).min(axis=1).max())

        def is_reached(least: float) -> bool:
            missed = np.where(probability >= least, 0.0, -1.0)  # whole numbers: their sums are exact
            return bool(best_allocations(missed[None], self.num_units, self.lowest, self.highest)[1][0] == 0.0)

        if is_reached(self.min_probability):
            return self.min_probability
        levels = np.unique(probability)
        reached, beyond = 0, len(levels)  # every allocation reaches the lowest level
        while beyond - reached > 1:
            middle = (reached + beyond) // 2
            reached, beyond = (middle, beyond) if is_reached(levels[middle]) else (reached, middle)
        return float(levels[reached])

    def report(self, permitted: Permitted, units: IntArray, expected: FloatArray) -> str:
        """What is demanded, whether it is met, and what an allocation (n_slices,) with these expected SSRs brings."""
        names = self._scenario.slice_names
        wanted = [n for n in range(self._num_slices) if self.demanded[n] > 0.0]
        asked = ", ".join(f"{names[n]} {self.demanded[n]:g}" for n in wanted)
        held = ", ".join(f"{name} {number}" for name, number in zip(names, units, strict=True))
        gets = ", ".join(f"{names[n]} {expected[n]:.3f}" for n in wanted)
        what = f"min_ssr: {asked} with a probability of {self.min_probability:g} is demanded; "
        if permitted.meets:
            return f"{what}some allocations meet it, for instance {held} (expected SSR over an episode: {gets})"
        return (
            f"{what}by what the model knows no allocation meets it; {held} comes closest, with a probability of "
            f"{permitted.probability:.3g} (expected SSR over an episode: {gets})"
        )
