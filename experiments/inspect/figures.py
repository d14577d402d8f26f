"""The picture of a log: arrivals, allocation and performance over time, a panel each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments.reporting.style import save_figure
from twin.data.logs.rules import SHARES
from twin.inspection import Inspection
from twin.inspection.allocations import Allocations
from twin.inspection.cells import FloatArray, IntArray
from twin.inspection.rewards import sla_of
from twin.inspection.roles import PACKETS, arrivals_column, says, unit_in
from twin.inspection.timing import Timing

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#999933")
_WHATS = {
    "allocation": "an allocation log",
    "constant": "a constant allocation",
    "passive": "a passive log (no allocation)",
    "nothing": "no arrivals and no allocation found",
}


def plot_log(path: Path, found: Inspection, most: int) -> None:
    """Draw a log's first run; of more intervals than are shown every second, third, ... one.

    Args:
        path: PNG to write.
        found: of the log.
        most: intervals that are shown.

    Raises:
        ValueError: no column says when.
    """
    facts = found.facts
    if facts.grid is None or facts.timing is None:
        raise ValueError("found: without a column of time, allowed is a log with one")
    panels = list(_panels(found))
    timing = facts.timing
    first = np.flatnonzero(timing.run == timing.run[0])
    shown = first[:: -(-len(first) // most)]
    time, label = _time_axis(timing, shown)
    figure = Figure(figsize=(11.0, 2.5 * max(len(panels), 1) + 1.2), layout="constrained")
    grid = figure.subplots(max(len(panels), 1), 1, sharex=True, squeeze=False)[:, 0]
    cuts = _cuts(timing, shown)
    if timing.unit == "iso":
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]
        grid[-1].xaxis.set_major_locator(locator)
        grid[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    for axes, (title, unit, values, stacked) in zip(grid, panels, strict=False):
        (_draw_stack if stacked else _draw_lines)(axes, time, values[shown], cuts)
        if stacked and facts.allocations is not None and facts.allocations.idle:
            axes.axhline(_all_of(facts.allocations), color="black", lw=1.0, ls="--")
        for cut in cuts:
            axes.axvspan(time[cut - 1], time[cut], color="0.9", lw=0)
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_ylabel(unit, fontsize=9)
        axes.grid(alpha=0.25)
        axes.margins(x=0.01)
    handles = [Patch(color=_colour(number), label=_slice_label(name)) for number, name in enumerate(facts.grid.slices)]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 8), fontsize=9, frameon=False)
    grid[-1].set_xlabel(label, fontsize=9)
    apart = -(-len(first) // most)
    of = "all intervals" if apart == 1 else f"{len(shown):,} of {len(first):,} intervals, one in {apart}"
    run = f", run {facts.runs[0]}" if len(facts.runs) > 1 else ""
    figure.suptitle(f"{found.name}: {_WHATS[found.what]}; {of}{run}", fontsize=11)
    save_figure(figure, path)


def _panels(found: Inspection) -> Iterator[tuple[str, str, FloatArray, bool]]:
    """Title, unit, values (m, S) of each panel, and whether they add up."""
    facts = found.facts
    assert facts.grid is not None
    if facts.arrivals is not None:
        yield (
            f"arrivals: {facts.arrivals}",
            unit_in(facts.arrivals) or ("packets" if says(facts.arrivals, PACKETS) else "per interval"),
            facts.grid.values[facts.arrivals],
            False,
        )
    if facts.allocations is not None:
        column, kind = facts.allocations.column, facts.allocations.counted_as
        units = {"mask": "groups (bits that are set)", "share": "share of the units", "percent": "% of the units"}
        how = {"decided": "decided at an interval's end, for the next", "in_force": "in force in its interval"}
        which = how.get(facts.allocation_is, "")
        idle = f"; dashed: all {facts.allocations.total} units" if facts.allocations.idle else ""
        yield (
            f"allocation, stacked: {column}{which and f', {which}'}{idle}",
            units.get(kind, "units"),
            facts.grid.values[column],
            True,
        )
    sla = sla_of(facts)
    if facts.performance:
        name = facts.performance[0] if sla is None else sla[0]
        what = "arrivals, too" if arrivals_column([name]) else "performance"
        yield f"{what}: {name}", unit_in(name) or "as in the log", facts.grid.values[name], False


def _draw_lines(axes: Axes, time: FloatArray, values: FloatArray, cuts: IntArray) -> None:
    """One line per slice, broken where it has no value."""
    x = np.insert(time, cuts, np.nan)
    for number in range(values.shape[1]):
        y = np.insert(values[:, number], cuts, np.nan)
        axes.plot(x, y, color=_colour(number), lw=1.1, marker="." if len(time) < 60 else "")
    axes.set_ylim(bottom=0.0 if np.nanmin(values, initial=0.0) >= 0.0 else None)


def _draw_stack(axes: Axes, time: FloatArray, values: FloatArray, cuts: IntArray) -> None:
    """What slices hold on top of each other, so that the height is the sum; broken at pauses."""
    x = np.insert(time, cuts, np.nan)
    top = np.zeros(len(x))
    for number in range(values.shape[1]):
        foot, top = top, top + np.insert(np.nan_to_num(values[:, number]), cuts, np.nan)
        foot = np.nan_to_num(foot)
        axes.fill_between(x, foot, top, step="post", color=_colour(number), alpha=0.9, lw=0)
        top = np.nan_to_num(top)
    axes.set_ylim(bottom=0.0)


def _all_of(found: Allocations) -> float:
    """What there is to give away, in what the column counts."""
    return SHARES.get(found.counted_as, float(found.total))


def _slice_label(name: object) -> str:
    return name if isinstance(name, str) else f"slice {name}"


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _time_axis(timing: Timing, shown: IntArray) -> tuple[FloatArray, str]:
    """Where intervals stand (k,): dates as days since 1970; and what stands below the axis."""
    time = timing.time[shown]
    pauses = "; grey: a pause, no rows" if len(timing.pauses) else ""
    if timing.unit == "count":
        return time, f"number of the interval ({timing.column})"
    if timing.unit == "iso":
        late = "; an hour ahead after summer time ended" if timing.repeated else ""
        return time / 86_400, f"{timing.column}{pauses}{late}"
    return (time - time[0]) / timing.per_second, f"time since the first row [s] ({timing.column}){pauses}"


def _cuts(timing: Timing, shown: IntArray) -> IntArray:
    """Which of the shown intervals (k,) follow a pause."""
    pauses = np.cumsum(timing.steps > 1)[shown]
    return np.flatnonzero(np.diff(pauses, prepend=pauses[:1]) > 0)
