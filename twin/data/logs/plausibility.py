"""What a mapping says and no network has: too high an SE, too many blocks, an SLA that is met always or never."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from slicing_gym.observation import usual_highest
from twin.data.columns import SPECTRAL_EFFICIENCY, SSR
from twin.data.history import History
from twin.data.layout import IDLE
from twin.data.logs.mapping import LogMapping

LAYER = 10.0
"""Most that a layer carries [bit/s/Hz]: a symbol of 1024-QAM has 10 bits, and a hertz one symbol a second."""

MOST_LAYERS = 8
"""Up to which `multiplexing_gain` is a number of layers; the paper's 19.27, which is also the default, is none."""

PEAK = 30.0
"""The same where the layers are not known: the downlink's peak that ITU-R M.2410 asks of 5G [bit/s/Hz]."""

MOST_BLOCKS = 275
"""Resource blocks of the largest carrier (3GPP TS 38.211, table 4.4.2-1)."""

_DELAY = re.compile(r"delay|latency|rtt|jitter", re.IGNORECASE)
"""In names of columns of which less is better."""

ENOUGH = 50
"""Decisions from which on it is unusual that an SLA was met always or never."""


def about_efficiency(mapping: LogMapping, history: History) -> Iterator[str]:
    """That the mean SE is more than a link can carry, if it is: the unit of the rate is wrong."""
    if SPECTRAL_EFFICIENCY.name not in history.performance:
        return
    mean, layers = float(history.spectral_efficiency.mean()), mapping.network.radio.multiplexing_gain
    known = layers <= MOST_LAYERS
    bound = LAYER * max(layers, 1.0) if known else PEAK
    if mean <= bound:
        return
    rule = mapping.spectral_efficiency
    of = f"with {layers:g} layer{'' if layers == 1 else 's'} (multiplexing_gain)" if known else "at its peak"
    given = "" if rule is None else f": is column {rule.column!r} in units of {rule.unit_bps:g} bit/s (unit_bps)?"
    yield (
        f"spectral_efficiency: {mean:,.1f} bit/s/Hz in the mean, and a link carries no more than {bound:g} {of}{given}"
    )


def about_blocks(mapping: LogMapping) -> Iterator[str]:
    """That the bandwidth holds more resource blocks than any carrier has, if it does: they are too small."""
    radio = mapping.network.radio
    blocks = radio.bandwidth_hz / radio.resource_block_hz
    if blocks > MOST_BLOCKS:
        yield (
            f"scenario.radio: {radio.bandwidth_hz / 1e6:g} MHz are {blocks:,.0f} blocks of "
            f"{radio.resource_block_hz / 1e3:g} kHz (resource_block_hz), and no carrier of LTE or NR has more than "
            f"{MOST_BLOCKS}: NR at 30 kHz has blocks of 360 kHz"
        )


def about_ssr(mapping: LogMapping, history: History) -> Iterator[str]:
    """Which slices' SLAs are met in every decision or in none, if any are."""
    values = history.performance.get(SSR.name)
    if values is None or len(values) < ENOUGH:
        return
    names = [(number, name) for number, name in enumerate(history.scenario.slice_names) if name != IDLE]
    never = [name for number, name in names if (values[:, number] == 0.0).all()]
    always = [name for number, name in names if (values[:, number] == 1.0).all()]
    met = [f"{how} met: {', '.join(who)}" for how, who in (("never", never), ("always", always)) if who]
    if met:
        column = "" if mapping.ssr is None else f" on {mapping.ssr.column!r}"
        look = f"look at the bounds{column}; nothing says what would change that"
        yield f"ssr: {'; '.join(met)} ({len(values)} decisions): {look}"


def about_direction(mapping: LogMapping) -> Iterator[str]:
    """That a slice's SLA counts as met where its packets are late, if it does: the bound is on the wrong side."""
    rule = mapping.ssr
    if rule is not None and rule.at_least is not None and _DELAY.search(rule.column):
        yield f"ssr: at_least given, and {rule.column!r} says a delay: met where packets are late; is at_most meant?"


def about_bounds(history: History) -> Iterator[str]:
    """Which slices' arrivals exceed where observations end: agents see no more than that."""
    seen = np.maximum(history.arrivals.max(axis=0), history.next_arrivals.max(axis=0))
    highest, nominal = usual_highest(history.scenario), history.scenario.nominal_arrivals
    over = [
        f"{name} {seen[n] / nominal[n]:.4g} times (seen up to {highest[n]:.4g})"
        for n, name in enumerate(history.scenario.slice_names)
        if seen[n] > highest[n] * nominal[n]
    ]
    if over:
        yield (
            f"arrivals: above what agents see, over nominal traffic: {', '.join(over)}; give the slice's traffic in "
            "`scenario` its mean, or observer=slicing_gym.ArrivalsObserver(highest=None)"
        )
