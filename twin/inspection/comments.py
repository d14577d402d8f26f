"""A proposal as commented YAML: what there is to know about each key, and what is still marked as to be checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from slicing_gym.extras import explained
from twin.inspection.allocations import Allocations
from twin.inspection.facts import LogFacts
from twin.inspection.proposal import allocation_rule, arrivals_rule
from twin.inspection.rewards import efficiency_of, sla_of
from twin.inspection.roles import TRANSMITTED, likely_unit, says, volume_unit


def comments_of(facts: LogFacts) -> dict[str, str]:
    """What there is to know about the keys of a log's proposal, for those who edit them."""
    found, sla, efficiency = dict(COMMENTS), sla_of(facts), efficiency_of(facts)
    rule = arrivals_rule(facts) if facts.arrivals is not None and facts.grid is not None else ""
    if isinstance(rule, dict):
        said = f"may mean bytes or bits by {likely}" if (likely := likely_unit(rule["column"])) else "says no unit"
        what = f"CHECK: the name {said}. " if volume_unit(rule["column"]) is None else ""
        found["arrivals"] = f"{what}a volume, counted in packets of packet_byte: what a twin's state is"
    if facts.mended:
        found["query"] = "arrivals below 0, as of a counter that was reset, become NULL: their intervals are gaps"
    if facts.timing is not None and facts.timing.serial_dates:
        found["time"] = f"CHECK: these look like days since 1900 (Excel), not s. query: {facts.timing.serial_dates}"
    if facts.running:
        found["running"] = "CHECK: these hardly ever fall, as counters that run on; without this they count as they are"
    if facts.guessed_runs:
        found["run"] = (
            f"CHECK: {', '.join(facts.guessed_runs)} tells the rows of a slice and time apart, as a cell's name does. "
            "Rows of users or bearers become one by aggregate instead; of directions keep one by query"
        )
    if facts.lost:
        found["absent"] = (
            f"CHECK: {facts.lost} intervals lack a slice's row, and are gaps as if none were there. Where a slice "
            "without a row is absent, write what it measures then: {<column>: 0, ...}"
        )
    if (held := facts.allocations) is not None:
        found |= _of_allocation(held, allocation_rule(facts))
        if not facts.allocation_is:
            found["allocation_is"] = f"CHECK: the log does not tell. {COMMENTS['allocation_is']}"
    if facts.followed is not None:
        found["allocation"] = (
            f"CHECK: follows the volume (R² {facts.followed[1]:.2f}): likely the PRB that were used, no decision"
        )
        found["allocation_is"] = (
            "CHECK: of PRB that were used neither holds; python -m experiments.traffic reads this mapping as it stands"
        )
    if sla is not None and sla[1] == "at_most":
        found["ssr"] = (
            "CHECK: a log has no SLAs. These bounds are each slice's median delay, which half of the intervals miss; "
            "put the delay that each slice may have. SSR is 0 or 1 an interval"
        )
    if efficiency is not None and (unit := likely_unit(efficiency[0])) is not None:
        offered = efficiency[0] == facts.arrivals and not says(efficiency[0], TRANSMITTED)
        found["spectral_efficiency"] = (
            f"CHECK: unit_bps is one {unit} in {facts.period_s:g} s, as bit/s; users: 1 for the volume is the slice's. "
            f"{_OFFERED if offered else _CARRIED}{_WEIGHT}"
        )
    return found


def _of_allocation(held: Allocations, rule: dict[str, Any]) -> dict[str, str]:
    """What there is to know where it is counted in percents, or may be."""
    found = {}
    if held.doubtful:
        found["allocation"] = (
            "CHECK: what slices were given. It adds up to 100, as percents do, and as the PRB of an LTE carrier of 20 "
            f"MHz: of percents this is {_on_a_line({'column': held.column, 'as': 'percent'} | rule)}"
        )
    if held.bound:
        found["allocation"] = (
            "CHECK: what slices were given. By its name it is a bound: a maximum is a cap (as: caps, of units), and a "
            "minimum no allocation (docs/logs.md)"
        )
    if held.counted_as == "caps":
        found["allocation"] = (
            "CHECK: by its name the most that a slice may use, in percents: caps of 100 units. Use it only where what "
            "slices held is hardly less (docs/logs.md)"
        )
    if held.counted_as in ("share", "percent", "caps"):
        found["scenario"] = (
            f"CHECK: the log has parts of the band, {'rounded to' if held.rounded else 'all'} multiples of "
            f"1 / {held.total}, and not how wide it is: put your carrier's bandwidth_hz, and bandwidth_hz / "
            f"{held.total} as resolution_hz. {_NETWORK}"
        )
    return found


def _on_a_line(rule: Mapping[str, Any]) -> str:
    """A rule as YAML that can be pasted."""
    with explained():
        import yaml

    return str(
        yaml.safe_dump(dict(rule), sort_keys=False, default_flow_style=True, width=math.inf, allow_unicode=True)
    ).strip()


def to_text(keys: Mapping[str, Any], title: str, comments: Mapping[str, str]) -> str:
    """A mapping as YAML, each key with what there is to check about it.

    Args:
        keys: of the mapping.
        title: first lines, as a comment.
        comments: on the keys.
    """
    with explained():
        import yaml

    parts = [f"# {line}" for line in title.splitlines()]
    for key, value in keys.items():
        flow = None if isinstance(value, dict | list) else False  # lists and innermost keys on one line
        body = yaml.safe_dump({key: value}, sort_keys=False, default_flow_style=flow, width=200, allow_unicode=True)
        if key in comments:
            parts.append(f"# {comments[key]}")
        parts.append(body.rstrip())
    return "\n".join(parts) + "\n"


_CHECK = "CHECK: "


def to_check(text: str) -> list[str]:
    """What a mapping's YAML still marks as to be checked: each thing once, with the key that it is about."""
    lines = [line.strip() for line in text.splitlines()]
    pairs = zip(lines, [*lines[1:], ""], strict=True)
    found = [(line.partition(_CHECK)[2], below.partition(":")[0]) for line, below in pairs if line.startswith("#")]
    return list(dict.fromkeys(f"{key}: {what}" for what, key in found if what))


_CARRIED = "It is what was carried over the whole band, and "
_OFFERED = (
    "It is the arrivals' volume over the whole band: if this was offered, and not what was transmitted, SE hardly "
    "depends on the allocation; and "
)
_WEIGHT = "reward.se_weight is yours: 0.01 makes it next to nothing"

_NETWORK = (
    "resource_block_hz is a PRB: 180 kHz, or 360 kHz of NR at 30 kHz. Leave traffic: it is not simulated, but scales "
    "observations, and says where they end"
)

COMMENTS = {
    "slices": "what stands for each slice, in the order of scenario.slices",
    "arrivals": "how much came in an interval: what a twin's state is",
    "allocation": "what slices were given",
    "allocation_is": "decided: at a row's end, for the next; in_force: held while the row was measured",
    "allowed": (
        "CHECK: few of all allocations were held, and a twin knows little of the others. all: an agent may choose "
        "these, and reports say how often it does; held: it never does, but is not exported either (docs/deploy.md)"
    ),
    "performance": "measured in every interval, predicted by the twin",
    "ssr": (
        "CHECK: a log has no SLAs. These bounds are each slice's median rate, missed also where users send little; "
        "take delay, or served over offered (docs/logs.md). SSR is 0 or 1 an interval"
    ),
    "spectral_efficiency": (
        "CHECK: unit_bps is what one of the rate is in bit/s; users: 1 where it is the slice's rate. "
        f"{_CARRIED}{_WEIGHT}"
    ),
    "missing": "what stands for no value",
    "unused": "left out; move a name to performance to use it",
    "scenario": f"CHECK: units are bandwidth_hz / resolution_hz. {_NETWORK}",
}
"""What there is to know about keys, for those who edit them."""
