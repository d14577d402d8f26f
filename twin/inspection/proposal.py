"""A mapping to begin with: the keys that the facts of a log suggest, as builtin types and as commented YAML."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping
from typing import Any

import numpy as np

from slicing_gym.extras import explained
from twin.data.columns import ARRIVALS, PRESENT, SPECTRAL_EFFICIENCY
from twin.data.layout import RESERVED
from twin.data.logs.builtin import free_name, slice_names
from twin.data.logs.mapping import LogMapping
from twin.inspection.cells import FloatArray
from twin.inspection.facts import LogFacts
from twin.inspection.roles import WORDS, says, tokens, unit_in

UNIT_HZ = 180e3
"""Bandwidth of a unit, where nothing says it: a resource block of LTE, or of NR at 15 kHz [Hz]."""

RATES = {"gbps": 1e9, "mbps": 1e6, "kbps": 1e3, "bps": 1.0, "mbit/s": 1e6, "kbit/s": 1e3, "bit/s": 1.0}
"""In bit/s, by the unit's name in small letters."""


def proposal_of(facts: LogFacts, name: str) -> dict[str, Any]:
    """The keys of a `LogMapping` for a log, as builtin types; empty if it cannot be read.

    Args:
        facts: of the log.
        name: of the scenario.
    """
    grid, timing = facts.grid, facts.timing
    if grid is None or timing is None or facts.arrivals is None or timing.irregular:
        return {}
    keys: dict[str, Any] = {}
    if facts.run_columns:
        keys["run"] = facts.run_columns if len(facts.run_columns) > 1 else facts.run_columns[0]
    if timing.unit == "count":
        keys["interval"] = timing.column
    else:
        keys["time"] = {"column": timing.column, "unit": timing.unit, "period": float(f"{timing.period:.9g}")}
    if "slice" in facts.keys:
        keys["slice"] = facts.keys["slice"]
    keys["slices"] = list(grid.slices)
    keys |= _shape(facts)
    keys["arrivals"] = facts.arrivals
    keys |= _allocation(facts)
    keys["performance"] = _performance(facts)
    keys["controls"] = _controls(facts)
    keys |= _rules(facts)
    keys |= _cleaning(facts)
    network = {"scenario": _scenario(facts, name)} if facts.what == "allocation" else {}
    wanted = LogMapping.from_dict(keys | network).wanted()
    keys["unused"] = [column for column in facts.cells if column not in wanted]
    keys |= network
    return {key: value for key, value in keys.items() if value not in ([], {})}


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
        keys["absent"] = dict.fromkeys(measured, 0) | {name: min(each) for name, each in _controls(facts).items()}
    return keys


def _allocation(facts: LogFacts) -> dict[str, Any]:
    """The allocation's column, how it is to be read, and which allocations an environment offers."""
    found = facts.allocations
    if found is None or found.constant:
        return {}
    rule: dict[str, Any] = {"column": found.column}
    if found.counted_as != "units":
        rule["as"] = found.counted_as
    if found.counted_as == "mask":
        rule["group"] = 1
    if found.idle or (facts.grid is not None and not facts.grid.present.all()):
        rule["idle"] = True
    keys: dict[str, Any] = {"allocation": rule if len(rule) > 1 else found.column}
    keys["allocation_is"] = facts.allocation_is or "decided"
    if found.few:
        keys["allowed"] = "held"
    return keys


def _performance(facts: LogFacts) -> dict[str, dict[str, Any]]:
    """Columns that are measured in every interval, with unit, resolution and scale."""
    assert facts.grid is not None
    found = {}
    taken = {ARRIVALS.name, PRESENT.name, SPECTRAL_EFFICIENCY.name, *RESERVED, *_controls(facts)}
    for name in facts.performance:
        values = facts.grid.values[name]
        finite = values[np.isfinite(values)]
        settings: dict[str, Any] = {}
        short = _identifier(name, taken)
        taken.add(short)
        if short != name:
            settings["name"] = short
        if unit_in(name):
            settings["unit"] = unit_in(name)
        settings["resolution"] = _resolution(finite)
        if not (finite % 1.0).any():
            settings["whole"] = True
        if finite.min() < 0.0:
            settings["lower"] = None
        elif finite.max() > 1000.0:
            settings["transform"] = "log1p"
        if _of_cell(facts, name):
            settings["per_slice"] = False
        if finite.max() <= 1.0 and {"ratio", "share", "bler", "probability"} & set(tokens(name)):
            settings["upper"] = 1
        found[name] = settings
    if "ue" in facts.keys:
        found[_counted(facts)] = {"whole": True, "resolution": 1}
    return found


def _of_cell(facts: LogFacts, name: str) -> bool:
    """Whether a column is the cell's: in no interval do slices that have rows differ."""
    assert facts.grid is not None
    values = facts.grid.values[name]
    values = values[np.isfinite(values).sum(axis=1) > 1]
    alike = bool((np.nanmin(values, axis=1) == np.nanmax(values, axis=1)).all()) if len(values) else False
    return alike and not facts.wide and ("ue" not in facts.keys or facts.grid.how[name] == "once")


def _counted(facts: LogFacts) -> str:
    """What the number of users is called, which is no column of the log."""
    return free_name("ues", facts.cells)


def _controls(facts: LogFacts) -> dict[str, list[int]]:
    """What was decided in addition, and the values it takes; a control has no name but the column's."""
    assert facts.grid is not None
    values = facts.grid.values
    return {name: _distinct(values[name]) for name in facts.controls if name.isidentifier()}


def _rules(facts: LogFacts) -> dict[str, Any]:
    """SSR and spectral efficiency from a rate; none where there is no rate, or no decision to be rewarded."""
    found = rate_bounds(facts)
    if found is None:
        return {}
    assert facts.grid is not None
    rate, bounds = found
    column = _performance(facts)[rate].get("name", rate)
    unit = RATES.get(unit_in(rate).lower(), 1e6 if np.nanmax(facts.grid.values[rate]) < 1e4 else 1.0)
    own = {} if "ssr" in facts.performance else {"ssr": {"column": column, "at_least": bounds}}
    return {**own, "spectral_efficiency": {"column": column, "unit_bps": unit, "users": 1}}


def rate_bounds(facts: LogFacts) -> tuple[str, list[float]] | None:
    """The rate that the proposal takes for SLAs, and each slice's bound: its median; None where there is no such."""
    rates = [name for name in facts.performance if says(name, WORDS["rate"]) and not _of_cell(facts, name)]
    if facts.what != "allocation" or not rates:
        return None
    assert facts.grid is not None
    values = facts.grid.values[rates[0]]
    if not np.isfinite(values).any(axis=0).all():  # a slice has none, so nothing says what it needs
        return None
    return rates[0], [float(f"{median:.3g}") for median in np.nanmedian(values, axis=0)]


def _cleaning(facts: LogFacts) -> dict[str, Any]:
    """Rules for what is not clean."""
    texts: list[Any] = []
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
    return keys


def _scenario(facts: LogFacts, name: str) -> dict[str, Any]:
    """A network of so many units and slices; its traffic is not simulated, but scales observations."""
    grid, timing, found = facts.grid, facts.timing, facts.allocations
    assert grid is not None
    assert timing is not None
    assert found is not None
    assert facts.arrivals is not None
    period_s = 1.0 if timing.unit == "count" else timing.period / timing.per_second
    slot_s = 1e-3 if period_s >= 1e-3 else period_s
    slots = min(max(round(period_s / slot_s), 1), 1_000_000)
    arrivals = grid.values[facts.arrivals]
    users = grid.rows.max(axis=0).tolist() if "ue" in facts.keys else [1] * len(grid.slices)
    largest = max(float(np.nanmax(arrivals[:, n])) / users[n] for n in range(len(users)))
    slices: dict[str, Any] = {}
    for number, label in enumerate(slice_names(grid.slices)):
        mean = max(float(np.nanmean(arrivals[:, number])), 1e-3)
        gap = float(f"{period_s * users[number] / mean:.4g}")
        traffic = {
            "interarrival_s": {"kind": "exponential", "scale": gap},
            "packet_size_byte": {"kind": "constant", "value": 1500},
        }
        slices[label] = {
            "num_users": int(users[number]),
            "traffic": traffic,
            "rate_sla_bps": 0.0,
            "latency_sla_s": 0.1,
        }
    radio = {
        "bandwidth_hz": found.total * UNIT_HZ,
        "resolution_hz": UNIT_HZ,
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


def to_text(keys: Mapping[str, Any], title: str) -> str:
    """A mapping as YAML, each key with what there is to check about it.

    Args:
        keys: of the mapping.
        title: first lines, as a comment.
    """
    with explained():
        import yaml

    parts = [f"# {line}" for line in title.splitlines()]
    for key, value in keys.items():
        flow = None if isinstance(value, dict | list) else False  # lists and innermost keys on one line
        body = yaml.safe_dump({key: value}, sort_keys=False, default_flow_style=flow, width=200, allow_unicode=True)
        if key in COMMENTS:
            parts.append(f"# {COMMENTS[key]}")
        parts.append(body.rstrip())
    return "\n".join(parts) + "\n"


_CHECK = "CHECK: "


def to_check(text: str) -> list[str]:
    """What a mapping's YAML still marks as to be checked: each thing once, with the key that it is about."""
    lines = [line.strip() for line in text.splitlines()]
    pairs = zip(lines, [*lines[1:], ""], strict=True)
    found = [(line.partition(_CHECK)[2], below.partition(":")[0]) for line, below in pairs if line.startswith("#")]
    return list(dict.fromkeys(f"{key}: {what}" for what, key in found if what))


COMMENTS = {
    "slices": "what stands for each slice, in the order of scenario.slices",
    "arrivals": "how much came in an interval: what a twin's state is",
    "allocation": "what slices were given",
    "allocation_is": "decided: at a row's end, for the next; in_force: held while the row was measured",
    "allowed": "held: an environment offers only the allocations that the log has; all: every one",
    "performance": "measured in every interval, predicted by the twin",
    "ssr": (
        "CHECK: a log has no SLAs. These bounds are each slice's median rate, missed also where users send little; "
        "take delay, or served over offered (docs/logs.md). SSR is 0 or 1 an interval"
    ),
    "spectral_efficiency": (
        "CHECK: unit_bps is what one of the rate is in bit/s; users: 1 where it is the slice's rate. It "
        "is what was carried over the whole band, and reward.se_weight is yours: 0.01 makes it next to nothing"
    ),
    "missing": "what stands for no value",
    "unused": "left out; move a name to performance to use it",
    "scenario": (
        "CHECK: units are bandwidth_hz / resolution_hz. Leave traffic: it is not simulated, but scales observations"
    ),
}
"""What there is to know about keys, for those who edit them."""
