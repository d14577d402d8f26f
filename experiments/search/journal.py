"""Optuna's journal of a study, of which every line is whole whatever became of who wrote it."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from slicing_gym.files import named


class Journal:
    """A file of JSON lines that several processes append to, as `optuna.storages.JournalStorage` takes one.

    It is `optuna.storages.journal.JournalFileBackend`, but for half a line that a full disk or a killed process left
    at the end: that is cut off before the next one, which would else be part of it.

    Args:
        path: of the file, which is made.
        package: `optuna.storages.journal`.
    """

    def __init__(self, path: Path, package: Any) -> None:
        self._path, self._lock = path, package.JournalFileSymlinkLock(str(path))
        self._backend = package.JournalFileBackend(str(path), self._lock)

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """What its lines hold, from a number on."""
        found: Generator[dict[str, Any], None, None] = self._backend.read_logs(log_number_from)
        return found

    def append_logs(self, logs: Sequence[Mapping[str, Any]]) -> None:
        """Write a line for each.

        Raises:
            OSError: there is no room, say; the message names the file.
        """
        rest = memoryview("".join(f"{json.dumps(log, separators=(',', ':'))}\n" for log in logs).encode())
        with named(self._path):
            self._lock.acquire()
            try:
                with self._path.open("rb+", buffering=0) as file:
                    file.seek(_cut(file))
                    while rest:
                        rest = rest[file.write(rest) :]
                    os.fsync(file.fileno())
            finally:
                self._lock.release()


def _cut(file: Any) -> int:
    """Cut off half a line at the end; the bytes that are left."""
    size: int = file.seek(0, os.SEEK_END)
    if size:
        file.seek(size - 1)
        if file.read(1) != b"\n":
            file.seek(0)
            size = file.read().rfind(b"\n") + 1
            file.truncate(size)
    return size
