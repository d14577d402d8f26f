"""A description as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.reporting.tables import aligned

if TYPE_CHECKING:
    from experiments.describe.run import Description


def as_text(found: Description) -> str:
    """Link, slices, verdict and warnings, a table or a line each."""
    radio = found.scenario.radio
    cap = radio.max_spectral_efficiency
    layers = f"{radio.multiplexing_gain:.4g} layers " + (
        "without a cap" if cap is None else f"of at most {cap:.4g} bit/s/Hz"
    )
    return "\n".join(
        [
            f"scenario {found.scenario.name}: {radio.bandwidth_hz / 1e6:g} MHz in {found.scenario.num_units} units of "
            f"{radio.resolution_hz / 1e3:g} kHz; {radio.transmit_power_dbm:g} dBm "
            f"{'spread over the band' if radio.uniform_power_density else 'for each user'}, gain "
            f"{radio.receive_gain_db:g} dB, noise and interference {radio.noise_density_dbm_per_hz:g} dBm/Hz",
            "",
            f"the link of one user ({layers}; mean over fading):",
            _links(found),
            "",
            f"the slices (95 % and SSR: {found.decisions} decisions in each of {len(found.seeds)} cells):",
            _slices(found),
            "",
            f"capacity {_megabit(found.capacity_bps)} Mbit/s (one user at a time, the same rate for all); offered "
            f"{_megabit(found.offered_bps)} Mbit/s, 95 % {_megabit(found.high_bps)}",
            found.verdict,
            *(f"warning: {each}" for each in found.warnings),
        ]
    )


def _megabit(bps: float) -> str:
    """A rate in Mbit/s."""
    return f"{bps / 1e6:,.0f}" if bps >= 1e9 else f"{bps / 1e6:.4g}"


def _links(found: Description) -> str:
    header = ["distance [m]", "users nearer", "path loss [dB]", "SNR, a unit [dB]", "SNR, the band [dB]"]
    header += ["a unit [bit/s/Hz]", "the band [bit/s/Hz]", "alone [Mbit/s]"]
    rows = [
        [
            f"{each.distance_m:.1f}",
            f"{each.nearer:.0%}",
            f"{each.path_loss_db:.1f}",
            f"{each.unit_snr_db:.1f}",
            f"{each.band_snr_db:.1f}",
            f"{each.unit_efficiency:.4g}",
            f"{each.band_efficiency:.4g}",
            _megabit(each.rate_bps),
        ]
        for each in found.links
    ]
    return aligned(header, rows)


def _slices(found: Description) -> str:
    header = ["slice", "users", "offered [Mbit/s]", "95 %", "rate SLA [Mbit/s]", "latency SLA [ms]"]
    header += ["units for the load", f"units for SSR {found.ssr:g}"]
    rows = [
        [
            each.name,
            str(each.num_users),
            f"{each.offered_bps / 1e6:.3g}",
            f"{each.high_bps / 1e6:.3g}",
            f"{each.rate_sla_bps / 1e6:.3g}",
            f"{each.latency_sla_s * 1e3:.3g}",
            "never" if each.carrying_units is None else str(each.carrying_units),
            "never" if each.sla_units is None else str(each.sla_units),
        ]
        for each in found.slices
    ]
    return aligned(header, rows)
