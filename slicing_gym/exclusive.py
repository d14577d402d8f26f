"""What one thread may use at a time, and arrays that an unpickled object may write on."""

from __future__ import annotations

from threading import get_ident
from typing import Any

import numpy as np


class Exclusive:
    """Around what one thread may do at a time; a second one gets an error, where it would spoil what the first writes.

    It is no lock: nobody waits, and a process that was forked meanwhile inherits nothing to wait for. A copy is free.

    Args:
        what: is used, for the message.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._thread: dict[str, int] = {}  # of setdefault there is only one that sets
        self._depth = 0  # the same thread comes in again where a reward function uses its environment

    def __enter__(self) -> None:
        if self._thread.setdefault("in", get_ident()) != get_ident():
            raise RuntimeError(
                f"{self._what}: in use by another thread, or was when this process was forked; allowed is one thread "
                "at a time, so give each its own (copy.deepcopy makes one that goes on alike)"
            )
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._thread.clear()

    def __reduce__(self) -> tuple[type[Exclusive], tuple[str]]:
        return Exclusive, (self._what,)


class OwnArrays:
    """Base of what writes on arrays of its own: unpickled with read-only ones, it copies them.

    Such come from Ray's object store, pickles with buffers out of band, and joblib's memory maps.
    """

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(owned(state))


def owned(value: Any) -> Any:
    """The value, with copies in place of the read-only arrays in it, in dicts, lists and tuples, too."""
    if isinstance(value, np.ndarray):
        return value if value.flags.writeable else np.array(value)
    if isinstance(value, dict):
        return {key: owned(each) for key, each in value.items()}
    if isinstance(value, list):
        return [owned(each) for each in value]
    if isinstance(value, tuple):
        parts = map(owned, value)
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value
