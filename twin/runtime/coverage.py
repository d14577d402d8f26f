"""`Coverage`: which units slices held at which loads in all that a twin was fitted to; elsewhere it only guesses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from twin.data.history import History
from twin.data.layout import Layout

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

PART = 200
"""Decisions that a part of the loads has at least, or half of them where loads are the same: fewer say little."""

MOST_PARTS = 10
"""Of the loads of a slice."""

FRINGE = 0.02
"""Share of the decisions at such loads with the fewest units, and with the most: of so few nothing is learned."""

ALIKE = 0.15
"""Of all units that a slice held, from the fewest to the most: by less the fringe does not depend on the load."""

RARELY = 0.08
"""Share of the decisions up to which it does not matter: of decisions as the log's own the fringes hold half of it."""


@dataclass(frozen=True)
class Beyond:
    """Units of a slice that a twin was not fitted to.

    Args:
        given: the fewest and the most.
        held: likewise, of all decisions, or of those at such loads.
        loads: which these are: "its highest loads", "its lowest loads" or "such loads"; empty: all.
    """

    given: tuple[int, int]
    held: tuple[int, int]
    loads: str = ""

    def __str__(self) -> str:
        low, high = self.given
        at = f" at {self.loads}" if self.loads else ""
        return f"{low if low == high else f'{low} to {high}'}, held {self.held[0]} to {self.held[1]}{at}"


@dataclass(frozen=True)
class Outside:
    """What of many decisions a twin was not fitted to.

    Args:
        slices: by name.
        share: of the decisions in which one of these slices has such units.
    """

    slices: Mapping[str, Beyond] = field(default_factory=dict)
    share: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.slices)


@dataclass(frozen=True, eq=False)
class Coverage:
    """Fewest and most units that each of S slices held, in all decisions and in each of B parts of its loads.

    A load is the number of packets that arrived in the interval before a decision.

    Args:
        ends: fewest and most units (S, 2).
        edges: of the parts (S, B - 1), rising [packets].
        held: fewest and most units in each part, but for the `FRINGE` (S, B, 2).
    """

    ends: IntArray
    edges: FloatArray
    held: IntArray

    def __post_init__(self) -> None:
        number, parts = self.held.shape[:2]
        for name, shape in (("ends", (number, 2)), ("edges", (number, parts - 1)), ("held", (number, parts, 2))):
            given = getattr(self, name)
            if given.shape != shape or given.dtype != (np.float64 if name == "edges" else np.int64):
                raise ValueError(f"{name} has shape {given.shape}, or is of {given.dtype}; wanted is shape {shape}")
            if not (np.isfinite(given).all() and (np.diff(given, axis=-1) >= 0).all()):
                raise ValueError(f"{name} has to rise, from the fewest to the most")

    @classmethod
    def of(cls, history: History) -> Coverage:
        """That of a history's decisions."""
        parts = int(np.clip(len(history) // PART, 1, MOST_PARTS))
        edges = np.quantile(history.arrivals, np.linspace(0.0, 1.0, parts + 1)[1:-1], axis=0).T.astype(np.float64)
        ends = _ends(history)
        return cls(ends, edges, _held(edges, history, np.repeat(ends[:, None], parts, axis=1)))

    def with_decisions(self, history: History) -> Coverage:
        """That of these decisions and a history's, in the same parts of the loads."""
        ends = _wider(self.ends, _ends(history))
        everywhere = self.held.shape[1] == 1
        held = ends[:, None] if everywhere else _wider(self.held, _held(self.edges, history, self.held))
        return Coverage(ends, self.edges, held)

    def outside(self, layout: Layout, arrivals: npt.NDArray[np.generic], units: IntArray) -> Outside:
        """Which of an alternative's units lie outside what was held; those of nobody never do.

        Args:
            layout: of the twin.
            arrivals: in the interval before each decision (..., S) [packets].
            units: given (..., S).
        """
        number = self.held.shape[0]
        loads, given = np.asarray(arrivals, np.float64).reshape(-1, number), units.reshape(-1, number)
        found, any_of = {}, np.zeros(len(given), np.bool_)
        for n, name in enumerate(layout.scenario.slice_names):
            if n == layout.idle:
                continue
            at = np.searchsorted(self.edges[n], loads[:, n], side="right")
            beyond, where = self._of_slice(n, at, given[:, n])
            if where is not None:
                found[name] = where
                any_of |= beyond
        return Outside(found, float(any_of.mean()) if found else 0.0)

    def _of_slice(self, n: int, at: IntArray, units: IntArray) -> tuple[npt.NDArray[np.bool_], Beyond | None]:
        """Decisions in parts `at` (k,) with units (k,) outside, and what is said of them; None if that is nothing."""
        least, most = self.ends[n].tolist()
        low, high = self.held[n, at].T
        everywhere = (units < least) | (units > most)
        by_load = ~everywhere & ((units < low) | (units > high))
        if by_load.mean() <= RARELY:
            ends = int(units.min()), int(units.max())
            return everywhere, Beyond(ends, (least, most)) if everywhere.any() else None
        part = int(np.bincount(at[by_load]).argmax())
        there, own = units[by_load & (at == part)], self.held[n, part].tolist()
        return everywhere | by_load, Beyond(
            (int(there.min()), int(there.max())), (own[0], own[1]), _name(part, self.held.shape[1])
        )


def _ends(history: History) -> IntArray:
    """Fewest and most units of each slice (S, 2)."""
    return np.stack([history.allocation.min(axis=0), history.allocation.max(axis=0)], axis=1)


def _held(edges: FloatArray, history: History, otherwise: IntArray) -> IntArray:
    """Fewest and most units in each part of the loads (S, B, 2); `otherwise` where a part has few decisions.

    Where the fringes of a part are those of all loads, it has the units of all.
    """
    found = otherwise.copy()
    for n, units in enumerate(history.allocation.T):
        part = np.searchsorted(edges[n], history.arrivals[:, n], side="right")
        ends = np.array([units.min(), units.max()])
        usual, near = np.quantile(units, [FRINGE, 1.0 - FRINGE]), ALIKE * np.ptp(ends)
        for each in np.flatnonzero(np.bincount(part, minlength=found.shape[1]) >= PART // 2):
            own = np.quantile(units[part == each], [FRINGE, 1.0 - FRINGE])
            alike = [own[0] <= usual[0] + near, own[1] >= usual[1] - near]
            found[n, each] = np.where(alike, ends, [np.floor(own[0]), np.ceil(own[1])])
    return found


def _wider(one: IntArray, other: IntArray) -> IntArray:
    """Ranges (..., 2) that hold both."""
    return np.stack([np.minimum(one, other)[..., 0], np.maximum(one, other)[..., 1]], axis=-1)


def _name(part: int, parts: int) -> str:
    """What a part of the loads is called."""
    return "its highest loads" if part == parts - 1 else "its lowest loads" if part == 0 else "such loads"
