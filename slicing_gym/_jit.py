"""The one place where numba is configured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

_Function = TypeVar("_Function", bound=Callable[..., object])
_OPTIONS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "forceinline": True,
    "_nrt": False,  # an option that numba has for its own targets; there is no public one
}


def njit(function: _Function) -> _Function:
    """Compile `function` to machine code, typed as what it was written as.

    The code is cached on disk, releases the GIL, keeps IEEE arithmetic, and counts no references: with numba's run-time
    (`_nrt`) every array taken out of a named tuple costs two atomic operations, which made the kernel ten times slower.
    In return compiled functions may not allocate: they write on arrays that their caller owns.
    """
    compiled: _Function = numba.njit(**_OPTIONS)(function)
    return compiled
