"""Progress bars that a terminal or a notebook shows at once, and a log file twice a minute."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

from tqdm import TqdmWarning

with warnings.catch_warnings():  # in a notebook without ipywidgets the bar is one of text, which is no harm
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm

INTERVAL_S = 30.0
"""Seconds between two states of a bar where nobody watches: each is a line more in a file."""


class ProgressBar(tqdm):  # type: ignore[misc]  # it has no types
    """tqdm's bar, but for how often it is written to a file or a pipe. Arguments are those of tqdm."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._watched = _is_watched(options.get("file"))
        if not self._watched:
            options["mininterval"] = max(INTERVAL_S, options.get("mininterval", 0.0))
            options["maxinterval"] = 2.0 * options["mininterval"]
            if options.get("leave") is False:  # a file takes nothing back: only long ones are written
                options |= {"delay": max(INTERVAL_S, options.get("delay", 0.0)), "leave": True}
        super().__init__(*args, **options)

    def status_printer(self, file: Any, *more: Any) -> Callable[[str], object]:
        """What writes a state: over the one before on a screen, as a line of its own in a file."""
        if self._watched:
            printer: Callable[[str], object] = super().status_printer(file, *more)
            return printer

        def line(text: str) -> None:
            if text:
                file.write(text if self.disable else f"{text}\n")  # a bar that closes ends its last line itself
                file.flush()

        return line

    def moveto(self, n: int) -> None:
        """Move the cursor up or down to a bar's line; a file has none."""
        if self._watched:
            super().moveto(n)


def _is_watched(file: Any) -> bool:
    """Whether somebody sees at once what is written to a stream (None: where bars go by themselves).

    The streams of a notebook's kernel say that they are no terminal. Who has no kernel has not imported IPython, or has
    a shell without one.
    """
    if file is None and getattr(getattr(sys.modules.get("IPython"), "get_ipython", bool)(), "kernel", None) is not None:
        return True
    return bool(getattr(file or sys.stderr, "isatty", bool)())
