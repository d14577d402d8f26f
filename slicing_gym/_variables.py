"""Environment variables with which numba compiles nothing: they are refused before it is imported."""

from __future__ import annotations

import os


def check_numba_variables() -> None:
    """Refuse what numba ends with a stack trace for, or what leaves functions uncompiled.

    Raises:
        ImportError: the message names the variable, its value and what is allowed.
    """
    threads, uncompiled = _number("NUMBA_NUM_THREADS"), _number("NUMBA_DISABLE_JIT")
    if threads is not None and threads < 1:
        raise ImportError(f"NUMBA_NUM_THREADS: {threads} given, allowed is 1 or more")
    if uncompiled:
        raise ImportError(
            f"NUMBA_DISABLE_JIT: {uncompiled} given, allowed is 0: the simulator uses machine instructions that Python "
            "has not"
        )


def _number(name: str) -> int | None:
    """The value of a variable; None: there is none, or it is no number, of which numba warns."""
    try:
        return int(os.environ[name])
    except (KeyError, ValueError):
        return None
