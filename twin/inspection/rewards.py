"""What a log suggests for SSR and spectral efficiency: a delay, a rate or a volume of each slice."""

from __future__ import annotations

import numpy as np

from twin.data.logs.rules import VOLUMES
from twin.inspection.facts import LogFacts
from twin.inspection.roles import DELAYS, UPLINK, WORDS, says, unit_in, volume_unit

RATES = {"gbps": 1e9, "mbps": 1e6, "kbps": 1e3, "bps": 1.0, "gbit/s": 1e9, "mbit/s": 1e6, "kbit/s": 1e3, "bit/s": 1.0}
"""In bit/s, by the unit's name in small letters."""


def sla_of(facts: LogFacts) -> tuple[str, str, list[float]] | None:
    """The column that SLAs are proposed for, "at_most" of a delay or "at_least" of a rate, and each slice's median.

    None where there is no such column, or no decision to be rewarded.
    """
    delays = [name for name in facts.performance if says(name, DELAYS) and not facts.is_of_cell(name)]
    columns = _downlink_first([*delays, *_rates(facts)])
    if facts.what != "allocation" or not columns:
        return None
    assert facts.grid is not None
    values = facts.grid.values[columns[0]]
    if not np.isfinite(values).any(axis=0).all():  # a slice has none, so nothing says what it needs
        return None
    bounds = [float(f"{median:.3g}") for median in np.nanmedian(values, axis=0)]
    return columns[0], "at_most" if columns[0] in delays else "at_least", bounds


def efficiency_of(facts: LogFacts) -> tuple[str, float] | None:
    """The column of a rate or, where there is none, of a volume; and what one of it is in bit/s. None likewise."""
    if facts.what != "allocation":
        return None
    assert facts.grid is not None
    volumes = [
        name
        for name in (facts.arrivals, *facts.performance)
        if name is not None and volume_unit(name) and says(name, WORDS["arrivals"]) and not facts.is_of_cell(name)
    ]
    for name in _downlink_first([*_rates(facts), *volumes])[:1]:
        unit = volume_unit(name)
        if name in volumes and unit is not None:
            return name, float(f"{VOLUMES[unit] / facts.period_s:.6g}")
        return name, RATES.get(unit_in(name).lower(), 1e6 if np.nanmax(facts.grid.values[name]) < 1e4 else 1.0)
    return None


def _downlink_first(names: list[str]) -> list[str]:
    """Names in their order, but those of the uplink last: what is allocated is the downlink."""
    return sorted(names, key=lambda name: says(name, UPLINK))


def _rates(facts: LogFacts) -> list[str]:
    return [name for name in facts.performance if says(name, WORDS["rate"]) and not facts.is_of_cell(name)]
