"""Writing files so that a reader, or a crash, never sees half of one."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

UNFINISHED = ".unfinished"
"""How the name of a file that is being written ends, until it takes its own."""


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[io.BufferedWriter]:
    """A binary file that takes the name `path` only when the block ends without an error; folders are made.

    What writers that were killed have left in the folder is removed.

    Raises:
        OSError: the file cannot be written, as on a full disk; the message names it. What had its name before is whole.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_unfinished(target.parent)
    with named(target):
        raw, name = _make(target.parent)
    file: io.BufferedWriter = io.BufferedWriter(raw)
    try:
        yield file
        file.flush()
        os.fsync(raw.fileno())
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        own = isinstance(error, OSError) and error.filename in (None, name)
        failed = raw.error or (error if own else None)
        if isinstance(error, Exception) and failed is not None:  # zipfile and torch raise others because of it
            with named(target):
                raise failed from None
        raise
    finally:
        with suppress(OSError):  # what could not be written is tried once more
            file.close()


def remove_unfinished(folder: Path) -> None:
    """Remove the files in a folder whose writers were killed before they were whole."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.endswith(UNFINISHED) and entry.name.startswith("."):
                _remove_if_left(entry.path)


def _remove_if_left(path: str) -> None:
    """Remove a file unless its writer, which holds a lock of it, is there."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
        finally:
            os.close(descriptor)


class _Raw(io.FileIO):
    """A file that keeps the error of a failed write.

    Attributes:
        error: the first one.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.error = self.error or error
            raise


def _make(folder: Path) -> tuple[_Raw, str]:
    """A new file in a folder, locked, and its path."""
    while True:
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=UNFINISHED)
        raw = _Raw(descriptor, "wb")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another writer takes it for left, and is about to remove it
            raw.close()
            continue
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raw.close()
                Path(name).unlink(missing_ok=True)
                raise
        if os.fstat(descriptor).st_nlink:  # else another writer has taken it for left, and removed it
            return raw, name
        raw.close()


_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
"""Errors of file systems without locks: what is left there stays."""


@contextmanager
def named(target: Path) -> Iterator[None]:
    """Errors of the system that are raised inside name the file that was to be written, whatever they named before."""
    try:
        yield
    except OSError as error:
        number = error.errno or errno.EIO
        raise OSError(number, error.strerror or str(error), str(target)) from None


def digest(header: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> str:
    """The SHA-256 of all that a file of builtin types and arrays holds."""
    whole = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        whole.update(f"{name} {array.dtype} {array.shape}".encode())
        whole.update(array.tobytes())
    return whole.hexdigest()
