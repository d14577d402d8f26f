"""What a log suggests for SSR and spectral efficiency: a delay, a rate or a volume of each slice."""

from __future__ import annotations

import numpy as np

from twin.data.logs.rules import VOLUMES
from twin.inspection.facts import LogFacts
from twin.inspection.roles import (
    CARRIED,
    DELAYS,
    TRANSMITTED,
    UPLINK,
    WORDS,
    arrivals_column,
    likely_unit,
    says,
    unit_in,
    volume_unit,
)

RATES = {"gbps": 1e9, "mbps": 1e6, "kbps": 1e3, "bps": 1.0, "gbit/s": 1e9, "mbit/s": 1e6, "kbit/s": 1e3, "bit/s": 1.0}
"""In bit/s, by the unit's name in small letters."""

_OF_A_USER = frozenset({"ue", "user"})


def sla_of(facts: LogFacts) -> tuple[str, str, list[float]] | None:
    """The column that SLAs are proposed for, "at_most" of a delay or "at_least" of a rate, and each slice's median.

    None where there is no such column, or no decision to be rewarded.
    """
    column = _sla_column(facts)
    if column is None or without_sla(facts):
        return None
    assert facts.grid is not None
    bounds = [float(f"{median:.3g}") for median in np.nanmedian(facts.grid.values[column], axis=0)]
    return column, "at_most" if says(column, DELAYS) else "at_least", bounds


def without_sla(facts: LogFacts) -> tuple[str, list[str]] | None:
    """The column that SLAs would be proposed for, and the slices of which it has no value; None if there are none."""
    column = _sla_column(facts)
    if column is None:
        return None
    assert facts.grid is not None
    measured = np.asarray(np.isfinite(facts.grid.values[column]).any(axis=0))
    empty = [str(name) for name, has in zip(facts.grid.slices, measured, strict=True) if not has]
    return (column, empty) if empty else None


def _sla_column(facts: LogFacts) -> str | None:
    delays = [name for name in facts.performance if says(name, DELAYS) and not facts.is_of_cell(name)]
    columns = _downlink_first([*delays, *_rates(facts)])
    return columns[0] if columns and facts.what == "allocation" else None


def efficiency_of(facts: LogFacts) -> tuple[str, float] | None:
    """The column of a volume that was carried or, where there is none, of a rate; and what one of it is in bit/s.

    A volume that was transmitted counts before the arrivals', which may be what was offered.
    None where there is no such column, or no decision to be rewarded. A user's throughput (DRB.UEThpDl) is none: it
    leaves out the time in which the user has nothing to send.
    """
    if facts.what != "allocation":
        return None
    assert facts.grid is not None
    volumes = [
        name
        for name in (facts.arrivals, *facts.performance)
        if name and likely_unit(name) and arrivals_column([name]) and not facts.is_of_cell(name)
    ]
    carried = sorted((name for name in volumes if says(name, CARRIED)), key=lambda name: not says(name, TRANSMITTED))
    rates = [name for name in _rates(facts) if not says(name, _OF_A_USER)]
    for name in _downlink_first([*carried, *rates, *volumes])[:1]:
        unit = likely_unit(name)
        if name in volumes and unit is not None:
            return name, float(f"{VOLUMES[unit] / facts.period_s:.6g}")
        return name, _rate_unit(name) or (1e6 if np.nanmax(facts.grid.values[name]) < 1e4 else 1.0)
    return None


def _rate_unit(name: str) -> float | None:
    """What one of a rate is in bit/s, by its unit; None where the name has none that is known."""
    unit = unit_in(name)
    volume = volume_unit(f"[{unit[:-2]}]") if unit.endswith("/s") else None
    return RATES.get(unit.lower()) or (None if volume is None else float(VOLUMES[volume]))


def _downlink_first(names: list[str]) -> list[str]:
    """Names in their order, but those of the uplink last: what is allocated is the downlink."""
    return sorted(names, key=lambda name: says(name, UPLINK))


def _rates(facts: LogFacts) -> list[str]:
    return [name for name in facts.performance if says(name, WORDS["rate"]) and not facts.is_of_cell(name)]
