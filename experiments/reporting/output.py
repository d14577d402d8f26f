"""What a command prints: a terminal that is gone, full or knows ASCII alone takes from no run what it computes."""

from __future__ import annotations

import errno
import io
import logging
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def steady_output() -> Iterator[None]:
    """Around a command: printing raises nothing, and its exit status tells that the output could not be written.

    Characters that the terminal does not know are shown as `?`. What a reader such as `head` no longer wants is
    dropped; of another error there is one line at the end, and the exit status is 1 if it was 0. What is not a file
    of the system, as in a notebook, is left as it is.
    """
    _open_standard_files()
    sys.stdout, outlet = _steady(sys.stdout, sys.__stdout__, 1)
    sys.stderr, _ = _steady(sys.stderr, sys.__stderr__, 2)
    status: SystemExit | None = None
    logging.raiseExceptions, before = False, logging.raiseExceptions  # a log that cannot be written
    try:
        yield
    except SystemExit as error:
        status = error
    finally:
        logging.raiseExceptions = before
    sys.stdout.flush()
    sys.stderr.flush()
    failed = None if outlet is None else outlet.error
    if failed is not None and failed.errno not in _GONE and (status is None or not status.code):
        status = SystemExit(f"error: what was printed could not be written whole: {failed}")
    if status is not None:
        raise status


_GONE = (errno.EPIPE, errno.EIO)
"""Errors of a pipe, or of a terminal, that nobody reads any more."""


def _open_standard_files() -> None:
    """Where standard files are closed, let nothing that is opened later take their numbers, and what is printed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it takes the lowest number that is free
            os.set_inheritable(number, True)


def _steady(before: Any, of_system: Any, number: int) -> tuple[Any, _Outlet | None]:
    """A stream that raises nothing, in the place of one of the system's, and its outlet; another one, and None."""
    if before is not of_system:
        return before, None
    if before is not None:
        with suppress(OSError):
            before.flush()
    outlet = _Outlet(number, "wb", closefd=False)
    at_once = getattr(before, "write_through", False)
    buffer: Any = outlet if at_once else io.BufferedWriter(outlet)
    stream = io.TextIOWrapper(
        buffer,
        getattr(before, "encoding", "utf-8"),
        "replace" if before is None or before.errors == "strict" else before.errors,
        line_buffering=getattr(before, "line_buffering", True),
        write_through=at_once,
    )
    return stream, outlet


class _Outlet(io.FileIO):
    """A file of the system that takes all that is written; from its first error on, it drops it.

    Attributes:
        error: the first one.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        whole = len(rest)
        while rest and self.error is None:
            try:
                written: int | None = super().write(rest)
            except OSError as error:
                self.error = error
                break
            if written is None:  # another process has set it not to wait
                select.select([], [self.fileno()], [])
            rest = rest[written or 0 :]
        return whole
