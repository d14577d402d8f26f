"""Progress bars that a terminal shows at once, and a log file twice a minute."""

from __future__ import annotations

import sys
from typing import Any

from tqdm.auto import tqdm

INTERVAL_S = 30.0
"""Seconds between two states of a bar where nobody watches: each is a line more in a file."""


class ProgressBar(tqdm):  # type: ignore[misc]  # it has no types
    """tqdm's bar, but for how often it is written to what is no terminal. Arguments are those of tqdm."""

    def __init__(self, *args: Any, **options: Any) -> None:
        stream = options.get("file") or sys.stderr
        if not getattr(stream, "isatty", bool)():
            options["mininterval"] = max(INTERVAL_S, options.get("mininterval", 0.0))
            options["maxinterval"] = 2.0 * options["mininterval"]
        super().__init__(*args, **options)
