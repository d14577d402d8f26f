"""The one place where numba is configured, and where its cache on disk is kept."""

from __future__ import annotations

import os
import stat
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import caching
from numba.core.compiler_lock import global_compiler_lock

_Function = TypeVar("_Function", bound=Callable[..., object])
_FunctionCache: Any = caching.FunctionCache  # numba has no types
_config: Any = numba.config
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "forceinline": True,
    "_nrt": False,  # an option that numba has for its own targets; there is no public one
}

# A fork waits for what other threads compile or load; its child would wait for their lock for ever.
os.register_at_fork(
    before=global_compiler_lock.acquire,
    after_in_parent=global_compiler_lock.release,
    after_in_child=global_compiler_lock.release,
)


class _Cache(_FunctionCache):  # type: ignore[misc]
    """Numba's cache of a function, which nothing depends on: what cannot be read or written is compiled again."""

    def load_overload(self, *arguments: Any) -> Any:
        """As numba's; None if the files are damaged."""
        try:
            return super().load_overload(*arguments)
        except Exception:  # a damaged file fails in many ways
            return None

    def save_overload(self, *arguments: Any) -> None:
        """As numba's; if that fails, nothing is kept."""
        try:
            super().save_overload(*arguments)
        except Exception as error:  # the disk is full, or the index is damaged and so cannot be added to
            try:
                self.flush()
                super().save_overload(*arguments)
            except Exception:
                _warn(str(error))


def njit(function: _Function) -> _Function:
    """Compile `function` to machine code, typed as what it was written as.

    The code is cached on disk, releases the GIL, keeps IEEE arithmetic, and counts no references: with numba's run-time
    (`_nrt`) every array taken out of a named tuple costs two atomic operations, which made the kernel ten times slower.
    In return compiled functions may not allocate: they write on arrays that their caller owns.

    The cache is where numba would have it: in `$NUMBA_CACHE_DIR`, else in `__pycache__` beside the source, else in the
    user's cache folder. Where none of these can be written it is in a folder of the user's own in the temporary folder;
    where that cannot be, either, every process compiles for itself.
    """
    compiled: Any = numba.njit(**_OPTIONS)(function)
    if hasattr(compiled, "enable_caching"):  # with NUMBA_DISABLE_JIT it is still the function
        compiled._cache = _cache_of(function) or compiled._cache
    typed: _Function = compiled
    return typed


def _cache_of(function: Callable[..., object]) -> _Cache | None:
    """Where a function's machine code is kept; None if nowhere."""
    try:
        return _Cache(function)
    except (RuntimeError, OSError):  # numba found no folder that can be written
        folder = _temporary_folder()
    if folder is None:
        return None
    chosen, _config.CACHE_DIR = _config.CACHE_DIR, folder
    try:
        return _Cache(function)
    except (RuntimeError, OSError) as error:
        _warn(str(error))
        return None
    finally:
        _config.CACHE_DIR = chosen


@cache
def _temporary_folder() -> str | None:
    """A folder that only this user can write, for the cache holds code that will be run; None if there can be none."""
    try:
        path = Path(tempfile.gettempdir()) / f"slicing-gym-{os.getuid()}"
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        found = path.lstat()
    except OSError as error:
        _warn(str(error))
        return None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        _warn(f"{str(path)!r} is not a folder of this user's alone")
        return None
    return str(path)


def _warn(reason: str) -> None:
    """Say once that compiled code is not kept."""
    if not _warned:
        _warned.append(reason)
        warnings.warn(
            f"compiled code is not kept on disk ({reason}), so every process compiles for itself; "
            "NUMBA_CACHE_DIR=<a folder that can be written> keeps it",
            RuntimeWarning,
            stacklevel=2,
        )


_warned: list[str] = []
