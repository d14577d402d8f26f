"""An inspection as text: what the log is and what is special about it first, then columns, time and slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from twin.data.logs.dates import shown
from twin.inspection.cells import Cells, IntArray
from twin.inspection.facts import LogFacts
from twin.inspection.findings import Finding, listed
from twin.inspection.roles import TRANSMITTED, arrivals_column, says, unit_in
from twin.inspection.timing import Timing

MOST_COLUMNS = 60
"""Columns that a report shows."""


def headline(facts: LogFacts, name: str, num_rows: int) -> str:
    """What a log is, in one line."""
    head = f"{name}: {num_rows:,} rows"
    if facts.grid is None or facts.timing is None:
        still = facts.standing_time
        dates = next(iter(facts.open_dates), "")
        found = f"whether {dates} has the day or the month first is not known" if dates else "no time column was found"
        found = f"{still} has one time only" if still else found
        return f"{head}; {found}, so this is no log of intervals that can be read"
    number, slices = len(facts.timing.time), listed(facts.grid.slices, 6)
    width = len(facts.grid.slices)
    size = f"{number:,} intervals of {width} slice{'' if width == 1 else 's'} ({slices})"
    whats = {
        "allocation": "an allocation log, from which a twin can be fitted",
        "constant": "a log of one constant allocation: traffic, not decisions",
        "passive": "a passive log: traffic for the simulator, no decisions",
        "nothing": "no arrivals and no allocation were found in it",
    }
    if facts.undecided:
        whats["nothing"] = "no slice column yet: whether there are decisions cannot be told"
    if facts.followed and facts.allocations:
        whats["allocation"] = f"an allocation log only if {facts.allocations.column} was decided, else traffic: CHECK"
    public = public_shape(list(facts.cells))
    return f"{head}, {size}: {whats[facts.what]}{public and f'; its columns are those of {public}'}"


def public_shape(names: Sequence[str]) -> str:
    """Which public logs have such columns; empty if none that is known."""
    given = {name.strip().lower() for name in names}
    for shape, wanted in _SHAPES.items():
        if wanted <= given:
            return shape
    return ""


_SHAPES = {
    "SCOPE, ColO-RAN or commag metrics (Colosseum)": {"imsi", "slice_id", "slice_prb", "scheduling_policy"},
    "logs of RIC agents on Colosseum (EXPLORA)": {"experiment", "slice", "tx_packets", "action_prb"},
}


def sections(facts: LogFacts, findings: Sequence[Finding], dialect: str) -> Iterator[str]:
    """The parts of a report after its first line, each a few lines."""
    yield "\n".join(f"- {finding}" for finding in findings) if findings else "- nothing is wrong with it"
    yield f"file: {dialect}"
    yield "columns:\n" + "\n".join(_rows(facts))
    if facts.timing is not None and facts.grid is not None:
        yield _time(facts.timing)
        yield _slices(facts)


def roles(facts: LogFacts) -> dict[str, str]:
    """What each column is likely to be, by its name."""
    found = {
        name: "time, too" if "time" in facts.keys else "time"
        for name, each in facts.cells.items()
        if each.kind == "time"
    }
    found |= {name: role.partition(" ")[0] for role, name in facts.keys.items()}
    quantities: dict[str | None, str] = dict.fromkeys(facts.performance, "performance")
    quantities |= {
        name: "arrivals, too" for name in facts.performance if arrivals_column([name]) and not says(name, TRANSMITTED)
    }
    quantities |= dict.fromkeys(facts.controls, "control")
    quantities[facts.arrivals] = "arrivals"
    if facts.allocations is not None:
        quantities[facts.allocations.column] = "allocation"
    for quantity, role in quantities.items():
        if quantity is not None:
            pattern = facts.wide.get(quantity)
            slices = facts.grid.slices if facts.grid else ()
            names = [pattern.replace("{slice}", str(each)) for each in slices] if pattern else [quantity]
            found |= dict.fromkeys(names, role)
    return found


def _rows(facts: LogFacts) -> Iterator[str]:
    """The table of columns."""
    of = roles(facts)
    table = [("column", "looks like", "type", "range", "unit")]
    for name, each in list(facts.cells.items())[:MOST_COLUMNS]:
        table.append((name[:40], of.get(name, "-"), each.kind, _range(each), unit_in(name)))
    widths = [*(max(len(row[place]) for row in table) for place in range(4)), 0]
    for row in table:
        yield "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
    if len(facts.cells) > MOST_COLUMNS:
        yield f"  and {len(facts.cells) - MOST_COLUMNS} more columns"


def _range(cells: Cells) -> str:
    if cells.kind == "empty":
        return "-"
    if cells.kind == "text":
        return listed([label if len(label) <= 20 else f"...{label[-17:]}" for label in cells.in_order()], 4)
    if cells.kind == "time":
        return f"{shown(cells.low)} to {shown(cells.high)}"
    text = f"{cells.low:.13g}" if cells.constant else f"{cells.low:.13g} to {cells.high:.13g}"
    return f"{text} of {cells.width} bits" if cells.kind == "mask" else text


def _time(timing: Timing) -> str:
    """Period, jitter, pauses."""
    units = {"iso": "s (dates)", "count": "intervals (the unit of time is not said)"}
    unit = "days since 1900? CHECK" if timing.serial_dates else units.get(timing.unit, timing.unit)
    text = f"time: {timing.column}, in {unit}"
    if np.isnan(timing.period):
        return f"{text}; there is but one interval"
    jitter = f"{timing.shortest:.6g} to {timing.longest:.6g}" if timing.jitter else "no jitter"
    return f"{text}; period {timing.period:.6g} ({jitter}), pauses: {len(timing.pauses):,}"


def _slices(facts: LogFacts) -> str:
    """Rows of each slice and interval, and what allocations add up to."""
    assert facts.grid is not None
    lines = [f"rows of a slice in an interval: {_counts(facts.grid.rows)}"]
    found = facts.allocations
    if found is not None:
        lines.append(
            f"allocation: {found.column}, counted as {found.counted_as}; sums {found.lowest:.6g} to "
            f"{found.highest:.6g}; different ones: {found.held:,} of {found.possible:,} in {found.complete:,} "
            "intervals with all slices"
        )
    return "\n".join(lines)


def _counts(values: IntArray) -> str:
    different, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return listed([f"{different[place]} ({counts[place]:,} times)" for place in order], 5)
