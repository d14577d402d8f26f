"""Findings on who decided what: allocations, what rewards and bounds can be made of, and logs without any decision."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from twin.data.logs.engine import quoted
from twin.data.logs.rules import SHARES
from twin.inspection.allocations import Allocations, are_caps
from twin.inspection.demand import short_of_demand
from twin.inspection.facts import LogFacts
from twin.inspection.findings import Finding, listed, percent
from twin.inspection.grid import Grid
from twin.inspection.rewards import efficiency_of, sla_of, without_sla
from twin.inspection.roles import DECISIONS, may_be_allocation, says, tokens
from twin.inspection.timing import Timing


def decisions(facts: LogFacts) -> Iterator[Finding]:
    """What a person has to know about the allocations of a log of intervals, in no order."""
    if facts.timing is None or facts.grid is None:
        return
    if facts.allocations is None:
        yield from _passive(facts)
        return
    yield from _of_allocations(facts.allocations, facts.grid)
    yield from _followed(facts)
    yield from _of_reward(facts)
    yield from _of_alignment(facts)
    yield from _of_demand(facts, facts.allocations, facts.grid, facts.timing)


def _followed(facts: LogFacts) -> Iterator[Finding]:
    """That the allocation is likely an effect of the traffic."""
    if (found := facts.followed) is not None and facts.allocations is not None:
        yield Finding(
            "follows",
            f"{facts.allocations.column} follows the volume: {found[0]} of the same row explains it (R² {found[1]:.2f}"
            "), so it is likely the PRB that were used, no decision. A twin of it takes the effect of the traffic for "
            "its cause. If nobody decided it, take the log as traffic (python -m experiments.traffic)",
        )


def _passive(facts: LogFacts) -> Iterator[Finding]:
    if facts.undecided:
        yield Finding("passive", "no slice column yet: whether there are decisions cannot be told")
    elif facts.arrivals is not None:
        least = [name for name in facts.performance if "min" in tokens(name) and says(name, DECISIONS)]
        hint = f" ({listed(least)}: a guaranteed minimum is no allocation, as a slice may hold more)" if least else ""
        caps = [name for name in facts.performance if are_caps(name) and name in facts.cells]
        caps = [quoted(name) for name in caps if may_be_allocation(facts.cells[name])]
        if caps:
            whole = ", ".join(f"round({name}) AS {name}" for name in caps)
            hint += f" (caps are whole units, and these have fractions: SELECT * REPLACE ({whole}) FROM log)"
        yield Finding(
            "passive",
            f"a passive log: no column looks like an allocation{hint}, nobody decided anything; {facts.arrivals} are "
            "traffic for the simulator, and make an arrivals-only twin, no environment",
        )


def _of_allocations(found: Allocations, grid: Grid) -> Iterator[Finding]:
    units = f"{found.total} units"
    whole = f"{SHARES[found.counted_as]:g}" if found.counted_as in SHARES else units
    if found.counted_as == "mask":
        yield Finding("mask", f"{found.column} is a bit mask of {found.total} groups; a slice's units are its bits")
    if found.bound:
        least = "min" in tokens(found.column)
        what, other = ("a guaranteed minimum", "more") if least else ("a cap", "less")
        also = "" if least else ", or of caps in units write as: caps"
        if found.counted_as == "caps":
            also = f". Without one these are read as caps (as: caps) of 100 units; they add up to {_range(found)}" + (
                ", and what is beyond 100 is shared out in proportion" if found.highest > found.total else ""
            )
        yield Finding(
            "bound",
            f"{found.column} is by its name {what}, no allocation: a slice may hold {other}. Name the column of what "
            f"slices held{also}",
        )
    if found.counted_as in SHARES:
        yield Finding(
            "shares",
            f"{found.column} holds shares in place of units: they add up to {_range(found)}, "
            f"and are {'rounded to' if found.rounded else 'whole'} multiples of 1/{found.total}",
        )
    if found.constant:
        held = [f"{value:.6g}" for value in found.units[np.isfinite(found.units).all(axis=1)][0]]
        yield Finding(
            "constant_allocation",
            f"a constant allocation: {found.column} is {'-'.join(held)} in every interval, so nothing can be "
            "learned of its effect; use it as a passive log (an environment whose actions matter is refused)",
        )
        return
    if found.idle:
        left = found.total - found.units[np.isfinite(found.units).all(axis=1)].sum(axis=1)
        guessed = found.counted_as == "units" and found.highest != found.total
        always = "" if found.lowest == found.highest else "always "
        yield Finding(
            "idle",
            f"idle units: {found.column} adds up to {_range(found)}, not {always}to {whole}; "
            f"{left.mean():.3g} belong to nobody on average"
            + (f" ({found.total} is the next carrier of LTE or NR: check it)" if guessed else ""),
        )
    elif found.counted_as in ("units", "mask"):
        when = "whenever all slices have rows" if not grid.present.all() else "in every interval"
        yield Finding("sums", f"{found.column} adds up to {units} {when}")
    share = percent(found.held / found.possible)
    where = "" if grid.present.all() else " in intervals with all slices"
    text = f"{found.held:,} of {found.possible:,} allocations were held{where} ({share})"
    if found.few:
        yield Finding(
            "few_allocations",
            f"few allocations: only {text}; a twin knows little of the others (allowed: held offers those alone)",
        )
    else:
        yield Finding("allocations", text)


def _range(found: Allocations) -> str:
    """What a column adds up to."""
    return f"{found.lowest:.4g}" + (f" to {found.highest:.4g}" if found.highest > found.lowest else "")


def _of_reward(facts: LogFacts) -> Iterator[Finding]:
    """That there is nothing to make rewards of, where there is not."""
    if facts.what != "allocation":
        return
    computed = {"ssr": sla_of(facts), "spectral_efficiency": efficiency_of(facts)}
    lacking = [name for name, rule in computed.items() if rule is None and name not in facts.performance]
    parts = []
    if "ssr" in lacking and (without := without_sla(facts)):
        lacking.remove("ssr")
        parts.append(f"{without[0]} has no value of {listed(without[1])}, so nothing says what its SLA is (ssr)")
    if lacking:
        parts.append(f"no rate, delay or volume of a slice was found of which to make {' and '.join(lacking)}")
    if parts:
        yield Finding("no_reward", f"{'; '.join(parts)}: without them there is a twin, but no environment")


def _of_alignment(facts: LogFacts) -> Iterator[Finding]:
    found, column = facts.alignment, facts.allocations.column if facts.allocations else ""
    if facts.allocations is None or facts.allocations.constant or found is None or facts.followed:
        return
    if found.by_load:
        what, same = "where it changed, the load per unit of the row before explains", "that"
    else:
        what, same = "the units of the row before explain", "those"
    numbers = (
        f"{what} {percent(found.decided)} of the variance of {found.column}, "
        f"{same} of the same row {percent(found.in_force)}"
    )
    texts = {
        "decided": f"{column} is decided for the next interval: {numbers}",
        "in_force": f"{column} is in force, held while its own row was measured: {numbers} (allocation_is: in_force)",
        "": f"whether {column} is decided or in force cannot be told: {numbers}; taken as decided",
    }
    yield Finding("alignment", texts[facts.allocation_is])


def _of_demand(facts: LogFacts, found: Allocations, grid: Grid, timing: Timing) -> Iterator[Finding]:
    """The proposed bounds on a rate, where they are missed because little arrived."""
    rule = sla_of(facts)
    if (
        rule is None
        or facts.followed
        or facts.arrivals is None
        or "ssr" in facts.performance
        or not facts.allocation_is
    ):
        return
    rate, bound, bounds = rule
    if bound != "at_least":
        return
    now = np.flatnonzero(timing.follows()) + 1
    held = found.units[now - (facts.allocation_is == "decided")]
    slices = short_of_demand(grid.slices, grid.values[rate][now], bounds, grid.values[facts.arrivals][now], held)
    if slices:
        yield Finding(
            "demand",
            f"the bound on {rate} (proposed: the median) is missed for want of demand by {listed(slices)}: on units "
            f"that met it elsewhere, fewer {facts.arrivals} came than in 95% of the intervals that met it",
        )
