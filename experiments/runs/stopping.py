"""Signals that end a run: where one is about to save, they wait for that; elsewhere they end it at once."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, and what clusters and closing terminals send."""


_TOGETHER_S = 2.0
"""Seconds after a signal in which clusters send it again to make sure: that asks for nothing more."""


_AGAIN_S = 0.05
"""Seconds after which a signal that was lost is sent again."""


class Stopped(KeyboardInterrupt):
    """A signal has ended the run.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_status(self) -> int:
        """Of the process: 130 after Ctrl-C, else 143."""
        return 128 + (signal.SIGINT if self.number == signal.SIGINT else signal.SIGTERM)


class _Asked:
    """What signals have asked for.

    Attributes:
        number: of the signal that is to end the run as soon as it has saved; None: there was none.
        can_wait: whether the run looks at that soon.
        since: when the first one came [s, monotonic]; None: there was none.
    """

    number: int | None = None
    can_wait = False
    since: float | None = None


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Within, `SIGNALS` raise `Stopped`; what ignores one of them, as under nohup, goes on doing so.

    Python hears of signals in the main thread alone: elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    _Asked.number = _Asked.since = None
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _on_signal)
    hook, sys.unraisablehook = sys.unraisablehook, lambda lost: _raise_again(lost, hook)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
        _Asked.number = _Asked.since = None


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Around a command: a signal before or after its run ends the process without a traceback."""
    try:
        with stopped_by_signals():
            yield
    except Stopped as stopped:
        sys.exit(stopped.exit_status)
    finally:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if callable(signal.getsignal(number)):  # Python's own raises where the interpreter ends
                    signal.signal(number, signal.SIG_DFL)


@contextmanager
def stops_kept() -> Iterator[None]:
    """Within, an error that took the place of `Stopped` is that again; what the system refused is told for itself.

    Libraries clean up after what interrupts them, and raise an error of their own where that fails.
    """
    try:
        yield
    except Exception as error:
        stopped = _behind(error)
        if stopped is None or isinstance(error, OSError):
            raise
        raise Stopped(stopped.number) from error


def _behind(error: BaseException) -> Stopped | None:
    """The signal that an error came from; errors may be each other's causes."""
    found: list[BaseException] = [error]
    for each in found:
        if isinstance(each, Stopped):
            return each
        found += [other for other in (each.__cause__, each.__context__) if other is not None and other not in found]
    return None


def _raise_again(lost: sys.UnraisableHookArgs, otherwise: Callable[[sys.UnraisableHookArgs], object]) -> None:
    """Send a signal again that came where Python drops exceptions: in a callback of a weak reference, in `__del__`."""
    if isinstance(lost.exc_value, Stopped):
        _Asked.since = None
        # Not from here, where it would be dropped, too.
        again = threading.Timer(_AGAIN_S, signal.pthread_kill, [threading.get_ident(), lost.exc_value.number])
        again.daemon = True
        again.start()
    else:
        otherwise(lost)


def _on_signal(number: int, frame: FrameType | None) -> None:
    del frame
    first = _Asked.since
    if first is not None and number != signal.SIGINT and time.monotonic() - first < _TOGETHER_S:
        return
    _Asked.since = time.monotonic() if first is None else first
    if not _Asked.can_wait or _Asked.number is not None:  # a second one does not wait
        raise Stopped(number)
    _Asked.number = number


@contextmanager
def waiting_for_checkpoint() -> Iterator[None]:
    """Within, a signal only asks; the work looks at `is_asked` every few seconds at least, saves, and calls `stop`."""
    _Asked.can_wait = True
    try:
        yield
    finally:
        _Asked.can_wait = False
    if is_asked():
        stop()


def is_asked() -> bool:
    """Whether a signal waits for a checkpoint."""
    return _Asked.number is not None


def stop() -> None:
    """End what a signal wants to end.

    Raises:
        Stopped: always, if one does.
    """
    number, _Asked.number = _Asked.number, None
    if number is not None:
        raise Stopped(number)


def end_now(thread: int) -> None:
    """End the work of a thread from another one, by KeyboardInterrupt; it writes no checkpoint.

    Args:
        thread: its id, as `threading.get_ident` gives it.
    """
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt))


@contextmanager
def signals_put_off() -> Iterator[None]:
    """Within, `SIGNALS` that Python handles wait; they come when the block is left.

    Unlike a mask of signals, this is not handed on to processes that are begun in the block.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: handler for number in SIGNALS if callable(handler := signal.getsignal(number))}
    for number in before:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for each in came:
            signal.raise_signal(each)
