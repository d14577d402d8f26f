"""What the environments ask of their backend, the cells behind them, be they simulated or learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class Measured(Protocol):
    """What was measured of k cells with n slices in one decision interval."""

    def info(self) -> dict[str, npt.NDArray[Any]]:
        """What was measured, as arrays (k, ...), `utility` among them; see `SliceRANEnv` for the keys."""


class Backend(Protocol):
    """Cells that are advanced by decision intervals.

    Without `clone` the environments do all but one thing: pictures have no `reference_allocations`.
    """

    def begin_episode(self, cells: npt.NDArray[np.int64] | None = None) -> Measured:
        """Begin an episode in some cells (by default all); what is measured before its first decision."""

    def advance(self, units: npt.NDArray[np.int64], cells: npt.NDArray[np.int64] | None = None) -> Measured:
        """Hold allocations (k, n_slices), or one (n_slices,) for all, for a decision interval."""

    def redraw(self, cells: npt.NDArray[np.int64], seeds: Sequence[int]) -> None:
        """Replace the cells numbered `cells` (k,) by fresh ones of the given seeds."""

    def clone(self, cells: npt.NDArray[np.int64] | None = None) -> Backend:
        """Copies of cells (by default all), with the same random streams; what no cell changes is shared."""
