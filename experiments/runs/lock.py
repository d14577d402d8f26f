"""One writer a folder: `run.lock` names the process that writes there; one whose process is gone is taken over."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType

from experiments.runs.stopping import end_now
from slicing_gym.files import atomic_write
from slicing_gym.reading import read_json

LOCK_FILE = "run.lock"
HEARTBEAT_S = 15.0
"""Seconds after which a writer says again that it is there."""
STALE_S = 180.0
"""Seconds without a heartbeat after which a writer on another host counts as gone."""


class RunIsLocked(ValueError):  # noqa: N818  # it is what the message says
    """Another process writes into the folder."""


@dataclass(frozen=True)
class Writer:
    """A process that writes into a folder.

    Args:
        host: its name.
        process: its id there.
        boot: id of its host's start, after which clock ticks are counted; None if not known.
        process_start: when it began [clock ticks since then]: ids are used again; None if not known.
        since: when it locked the folder [s since 1970].
        heartbeat: when it last said that it is there [s since 1970].
    """

    host: str
    process: int
    boot: str | None
    process_start: int | None
    since: float
    heartbeat: float

    @property
    def is_alive(self) -> bool:
        """Whether it is still there; of another host, as far as its heartbeat tells."""
        if self.host != socket.gethostname():
            return time.time() - self.heartbeat < STALE_S
        return _is_running(self.process, self.boot, self.process_start)

    @property
    def is_here(self) -> bool:
        """Whether it is this process."""
        return (self.host, self.process) == (socket.gethostname(), os.getpid())

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.process} on host {self.host} has been writing here since {since}"


class RunLock:
    """The only writer of a folder, for the time of a `with` block; the folder is made if there is none.

    The same process may lock a folder again, within the block. A writer that was held up so long that another has taken
    over is ended by KeyboardInterrupt, without a checkpoint; the block then ends with `RunIsLocked`. One whose folder
    was removed is ended likewise; the block then ends with `FileNotFoundError`.

    On one host a writer is gone when its process is; of another host it is when its heartbeat is older than `STALE_S`,
    which needs clocks that agree to some seconds. On a network file system the lock relies on whole renames, and on
    `flock` where two processes come at once.

    Args:
        folder: of a run, or of a sweep.

    Raises:
        RunIsLocked: on entering, another process writes there; on leaving, another has taken over.
        OSError: on entering, the folder cannot be made or written; on leaving, it was removed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._ended = threading.Event()
        self._beating: threading.Thread | None = None
        self._thread = threading.get_ident()

    def __enter__(self) -> RunLock:
        """Lock the folder."""
        key = self.folder.resolve()
        if _held.get(key) == os.getpid():
            return self  # the block around this one has it
        self._is_new = not self.folder.exists()
        self.folder.mkdir(parents=True, exist_ok=True)
        with _guarded(self.folder / LOCK_FILE) as path:
            found = read_writer(self.folder)
            if found is not None and found.is_alive:
                raise RunIsLocked(f"folder: {str(self.folder)!r}: {found}")
            now = time.time()
            self._writer = Writer(socket.gethostname(), os.getpid(), _boot(), _start_of(os.getpid()), now, now)
            try:
                _write(path, self._writer)
            except OSError:  # a full disk, say
                self._leave(path)
                raise
        _held[key], self._thread = os.getpid(), threading.get_ident()
        self._beating = threading.Thread(target=self._beat, name="run.lock", daemon=True)
        self._beating.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let others write."""
        if self._beating is None:
            return
        self._ended.set()
        self._beating.join()
        _held.pop(self.folder.resolve(), None)
        try:
            if kind is not None and issubclass(kind, KeyboardInterrupt):
                check_is_own(self.folder)
        finally:
            if self._is_own():
                self._leave(self.folder / LOCK_FILE)

    def _leave(self, path: Path) -> None:
        """Remove the lock, and the folder if it is new and nothing came of it."""
        with suppress(OSError):  # where nothing can be written any more: the lock of a process that is gone binds none
            path.unlink()
            if self._is_new:
                self.folder.rmdir()

    def _beat(self) -> None:
        """Say that the writer is there, until the block ends; end its thread if the folder is no longer its own."""
        gone = False
        while not self._ended.wait(HEARTBEAT_S):
            own, was_gone = self._is_own(), gone
            gone = not (self.folder / LOCK_FILE).exists()
            if own is False or (gone and was_gone):  # once may be a network file system's
                end_now(self._thread)
                return
            if own:  # else the lock cannot be read now; the next beat looks again
                with suppress(OSError):  # a full disk is the run's to complain about; the next beat tries again
                    _write(self.folder / LOCK_FILE, replace(self._writer, heartbeat=time.time()))

    def _is_own(self) -> bool | None:
        """Whether the lock is still this one's: a writer that was held up for long may have lost it; None: unread."""
        found = read_writer(self.folder)
        return None if found is None else found.is_here and found.since == self._writer.since


def read_writer(folder: str | os.PathLike[str]) -> Writer | None:
    """Who locked a folder, alive or not; None: nobody, or a lock that cannot be read."""
    try:
        return Writer(**read_json("folder", Path(folder) / LOCK_FILE))
    except (OSError, ValueError, TypeError):
        return None


def is_locked(folder: str | os.PathLike[str]) -> bool:
    """Whether a writer that is alive has locked a folder."""
    found = read_writer(folder)
    return found is not None and found.is_alive


def check_is_own(folder: str | os.PathLike[str]) -> None:
    """Refuse to go on in a folder that this process has locked, and no longer has.

    Raises:
        RunIsLocked: another process has taken it over.
        FileNotFoundError: it was removed.
    """
    found = read_writer(folder)
    if found is not None and not found.is_here:
        raise RunIsLocked(f"folder: {str(folder)!r}: {found}")
    if found is None and not (Path(folder) / LOCK_FILE).exists():
        raise FileNotFoundError(
            errno.ENOENT, f"the folder, or its {LOCK_FILE}, was removed during the run", str(folder)
        )


def wait_for_heartbeat(folder: str | os.PathLike[str], poll_s: float = 1.0) -> None:
    """Wait until a writer on another host says again that it is there, or counts as gone: `STALE_S` at most.

    Where a cluster starts a job again whose machine was lost, the lock of the lost one looks alive for that long; and
    for longer if this host's clock was set back: then the lock is removed.
    """
    first, until = read_writer(folder), time.monotonic() + STALE_S
    while first is not None and first.host != socket.gethostname() and first.is_alive and read_writer(folder) == first:
        if time.monotonic() > until:
            with _guarded(Path(folder) / LOCK_FILE) as path:
                if read_writer(folder) == first:
                    path.unlink()
            return
        time.sleep(poll_s)


_held: dict[Path, int] = {}
"""Folders that this process has locked, with its id: a forked child has not locked them."""


@contextmanager
def _guarded(path: Path) -> Iterator[Path]:
    """For the time in which a lock is looked at and taken, nobody else looks."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError:  # a file system without: then two that come in the same instant are not told apart
                yield path
                return
            if _is_same(descriptor, path):  # else the one before has put another file in its place
                yield path
                return
        finally:
            os.close(descriptor)


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    own = os.fstat(descriptor)
    return (own.st_dev, own.st_ino) == (found.st_dev, found.st_ino)


def _write(path: Path, writer: Writer) -> None:
    with atomic_write(path) as file:
        file.write(json.dumps(asdict(writer)).encode())


def _is_running(process: int, boot: str | None, started: int | None) -> bool:
    """Whether a process of this host is there, and is the one that began then."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    now = _start_of(process)
    if now == _GONE or boot != _boot():
        return False
    return started is None or now is None or now == started


_GONE = -1
"""The start of a process that has ended, and waits for its parent to take note."""


def _start_of(process: int) -> int | None:
    """When a process of this host began [clock ticks since its boot]; None where the system does not say.

    Unlike a time of day, this does not move when the clock is set.
    """
    try:
        state, *fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return _GONE if state in "ZX" else int(fields[18])


def _boot() -> str | None:
    """The id of this host's start; None where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
