"""How calls are timed: in short blocks that alternate between what is compared; a busy moment meets all alike."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence

PAUSE_S = 0.02
"""Between the decisions of a controller that waits for the next interval."""

_BLOCK_S = 0.4
_SHORT_BLOCK_S = 0.02


def machine() -> str:
    """Processor, cores and load, in a few words."""
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def alternate(steps: Sequence[Callable[[], object]], seconds: float) -> list[list[float]]:
    """Mean times [s] of a call of each, in alternating blocks of 0.4 s, three or more; one call of each is warm-up.

    Args:
        steps: what is timed, in turn.
        seconds: of measuring, for each of them.
    """
    times: list[list[float]] = [[] for _ in steps]
    for step in steps:
        step()
    until = time.perf_counter() + seconds * len(steps)
    while time.perf_counter() < until or len(times[0]) < 3:
        for step, taken in zip(steps, times, strict=True):
            calls, start = 0, time.perf_counter()
            while calls == 0 or time.perf_counter() < start + min(_BLOCK_S, seconds):
                step()
                calls += 1
            taken.append((time.perf_counter() - start) / calls)
    return times


def single_calls(rows: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, list[int]]:
    """Times [ns] of single calls by row, in alternating blocks of 20 ms.

    Args:
        rows: what is called, by name.
        seconds: for each row; it has two blocks at least. The first of all does not count: it is warm-up.
    """
    taken: dict[str, list[int]] = {name: [] for name in rows}
    for number in range(1 + max(2, round(seconds / _SHORT_BLOCK_S))):
        for name, step in rows.items():
            times = _block(step)
            taken[name] += times if number else []
    return taken


def _block(step: Callable[[], object]) -> list[int]:
    """Times [ns] of single calls."""
    clock, times = time.perf_counter_ns, []
    until = clock() + int(_SHORT_BLOCK_S * 1e9)
    while (start := clock()) < until:
        step()
        times.append(clock() - start)
    return times


def paced(step: Callable[[], object], seconds: float) -> list[int]:
    """Times [ns] of single calls with a pause before each, as a controller makes them: caches have cooled down.

    Args:
        step: what is timed.
        seconds: of measuring, pauses included.
    """
    times = []
    for _ in range(max(10, round(seconds / PAUSE_S))):
        time.sleep(PAUSE_S)
        start = time.perf_counter_ns()
        step()
        times.append(time.perf_counter_ns() - start)
    return times
