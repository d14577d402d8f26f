"""Lines around the table of a what-if: whose demand it is, and which allocations the log says little of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from experiments.what_if.demand import Demand, carried
from experiments.what_if.moment import Moment
from experiments.what_if.policies import LOGGED
from experiments.what_if.report import number
from experiments.what_if.settings import OF_THE_LOG, OF_THE_TWIN
from experiments.what_if.simulation import Alternative
from twin.data.columns import PRESENT
from twin.runtime.coverage import Outside

IntArray = npt.NDArray[np.int64]

NOTICEABLE = 0.01
"""Share of the mean arrivals from which on it is said that those of an alternative differ."""

ERRORS = 1.96
"""Standard errors of the mean difference within which it may be chance."""

MOST_COMPARED = 200
"""Allocations of an alternative, the most frequent, of which the nearest that was held is looked for."""


class Decided(Protocol):
    """What lines on allocations need of what was compared."""

    @property
    def name(self) -> str:
        """Of the contender."""

    @property
    def units(self) -> IntArray:
        """That it gave (..., n_slices)."""

    @property
    def outside(self) -> Outside:
        """Of these, what the twin was not fitted to."""


def given_lines(demand: Demand, measured: Mapping[str, float]) -> list[str]:
    """What was before the moment, what is as measured in its intervals, and what depends on that."""
    column, seen = demand.column, demand.moment.history.arrivals[demand.moment.row] / demand.packets
    before = dict(zip(demand.names, map(float, seen), strict=True))
    unit = f" [{column.unit}]" if column.unit else ""
    lines = [f"{column.name} before it{unit}: {_by_slice(demand, column.name, before, measured)}"]
    if demand.source == OF_THE_TWIN:
        return lines
    if demand.moment.ahead == 1:
        during = "in it"
        then = "no other figure depends on them: the twin predicts an interval from what was measured before it"
    else:
        during = "in them, on average"
        then = (
            f"those of the log for all (arrivals={OF_THE_TWIN}: the twin's); from the second interval on, each is "
            "predicted after those of the one before it"
        )
    lines.append(f"{column.name} {during}{unit}: {_by_slice(demand, column.name, measured, measured)}; {then}")
    if PRESENT in demand.moment.history.layout.columns:
        there = _by_slice(demand, PRESENT.name, measured, measured)
        lines.append(f"{PRESENT.name} {during}: {there}; as measured for all")
    return lines


def _by_slice(demand: Demand, column: str, values: Mapping[str, float], measured: Mapping[str, float]) -> str:
    """The values of a column, slice by slice, without those of the units of nobody, which are not `measured`."""
    named = {name: f"{column}_{name}" for name in demand.moment.history.scenario.slice_names}
    return ", ".join(f"{name} {number(values[each])}" for name, each in named.items() if each in measured)


def demand_lines(demand: Demand, alternatives: Sequence[Alternative]) -> list[str]:
    """What stands in the place of arrivals, and where they follow the allocation."""
    lines = []
    if demand.same:
        lines.append(
            f"arrivals are shown as {' and '.join(demand.same)}, equal to the arrivals in this history, in another unit"
        )
    if demand.source == OF_THE_LOG:
        if served := carried(demand.moment.history):
            lines.append(
                f"hint: the arrivals are equal to {' and '.join(served)} in every interval, so they may be what was "
                f"served, and not what was offered: ask once with arrivals={OF_THE_TWIN}"
            )
    else:
        lines += _followers(demand, alternatives)
    return lines


def _followers(demand: Demand, alternatives: Sequence[Alternative]) -> list[str]:
    """Alternatives whose simulated arrivals differ from those of what the log did by more than chance."""
    first = next((each for each in alternatives if each.name == LOGGED), alternatives[0])
    found = []
    for each in alternatives:
        parts = []
        for name in demand.names:
            if name not in each.values:  # units of nobody
                continue
            more, usual = each.values[name] - first.values[name], first.values[name].mean()
            beyond = max(NOTICEABLE * usual, ERRORS * more.std(ddof=1) / len(more) ** 0.5)
            if abs(more.mean()) > beyond:
                by = f"{more.mean() / usual:+.1%}" if usual else f"+{number(more.mean())} {demand.column.unit}"
                parts.append(f"{name} {by}")
        if parts:
            found.append(f"{each.name} {', '.join(parts)}")
    if not found:
        return []
    worth = "no other figure depends on them" if demand.moment.ahead == 1 else "the utility includes this"
    return [
        f"warning: the twin's arrivals differ by allocation, from those of {first.name} by: {'; '.join(found)}; "
        f"{worth}, and arrivals={OF_THE_LOG} holds those of the log"
    ]


def outside_the_fit(alternatives: Sequence[Decided]) -> list[str]:
    """One line per alternative with units that the twin was not fitted to."""
    lines = []
    for each in alternatives:
        if each.outside:
            share, parts = each.outside.share, "; ".join(f"{name} {own}" for name, own in each.outside.slices.items())
            where, there = (f" in {100.0 * share:.2g}% of its decisions", " there") if share < 1.0 else ("", "")
            lines.append(f"* warning: {each.name} is outside the fit{where}: {parts}; not to be trusted{there}")
    return lines


def never_held(moment: Moment, alternatives: Sequence[Decided]) -> list[str]:
    """One line per alternative with allocations that the log never held: how far the nearest is that it did hold."""
    history = moment.history
    held, times = np.unique(history.allocation, axis=0, return_counts=True)
    known = f"the log, which has {len(held):,}" if len(held) > 1 else "the log"
    had, allowed = set(map(tuple, held.tolist())), {tuple(row) for row in history.held}
    lines = []
    for each in alternatives:
        given, counts = np.unique(each.units.reshape(-1, held.shape[1]), axis=0, return_counts=True)
        new = np.array([tuple(row) not in had for row in given.tolist()])
        if not new.any():
            continue
        often = given[new][np.argsort(-counts[new], kind="stable")[:MOST_COMPARED]]
        moved = np.array([np.abs(held - row).sum(axis=1).min() // 2 for row in often])
        row, far = often[moved.argmax()], int(moved.max())
        near = int(np.abs(held - row).sum(axis=1).argmin())
        one = len(given) == 1
        what = _text(row) if one else f"{counts[new].sum() / counts.sum():.0%} of its decisions"
        who = "" if what == each.name else f"{each.name}: "
        among = f"of the {MOST_COMPARED} most frequent " if new.sum() > MOST_COMPARED else ""
        farthest = "" if one else f"{among}{_text(row)} is the farthest, "
        lines.append(
            f"note: {who}{what} {'is' if one else 'are'} no allocation of {known}; {farthest}the nearest is "
            f"{_text(held[near])}, held in {_counted(times[near], 'decision')}, with {_counted(far, 'unit')} elsewhere"
            + (_forbidden(given, allowed) if allowed else "")
        )
    return lines


def _forbidden(given: IntArray, allowed: set[tuple[int, ...]]) -> str:
    """That a mapping does not allow them, to end a line."""
    return "; the mapping does not allow it (allowed: held)" if set(map(tuple, given.tolist())) - allowed else ""


def _text(units: IntArray) -> str:
    return "-".join(map(str, units))


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
