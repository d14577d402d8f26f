"""A mapping to begin with: the keys that the facts of a log suggest, as builtin types."""

from __future__ import annotations

import math
import re
from collections.abc import Container
from typing import Any

import numpy as np

from twin.data.columns import ARRIVALS, PRESENT, SPECTRAL_EFFICIENCY
from twin.data.layout import RESERVED
from twin.data.logs.builtin import free_name, slice_names
from twin.data.logs.engine import TABLE, quoted
from twin.data.logs.mapping import GAP, LogMapping
from twin.data.logs.rules import PACKET_BYTE, ArrivalsRule
from twin.inspection.cells import FloatArray
from twin.inspection.facts import LogFacts
from twin.inspection.rewards import efficiency_of, sla_of
from twin.inspection.roles import DELAYS, VOLUME, likely_unit, says, tokens, unit_in

MOST_SLOTS = 1_000_000
"""Of an interval; those of a longer one are longer than a millisecond."""


def proposal_of(facts: LogFacts, name: str, query: str | None = None) -> dict[str, Any]:
    """The keys of a `LogMapping` for a log, as builtin types; empty if it cannot be read.

    Args:
        facts: of the log.
        name: of the scenario.
        query: that shaped the log before; None: none did.
    """
    grid, timing = facts.grid, facts.timing
    if not facts.can_be_read:
        return {}
    assert grid is not None
    assert timing is not None
    keys: dict[str, Any] = {"query": _query(facts, query)}
    if facts.run_columns:
        keys["run"] = facts.run_columns if len(facts.run_columns) > 1 else facts.run_columns[0]
    if timing.unit == "count":
        keys["interval"] = timing.column
    else:
        keys["time"] = {"column": timing.column, "unit": timing.unit, "period": float(f"{timing.period:.9g}")}
        keys["time"] |= {"repeated_hour": True} if timing.repeated else {}
    if "slice" in facts.keys:
        keys["slice"] = facts.keys["slice"]
    keys["slices"] = list(grid.slices)
    keys |= _shape(facts)
    keys["arrivals"] = arrivals_rule(facts)
    keys |= _allocation(facts)
    keys["performance"] = _performance(facts)
    keys["controls"] = _controls(facts)
    keys |= _rules(facts)
    keys |= _cleaning(facts)
    network = {"scenario": _scenario(facts, name)} if facts.what == "allocation" else {}
    wanted = LogMapping.from_dict(keys | network).wanted()
    keys["unused"] = [column for column in facts.cells if column not in wanted]
    keys |= network
    return {key: value for key, value in keys.items() if value not in ([], {}, None)}


def _query(facts: LogFacts, given: str | None) -> str | None:
    """The given query; around it, where arrivals below 0 are mended, one that makes these NULL; None if neither.

    Columns may be texts there, which only the reader takes for numbers.
    """
    names = [quoted(name) for name in facts.mended]
    if not names:
        return given
    mended = ", ".join(
        f"CASE WHEN TRY_CAST({name} AS DOUBLE) < 0 THEN NULL ELSE {name} END AS {name}" for name in names
    )
    source = f"({given.rstrip().rstrip(';')}\n)" if given else TABLE  # a comment may end the given one's last line
    return f"SELECT * REPLACE ({mended}) FROM {source}"


def _shape(facts: LogFacts) -> dict[str, Any]:
    """Wide rows, rows of users, slices without rows."""
    grid = facts.grid
    assert grid is not None
    keys: dict[str, Any] = {}
    if facts.wide:
        keys["wide"] = dict(facts.wide)
    if "ue" in facts.keys:
        used = [name for name in (facts.arrivals, *facts.performance) if name and grid.how[name] != "once"]
        functions = {name: grid.how[name] for name in used}
        keys["aggregate"] = {"by": facts.keys["ue"], **functions, _counted(facts): "count"}
    if not grid.present.all():
        own = [name for name, settings in _performance(facts).items() if settings.get("per_slice", True)]
        measured = [facts.arrivals, *own]
        filled = dict.fromkeys(measured, 0) | {name: min(each) for name, each in _controls(facts).items()}
        keys["absent"] = GAP if facts.lost else filled
    return keys


def _allocation(facts: LogFacts) -> dict[str, Any]:
    """The allocation's column, how it is to be read, and which allocations an environment offers."""
    found = facts.allocations
    if found is None or found.constant:
        return {}
    rule = allocation_rule(facts)
    keys: dict[str, Any] = {"allocation": rule if len(rule) > 1 else found.column}
    keys["allocation_is"] = facts.allocation_is or "decided"
    if found.few:
        keys["allowed"] = "all"
    return keys


def allocation_rule(facts: LogFacts) -> dict[str, Any]:
    """How the allocation's column is to be read."""
    found = facts.allocations
    assert found is not None
    rule: dict[str, Any] = {"column": found.column}
    if found.counted_as != "units":
        rule["as"] = found.counted_as
    if found.counted_as == "mask":
        rule["group"] = 1
    if found.idle or (facts.grid is not None and not facts.grid.present.all() and not facts.lost):
        rule["idle"] = True
    return rule


def _performance(facts: LogFacts) -> dict[str, dict[str, Any]]:
    """Columns that are measured in every interval, with unit, resolution and scale."""
    assert facts.grid is not None
    found = {}
    taken = {ARRIVALS.name, PRESENT.name, SPECTRAL_EFFICIENCY.name, *RESERVED, *_controls(facts)}
    carried = efficiency_of(facts)
    too = [facts.arrivals] if facts.arrivals and carried and carried[0] == facts.arrivals else []
    for name in (*facts.performance, *too):
        values = facts.grid.values[name]
        finite = values[np.isfinite(values)]
        settings: dict[str, Any] = {}
        short = _identifier(name, taken)
        taken.add(short)
        if short != name:
            settings["name"] = short
        if unit_in(name):
            settings["unit"] = unit_in(name)
        elif name == facts.arrivals and (unit := likely_unit(name)):
            settings["unit"] = unit
        settings["resolution"] = _resolution(finite)
        if not (finite % 1.0).any():
            settings["whole"] = True
        if name != facts.arrivals and facts.below_zero(name):
            settings["lower"] = None
        elif finite.max() > 1000.0 or says(name, DELAYS):
            settings["transform"] = "log1p"
        if facts.is_of_cell(name):
            settings["per_slice"] = False
        if finite.max() <= 1.0 and {"ratio", "share", "bler", "probability"} & set(tokens(name)):
            settings["upper"] = 1
        found[name] = settings
    if "ue" in facts.keys:
        found[_counted(facts)] = {"whole": True, "resolution": 1}
    return found


def _counted(facts: LogFacts) -> str:
    """What the number of users is called, which is no column of the log."""
    return free_name("ues", facts.cells)


def _controls(facts: LogFacts) -> dict[str, list[int]]:
    """What was decided in addition, and the values it takes; a control has no name but the column's."""
    assert facts.grid is not None
    values = facts.grid.values
    return {name: _distinct(values[name]) for name in facts.controls if name.isidentifier()}


def _rules(facts: LogFacts) -> dict[str, Any]:
    """SSR from a delay or a rate, and spectral efficiency from a rate or a volume, where there are such."""
    names = {name: settings.get("name", name) for name, settings in _performance(facts).items()}
    sla, efficiency = sla_of(facts), efficiency_of(facts)
    found: dict[str, Any] = {}
    if sla is not None and "ssr" not in facts.performance:
        found["ssr"] = {"column": names[sla[0]], sla[1]: sla[2]}
    if efficiency is not None:
        found["spectral_efficiency"] = {"column": names[efficiency[0]], "unit_bps": efficiency[1], "users": 1}
    return found


def arrivals_rule(facts: LogFacts) -> str | dict[str, Any]:
    """The arrivals' column, with the unit of what cannot be packets: fractions, and whole numbers of a volume."""
    assert facts.arrivals is not None
    assert facts.grid is not None
    values, unit = facts.grid.values[facts.arrivals], likely_unit(facts.arrivals)
    whole = not (values[np.isfinite(values)] % 1.0).any()
    if unit is None and whole and not says(facts.arrivals, VOLUME):
        return facts.arrivals
    return {"column": facts.arrivals, "unit": unit or "Mbit", "packet_byte": PACKET_BYTE}


def _cleaning(facts: LogFacts) -> dict[str, Any]:
    """Rules for what is not clean."""
    texts: list[Any] = [""] if facts.mended else []  # NULL of the query counts as missing then
    short = False
    for each in facts.cells.values():
        for text in each.shown:
            short |= text is None
            value = math.inf if text in ("inf", "-inf") else text
            if text is not None and value not in texts:
                texts.append(value)
    keys: dict[str, Any] = {}
    if texts:
        keys["missing"] = texts[:20]
    if texts or short:
        keys["missing_is"] = "gap"
    if short:
        keys["short_rows"] = "missing"
    if facts.again.size:
        keys["drop_identical"] = True
    if facts.running:
        keys["running"] = list(facts.running)
    return keys


def _scenario(facts: LogFacts, name: str) -> dict[str, Any]:
    """A network of so many units and slices; its traffic is not simulated, but scales observations."""
    grid, found = facts.grid, facts.allocations
    assert grid is not None
    assert found is not None
    assert facts.arrivals is not None
    period_s = facts.period_s
    slot_s = 1e-3 if period_s >= 1e-3 else period_s
    slots = min(max(round(period_s / slot_s), 1), MOST_SLOTS)
    slot_s = slot_s if slots < MOST_SLOTS else period_s / slots  # an interval is a period, whatever its length
    rule = arrivals_rule(facts)
    arrivals = ArrivalsRule(**rule if isinstance(rule, dict) else {"column": rule}).packets(grid.values[facts.arrivals])
    size = PACKET_BYTE if isinstance(rule, str) else rule["packet_byte"]
    users = grid.rows.max(axis=0).tolist() if "ue" in facts.keys else [1] * len(grid.slices)
    largest = max(float(np.nanmax(arrivals[:, n])) / users[n] for n in range(len(users)))
    slices: dict[str, Any] = {}
    for number, label in enumerate(slice_names(grid.slices)):
        mean = max(float(np.nanmean(arrivals[:, number])), 1e-3)
        gap = float(f"{period_s * users[number] / mean:.4g}")
        traffic = {
            "interarrival_s": {"kind": "exponential", "scale": gap},
            "packet_size_byte": {"kind": "constant", "value": size},
        }
        slices[label] = {
            "num_users": int(users[number]),
            "traffic": traffic,
            "rate_sla_bps": 0.0,
            "latency_sla_s": 0.1,
        }
    radio = {
        "bandwidth_hz": found.total * found.block_hz,
        "resolution_hz": found.block_hz,
        "resource_block_hz": found.block_hz,
        "slot_s": slot_s,
        "slots_per_interval": slots,
        "queue_capacity": min(max(5, math.ceil(2.0 * largest / slots)), 10_000),
    }
    return {"name": name, "radio": radio, "slices": slices, "reward": {"kind": "utility"}}


def _identifier(name: str, taken: Container[str]) -> str:
    """A name of letters, digits and underscores for a column, without the unit in brackets."""
    short = name
    if not name.isidentifier():
        short = re.sub(r"\W+", "_", re.sub(r"[\[(].*?[\])]", "", name)).strip("_").lower()
    short = short if short.isidentifier() and not short.startswith("_") else f"column_{short}"
    return free_name(short, taken)


def _resolution(values: FloatArray) -> float:
    """The smallest difference that the first values show, a power of ten."""
    head = values[:20_000]
    return next((10.0**-digits for digits in range(6) if np.allclose(head, head.round(digits), atol=1e-9)), 1e-6)


def _distinct(values: FloatArray) -> list[int]:
    return [int(each) for each in np.unique(values[np.isfinite(values)])]
