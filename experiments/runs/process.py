"""A run as a process: alone in its folder, with a status, the traceback in its log, and an exit status at its end."""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.runs.lock import RunIsLocked, RunLock, check_is_own
from experiments.runs.status import Status, now, read_status, write_status
from experiments.runs.stopping import Stopped, stopped_by_signals, stops_kept

REFUSALS = (ValueError, TypeError, OSError, ImportError)
"""What checks raise where something is not allowed; what reads logs, for one, is an extra."""
SWEEP = "sweep.json"
"""In the folder of a sweep; its runs are in folders below."""


FINISHED = "finished before"
"""What work returns that had nothing to do."""


def finished_before(folder: Path) -> str:
    """Say that a run was finished already, which is all the work that there is."""
    print(f"{os.path.relpath(folder)}: this run is finished")
    return FINISHED


@dataclass(frozen=True)
class Process:
    """The run of a command in a folder.

    Args:
        folder: of the run.
        command: its name.
        overrides: its arguments.
        prepare: checks them, and returns the work; what it refuses by one of `REFUSALS` is refused with the message
            alone.
        how_to_go_on: what to type after it was stopped.
        on_refusal: called when the run was refused, and leaves no status.
    """

    folder: Path
    command: str
    overrides: Sequence[str]
    prepare: Callable[[], Callable[[], object]]
    how_to_go_on: Callable[[], str]
    on_refusal: Callable[[], object] = lambda: None

    def run(self) -> int:
        """Check and work.

        Returns:
            The exit status: 0 done, 1 refused or failed, 130 stopped by Ctrl-C, 143 by SIGTERM or SIGHUP.
        """
        try:
            with RunLock(self.folder), stopped_by_signals():
                return self._run()
        except _Refused as refused:
            self.on_refusal()
            return say_refused(refused.error)
        except (RunIsLocked, OSError) as error:
            return say_refused(error)
        except KeyboardInterrupt as error:  # a second signal, while the status of the first was written
            return _exit_status(error)

    def _run(self) -> int:
        """Check and work in a folder that is locked, and keep its status."""
        before, begun = _status_before(self.folder), time.monotonic()
        status = Status("running", self.command, tuple(self.overrides), started=now(), process=os.getpid())
        try:
            with stops_kept():
                work = self._checked()
                write_status(self.folder, status)
                finished = work() is FINISHED
            if finished and before is not None and before.state == "done":
                write_status(self.folder, before)  # it says when the work was done
                return 0
            ended, code = replace(status, state="done"), 0
        except _Refused as refused:
            if (self.folder.parent / SWEEP).is_file() and (before is None or before.state != "done"):
                write_status(self.folder, replace(status, state="refused", error=str(refused.error), ended=now()))
            raise
        except KeyboardInterrupt as error:
            check_is_own(self.folder)
            ended, code = replace(status, state="stopped", error=self._say_stopped(error)), _exit_status(error)
        except SystemExit as error:  # an end with a message, which needs no traceback
            print(error.code, file=sys.stderr)
            ended, code = replace(status, state="failed", error=str(error.code)), 1
        except Exception as error:
            check_is_own(self.folder)
            trace = "".join(traceback.format_exception(error))
            _log_to_file(trace)
            of_system = isinstance(error, OSError)  # a full disk, say: one line tells it; the rest is in the log
            print(f"error: {error}\n" if of_system else trace, end="", file=sys.stderr)
            message = f"{type(error).__name__}: {error}"
            ended, code = replace(status, state="failed", error=message, traceback=trace), 1
        check_is_own(self.folder)  # if another has taken over, the status is the other's to write
        with suppress(OSError) if code else nullcontext():  # a full disk, as it was said
            write_status(self.folder, replace(ended, seconds=round(time.monotonic() - begun, 3), ended=now()))
        return code

    def _checked(self) -> Callable[[], object]:
        try:
            return self.prepare()
        except REFUSALS as error:
            raise _Refused(error) from error

    def _say_stopped(self, error: KeyboardInterrupt) -> str:
        shown = f"stopped by {error}" if isinstance(error, Stopped) else "stopped"
        message = f"{shown}; {self.how_to_go_on()}"
        _log_to_file(message)
        print(message, file=sys.stderr)
        return shown


class _Refused(Exception):  # noqa: N818  # it is what has happened
    """The checks have refused a run.

    Args:
        error: that says why.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def say_refused(error: Exception) -> int:
    """Print the message of what was refused; the exit status."""
    print(f"error: {error}", file=sys.stderr)
    return 1


def _exit_status(error: KeyboardInterrupt) -> int:
    return error.exit_status if isinstance(error, Stopped) else 130


def _status_before(folder: Path) -> Status | None:
    """What an earlier run left; one that cannot be read is written over."""
    try:
        return read_status(folder)
    except ValueError:
        return None


def _log_to_file(text: str) -> None:
    """Write a text into the run's log, and not to the terminal, too."""
    record = logging.LogRecord(__name__, logging.ERROR, __file__, 0, text, None, None)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)
