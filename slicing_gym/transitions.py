"""Decisions as an agent learns from them, wherever they come from."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.floating[Any]]


class Transitions(NamedTuple):
    """n decisions as an agent learns from them.

    Args:
        observations: (n, ...).
        actions: (n,).
        rewards: (n,).
        next_observations: (n, ...).
        last: bool (n,), whether the next row does not continue this one; None: no row continues another.
        terminal: bool (n,), whether nothing comes after this decision; None: something always does, as in our episodes.
    """

    observations: _Floats
    actions: npt.NDArray[np.int64]
    rewards: _Floats
    next_observations: _Floats
    last: npt.NDArray[np.bool_] | None = None
    terminal: npt.NDArray[np.bool_] | None = None
