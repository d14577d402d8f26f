"""What the environments ask of the network behind them, be it simulated or learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class Measured(Protocol):
    """What one decision interval brought to k cells of n slices."""

    @property
    def arrivals(self) -> npt.NDArray[np.int64]:
        """Packets that joined a queue (k, n)."""

    @property
    def utility(self) -> npt.NDArray[np.float64]:
        """Equations (4) and (5) (k,)."""

    def info(self) -> dict[str, npt.NDArray[Any]]:
        """What an agent is told, as arrays (k, ...); see `SliceRANEnv` for the keys."""


class Backend(Protocol):
    """Cells that live through decision intervals."""

    def begin_episode(self, cells: npt.NDArray[np.int64] | None = None) -> Measured:
        """Begin a round in some cells (by default all); what is measured before its first decision."""

    def advance(self, units: npt.NDArray[np.int64], cells: npt.NDArray[np.int64] | None = None) -> Measured:
        """Hold allocations (k, n_slices), or one (n_slices,) for all, for a decision interval."""

    def redraw(self, cells: npt.NDArray[np.int64], seeds: Sequence[int]) -> None:
        """Put fresh cells of the given seeds in the places `cells` (k,)."""
