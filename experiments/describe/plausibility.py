"""What no radio engineer would believe of a scenario, in a line each."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from experiments.describe.link import Link, free_space_loss_db
from slicing_gym import Radio, Scenario

HIGHEST_SNR_DB = 40.0
"""Above it nothing is gained: a transmitter's own errors are up to 3.5 % of a 256QAM signal, -29 dB (TS 38.104, table
6.5.2.2-1)."""

HIGHEST_MEAN_EFFICIENCY = 10.0
"""Mean over users [bit/s/Hz]; IMT-2020 asks a cell for 3.3 (rural) to 9 (indoor) in the downlink (Report ITU-R M.2410,
section 4.5)."""

HIGHEST_MCS = 7.4063
"""256QAM at code rate 948/1024 [bit/s/Hz a layer] (TS 38.214, table 5.1.3.1-2)."""

MOST_LAYERS = 8
"""Of a user in the downlink (TS 38.211, section 7.3.1.3)."""

SHORTEST_DISTANCE_M = 10.0
"""Users of outdoor cells are dropped no nearer (TR 36.814, table A.2.1.1.2-3; TR 38.901 takes 10 m for UMi, too)."""

THERMAL_NOISE_DBM_PER_HZ = -174.0
HIGHEST_DBM = 60.0  # 1 kW; the evaluations of TR 36.814 take up to 49 dBm in 20 MHz (table A.2.1.1-2)
SMALL_CELL_M, SMALL_CELL_DBM = 100.0, 37.0  # the highest power of a hotzone cell in TR 36.814
URGENT_S, URGENT_BYTE = 5e-3, 1354.0  # largest burst of 5QIs 85 to 87 (TS 23.501, table 5.7.4-1)
LONGEST_S = 1.1  # packet delay budget of 5QI 10; 0.5 s is the longest of any other (TS 23.501, table 5.7.4-1)
LOWEST_BPS = 1e3  # the slowest mode of AMR, a telephone's codec, has 4.75 kbit/s (TS 26.071)
SUBCARRIERS_HZ = (15e3, 30e3, 60e3, 120e3)


def implausible(scenario: Scenario, carrier_hz: float | None = None) -> list[str]:
    """What is hard to believe of a scenario's radio and traffic.

    Args:
        scenario: that is looked at.
        carrier_hz: carrier frequency [Hz] to compare the path loss with free space at; None: it is not compared.

    Returns:
        A line each, which begins with the key; none for a scenario that has nothing of the kind.
    """
    return [*_of_radio(scenario, carrier_hz), *_of_traffic(scenario)]


def _of_radio(scenario: Scenario, carrier_hz: float | None) -> Iterator[str]:
    radio, link = scenario.radio, Link(scenario)
    unit = max(link.blocks(1), 1)
    highest = max(link.snr_db(each, unit) for each in (radio.min_distance_m, radio.cell_radius_m))
    if radio.max_spectral_efficiency is None and highest > HIGHEST_SNR_DB:
        bits = radio.shannon_attenuation * math.log2(1.0 + 10.0 ** (highest / 10.0))
        yield (
            f"radio.max_spectral_efficiency: no cap, and an SNR of up to {highest:.1f} dB: a layer carries "
            f"{bits:.1f} bit/s/Hz, 256QAM at most {HIGHEST_MCS:.1f}"
        )
    elif (mean := link.mean_efficiency()) > HIGHEST_MEAN_EFFICIENCY:  # without a cap that is said already
        yield (
            f"radio.multiplexing_gain: {mean:.1f} bit/s/Hz on average over the users, with {radio.multiplexing_gain:g} "
            "layers for each; IMT-2020 asks a cell for 3.3 to 9 (Report ITU-R M.2410)"
        )
    yield from _of_path_loss(radio, carrier_hz)
    if radio.min_distance_m < SHORTEST_DISTANCE_M:
        yield (
            f"radio.min_distance_m: users as near as {radio.min_distance_m:g} m, where path loss is "
            f"{radio.path_loss_db(radio.min_distance_m):.1f} dB: models of outdoor cells hold from "
            f"{SHORTEST_DISTANCE_M:g} m on"
        )
    if radio.multiplexing_gain > MOST_LAYERS:
        yield (
            f"radio.multiplexing_gain: {radio.multiplexing_gain:.2f} layers, a user of 5G has at most {MOST_LAYERS} "
            "in the downlink"
        )
    if not radio.uniform_power_density:
        yield (
            f"radio.uniform_power_density: off, so each user's signal has {radio.transmit_power_dbm:g} dBm in full, "
            "however many are served at once"
        )
    if radio.noise_density_dbm_per_hz < THERMAL_NOISE_DBM_PER_HZ + 2.0:
        yield (
            f"radio.noise_density_dbm_per_hz: {radio.noise_density_dbm_per_hz:g} dBm/Hz is thermal noise without a "
            "receiver's noise figure (5 to 9 dB) or any interference"
        )
    yield from _of_power(radio)
    yield from _of_numerology(radio)
    if link.blocks(1) == 0:
        yield (
            f"radio.resolution_hz: a unit of {radio.resolution_hz / 1e3:g} kHz holds no resource block of "
            f"{radio.resource_block_hz / 1e3:g} kHz"
        )


def _of_power(radio: Radio) -> Iterator[str]:
    """Whether a transmitter of its kind has it."""
    power_dbm = radio.transmit_power_dbm
    if power_dbm > HIGHEST_DBM:
        yield (
            f"radio.transmit_power_dbm: {power_dbm:g} dBm is {10.0 ** (power_dbm / 10.0 - 6.0):.3g} kW; a macro cell "
            "has some 40 W, which is 46 dBm"
        )
    elif radio.cell_radius_m <= SMALL_CELL_M and power_dbm > SMALL_CELL_DBM:
        yield (
            f"radio.transmit_power_dbm: {power_dbm:g} dBm is a macro cell's, in one of {radio.cell_radius_m:g} m; "
            f"a small cell has 24 to {SMALL_CELL_DBM:g} dBm"
        )


def _of_path_loss(radio: Radio, carrier_hz: float | None) -> Iterator[str]:
    """Whether it is anywhere below that of free space."""
    if carrier_hz is None:
        return
    distances = np.geomspace(radio.min_distance_m, radio.cell_radius_m, 101).tolist()
    below = [each for each in distances if radio.path_loss_db(each) < free_space_loss_db(each, carrier_hz)]
    if below:
        yield (
            f"radio.path_loss_intercept_db: path loss at {below[0]:.3g} m is {radio.path_loss_db(below[0]):.1f} dB, "
            f"below the {free_space_loss_db(below[0], carrier_hz):.1f} dB of free space at {carrier_hz / 1e9:g} GHz"
        )


def _of_numerology(radio: Radio) -> Iterator[str]:
    """Whether block and slot are those of one subcarrier spacing: 12 subcarriers, 14 symbols."""
    for spacing_hz in SUBCARRIERS_HZ:
        of_spacing = 1e-3 * SUBCARRIERS_HZ[0] / spacing_hz
        if math.isclose(radio.resource_block_hz, 12.0 * spacing_hz) and not math.isclose(radio.slot_s, of_spacing):
            yield (
                f"radio.slot_s: {radio.slot_s * 1e3:g} ms, but blocks of {radio.resource_block_hz / 1e3:g} kHz are "
                f"12 subcarriers of {spacing_hz / 1e3:g} kHz, whose slot is {of_spacing * 1e3:g} ms"
            )


def _of_traffic(scenario: Scenario) -> Iterator[str]:
    link, edge_m = Link(scenario), scenario.radio.cell_radius_m
    edge_bps = link.rate_bps(edge_m, link.most_blocks)
    for part in scenario.slices:
        size = part.traffic.packet_size_byte
        byte = size.largest if math.isfinite(size.largest) else size.mean
        if 8.0 * byte > edge_bps * part.latency_sla_s:
            takes = f"{8e3 * byte / edge_bps:.3g} ms" if edge_bps > 0.0 else "for ever"
            yield (
                f"slices.{part.name}.latency_sla_s: {part.latency_sla_s * 1e3:g} ms, but a packet of {byte:g} byte "
                f"takes {takes} at the edge, alone in the whole band"
            )
        if part.latency_sla_s > LONGEST_S:
            yield (
                f"slices.{part.name}.latency_sla_s: {part.latency_sla_s:g} s, the longest packet delay budget of a 5QI "
                f"is {LONGEST_S:g} s; this key is in seconds"
            )
        if 0.0 < part.rate_sla_bps < LOWEST_BPS:
            yield (
                f"slices.{part.name}.rate_sla_bps: {part.rate_sla_bps:g} bit/s, a telephone's slowest codec has "
                "4750; this key is in bit/s, and 0 asks for no rate"
            )
        if part.rate_sla_bps > edge_bps:
            yield (
                f"slices.{part.name}.rate_sla_bps: {part.rate_sla_bps / 1e6:g} Mbit/s, but a user at the edge has "
                f"{edge_bps / 1e6:.3g} Mbit/s alone in the whole band"
            )
        if part.latency_sla_s <= URGENT_S and byte > URGENT_BYTE:
            yield (
                f"slices.{part.name}.traffic.packet_size_byte: packets of up to {byte:g} byte within "
                f"{part.latency_sla_s * 1e3:g} ms; 5QIs of such a delay promise bursts of at most {URGENT_BYTE:g} byte"
            )
