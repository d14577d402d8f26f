"""`Layout`: which variables a network shows, and where each stands in the arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym import Scenario
from slicing_gym.action import AllocationIndexCodec, AllocationListCodec, DiscreteCodec
from slicing_gym.allocation import are_not_allocations, checked_allocations
from twin.data.columns import Column, Control

IntArray = npt.NDArray[np.int64]

IDLE = "idle"
"""The name of the slice of units that belong to nobody, where the smallest number of its units is 0."""

RESERVED = ("run", "interval", "allocation", "next_arrivals", "utility", "threshold", "epistemic_std")
"""What a history calls its own fields, and an environment its own figures."""

REWARDED = {"ssr": True, "spectral_efficiency": False}
"""The columns that the reward is made of, and whether each slice has a value of its own."""


@dataclass(frozen=True)
class Layout:
    """Which variables there are, in order: the arrivals of each slice, then the performance.

    Args:
        scenario: of the network.
        arrivals_column, columns, control_columns: those of the history.
        smallest: units that each slice holds at least (S,), 0 or 1; empty: 1 each. Models and actions count a unit more
            for slices that may hold none (`lifted`), so that every number of units is 1 or more for them.
        held: the allocations (k, S), in the order of their numbers, to which an environment is restricted; empty: all.

    Raises:
        ValueError: two of them have the same name, a name has a meaning of its own in a history, or a column that the
            reward is made of is not what the reward needs.
    """

    scenario: Scenario
    arrivals_column: Column
    columns: tuple[Column, ...]
    control_columns: tuple[Control, ...] = ()
    smallest: tuple[int, ...] = ()
    held: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        self._check_units()
        measured = [column.name for column in (self.arrivals_column, *self.columns)]
        names = [*measured, *(control.name for control in self.control_columns)]
        for group in ([*names, *RESERVED], [name for name, _ in self.variables]):
            for name in group:
                if group.count(name) > 1:
                    raise ValueError(
                        f"columns: the name {name!r} occurs twice, allowed are names that differ from each other and "
                        f"from {', '.join(RESERVED)}"
                    )
        for name in names:
            if name.startswith("_"):
                raise ValueError(f"columns: the name {name!r} given, allowed are names that begin with a letter")
        if not self.arrivals_column.per_slice:
            raise ValueError("arrivals_column.per_slice: False given, allowed is True")
        for column in self.columns:
            if column.per_slice != REWARDED.get(column.name, column.per_slice):
                raise ValueError(
                    f"{column.name}.per_slice: {column.per_slice} given, allowed is {not column.per_slice}; "
                    "the reward is made of it"
                )
            if column.name in REWARDED and column.transform != "identity":
                raise ValueError(
                    f"{column.name}.transform: {column.transform!r} given, allowed is 'identity'; "
                    "the reward takes its mean"
                )

    def _check_units(self) -> None:
        """Refuse fewest units and held allocations that do not fit the slices."""
        slices = self.scenario.num_slices
        if self.smallest and (len(self.smallest) != slices or not set(self.smallest) <= {0, 1}):
            raise ValueError(f"smallest: {list(self.smallest)} given, allowed are {slices} times 0 or 1")
        if all(self.smallest):
            object.__setattr__(self, "smallest", ())
        if self.held:
            self.check_allocations("held", np.array(self.held, np.int64), lambda row: f"row {row}")

    @property
    def spare(self) -> IntArray:
        """What `lifted` adds to the units of each slice (S,): 1 where it may hold none."""
        if not self.smallest:
            return np.zeros(self.scenario.num_slices, np.int64)
        return 1 - np.array(self.smallest, np.int64)

    @property
    def num_units(self) -> int:
        """Units that lifted allocations share out."""
        return self.scenario.num_units + int(self.spare.sum())

    @property
    def idle(self) -> int | None:
        """The position of the units that belong to nobody; None where there are none."""
        names = self.scenario.slice_names
        return names.index(IDLE) if IDLE in names and self.smallest and not self.smallest[names.index(IDLE)] else None

    def lifted(self, allocation: IntArray) -> IntArray:
        """Allocations (..., S) as models and actions count them: every slice has 1 or more of `num_units`."""
        return allocation + self.spare if self.smallest else allocation

    def lowered(self, allocation: IntArray) -> IntArray:
        """The inverse of `lifted`: the units that slices hold."""
        return allocation - self.spare if self.smallest else allocation

    def checked_units(self, units: npt.ArrayLike, num_rows: int) -> IntArray:
        """Allocations (num_rows, S), or (S,) for all rows, checked and lifted.

        Raises:
            TypeError, ValueError: they are not of that form, or no allocations.
        """
        given = np.asarray(units)
        if (
            self.smallest
            and given.dtype.kind in "iu"
            and given.shape in ((num_rows, len(self.smallest)), self.spare.shape)
        ):
            self.check_allocations("units", np.atleast_2d(given).astype(np.int64), lambda row: f"row {row}")
            given = self.lifted(given)
        return checked_allocations(given, num_rows, self.num_units, self.scenario.num_slices)

    @property
    def codec(self) -> DiscreteCodec:
        """What an environment's actions mean: the number of an allocation, or of one of those that are held."""
        if self.held:
            return AllocationListCodec(self.held)
        return AllocationIndexCodec(self.smallest)

    def check_allocations(self, key: str, allocation: IntArray, where: Callable[[int], str]) -> None:
        """Refuse allocations (n, S) that give a slice too little, or do not give all units away.

        Args:
            key: what they are, for the message.
            allocation: the units.
            where: which row it is, for the message.
        """
        wrong = are_not_allocations(self.lifted(allocation), self.num_units)
        if wrong.any():
            row = int(wrong.argmax())
            least = "at least 1 a slice" if not self.smallest else f"at least {list(self.smallest)}"
            raise ValueError(
                f"{key}: {allocation[row].tolist()} in {where(row)}, allowed is {least} and "
                f"{self.scenario.num_units} in all"
            )

    @property
    def variables(self) -> list[tuple[str, Column]]:
        """Name and column of every variable, V in all."""
        parts = []
        for column in (self.arrivals_column, *self.columns):
            if column.per_slice:
                parts += [(f"{column.name}_{name}", column) for name in self.scenario.slice_names]
            else:
                parts.append((column.name, column))
        return parts

    @property
    def num_variables(self) -> int:
        """V."""
        return len(self.variables)

    @property
    def num_controls(self) -> int:
        """C: one-hot places of the controls."""
        return sum(len(control.values) for control in self.control_columns) * self.scenario.num_slices

    @property
    def num_features(self) -> int:
        """F."""
        knots = 2 * self.num_units.bit_length()  # 1, 2, 3, 4, 6, 8, ... up to all units and beyond
        return self.num_variables + (4 + knots) * self.scenario.num_slices + self.num_controls

    def place(self, name: str) -> slice:
        """Where the variables of a performance column are.

        Raises:
            KeyError: there is no such column.
        """
        first = self.scenario.num_slices
        for column in self.columns:
            width = self.scenario.num_slices if column.per_slice else 1
            if column.name == name:
                return slice(first, first + width)
            first += width
        raise KeyError(name)

    def has(self, name: str) -> bool:
        """Whether there is a performance column of that name."""
        return any(column.name == name for column in self.columns)

    def to_dict(self) -> dict[str, Any]:
        """As builtin types (JSON)."""
        return {
            "scenario": self.scenario.to_dict(),
            "arrivals_column": self.arrivals_column.to_dict(),
            "columns": [column.to_dict() for column in self.columns],
            "control_columns": [{"name": each.name, "values": list(each.values)} for each in self.control_columns],
            **({"smallest": list(self.smallest)} if self.smallest else {}),
            **({"held": [list(each) for each in self.held]} if self.held else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Layout:
        """The layout that `to_dict` wrote."""
        return cls(
            Scenario.from_dict(data["scenario"]),
            Column.from_dict(data["arrivals_column"]),
            tuple(Column.from_dict(each) for each in data["columns"]),
            tuple(Control(each["name"], tuple(each["values"])) for each in data["control_columns"]),
            tuple(data.get("smallest", ())),
            tuple(tuple(each) for each in data.get("held", ())),
        )

    def check_same(self, key: str, other: Layout) -> None:
        """Refuse a layout with other slices, units or columns.

        Traffic, radio conditions, reward and names may differ: a network changes, its slices and what is measured of
        them do not.

        Args:
            key: what `other` is, for the message.
            other: the layout to look at.

        Raises:
            ValueError: the message names what differs.
        """
        mine, theirs = self.to_dict(), other.to_dict()
        for what, wanted, given in (
            ("slices", self.scenario.slice_names, other.scenario.slice_names),
            ("units", self.scenario.num_units, other.scenario.num_units),
            ("smallest units", self.smallest, other.smallest),
            *((part, mine[part], theirs[part]) for part in ("arrivals_column", "columns", "control_columns")),
        ):
            if wanted != given:
                raise ValueError(
                    f"{key}: is of another network ({other.scenario.name!r}, not {self.scenario.name!r}): "
                    f"its {what} are {given}, wanted are {wanted}"
                )
