"""The radio cell and its scheduler, as frozen data that is checked when it is made."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slicing_gym.errors import check_instance, check_integer, check_number

MAX_BLOCKS = 100_000
"""Most resource blocks that the bandwidth may hold."""


@dataclass(frozen=True)
class Radio:
    """The cell and its scheduler; the defaults are those of the paper's section V-A and of 3GPP TR 36.814.

    Args:
        bandwidth_hz: W, shared by all slices [Hz].
        resolution_hz: one unit of allocation [Hz]; it divides the bandwidth.
        resource_block_hz: the block that is scheduled [Hz]; a slice of w Hz has floor(w / resource_block_hz) of them.
        slot_s: a scheduling slot [s].
        slots_per_interval: slots between two decisions.
        cell_radius_m, min_distance_m: users are uniform in the ring between the two [m].
        transmit_power_dbm: P [dBm], for each user's signal in full (the paper does not say how it is shared), or for
            the whole carrier (`uniform_power_density`).
        receive_gain_db: G [dB].
        noise_density_dbm_per_hz: N0 [dBm/Hz]; it may hold the receiver's noise figure and neighbours' interference.
        path_loss_intercept_db, path_loss_slope_db: a + b log10(d / km) [dB] (3GPP TR 36.814).
        multiplexing_gain: M of equation (1); 64 log10(2) makes it equal to 64 w log10(1 + SNR) of GAN-DDQN's code.
            As a number of layers it goes with the two that follow.
        max_spectral_efficiency: most that a layer carries [bit/s/Hz], as the highest modulation and coding scheme
            sets it; None for no bound. A user's rate is M w min(attenuation x log2(1 + SNR), this).
        shannon_attenuation: share of the Shannon bound that a layer reaches (3GPP TR 36.942, annex A.2, takes 0.6).
        uniform_power_density: P is spread evenly over the carrier, as in a 5G downlink, so that the SNR does not depend
            on a user's bandwidth: SNR = g P G / (N0 bandwidth_hz) with path loss.
        queue_capacity: packets a user's queue holds.
    """

    bandwidth_hz: float = 20e6
    resolution_hz: float = 200e3
    resource_block_hz: float = 180e3
    slot_s: float = 0.5e-3
    slots_per_interval: int = 400
    cell_radius_m: float = 40.0
    min_distance_m: float = 1.0
    transmit_power_dbm: float = 46.0
    receive_gain_db: float = 20.0
    noise_density_dbm_per_hz: float = -174.0
    path_loss_intercept_db: float = 145.4
    path_loss_slope_db: float = 37.5
    multiplexing_gain: float = 64.0 * math.log10(2.0)
    queue_capacity: int = 5
    max_spectral_efficiency: float | None = None
    shannon_attenuation: float = 1.0
    uniform_power_density: bool = False

    def __post_init__(self) -> None:
        for name in ("bandwidth_hz", "resolution_hz", "resource_block_hz"):
            check_number(f"radio.{name}", getattr(self, name), above=0.0, at_most=1e12)
        for name in ("slot_s", "min_distance_m", "multiplexing_gain"):
            check_number(f"radio.{name}", getattr(self, name), at_least=1e-9, at_most=1e6)
        for name in (
            "transmit_power_dbm",
            "receive_gain_db",
            "noise_density_dbm_per_hz",
            "path_loss_intercept_db",
            "path_loss_slope_db",
        ):
            check_number(f"radio.{name}", getattr(self, name), at_least=-300.0, at_most=300.0)
        check_number("radio.shannon_attenuation", self.shannon_attenuation, at_least=1e-3, at_most=1.0)
        if self.max_spectral_efficiency is not None:
            check_number("radio.max_spectral_efficiency", self.max_spectral_efficiency, at_least=1e-3, at_most=100.0)
        check_instance("radio.uniform_power_density", self.uniform_power_density, (bool,))
        check_number("radio.cell_radius_m", self.cell_radius_m, above=self.min_distance_m, at_most=1e6)
        check_integer("radio.slots_per_interval", self.slots_per_interval, at_least=1, at_most=1_000_000)
        check_integer("radio.queue_capacity", self.queue_capacity, at_least=1, at_most=10_000)
        for distance_m in (self.min_distance_m, self.cell_radius_m):
            if not -400.0 <= self.mean_snr_db_hz(distance_m) <= 400.0:
                raise ValueError(
                    f"radio: SNR x bandwidth at {distance_m} m would be {self.mean_snr_db_hz(distance_m):g} dB-Hz, "
                    "allowed are -400 to 400"
                )
        blocks = self.bandwidth_hz / self.resource_block_hz
        if not 1.0 <= blocks <= MAX_BLOCKS:
            raise ValueError(
                f"radio.resource_block_hz: {self.resource_block_hz} makes {blocks:g} blocks of bandwidth_hz = "
                f"{self.bandwidth_hz}, allowed are 1 to {MAX_BLOCKS}"
            )
        units = self.bandwidth_hz / self.resolution_hz
        if abs(units - round(units)) > 1e-9 * units or units < 1:
            raise ValueError(
                f"radio.resolution_hz: {self.resolution_hz} does not divide bandwidth_hz = {self.bandwidth_hz} "
                f"(it would make {units:g} units)"
            )

    def path_loss_db(self, distance_m: float) -> float:
        """Path loss [dB] at a distance (by default of 3GPP TR 36.814)."""
        return self.path_loss_intercept_db + self.path_loss_slope_db * math.log10(distance_m / 1000.0)

    def mean_snr_db_hz(self, distance_m: float) -> float:
        """Mean received power over noise density [dB-Hz] at a distance."""
        received_dbm = self.transmit_power_dbm + self.receive_gain_db - self.path_loss_db(distance_m)
        return received_dbm - self.noise_density_dbm_per_hz

    def resource_blocks(self, units: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Whole resource blocks that so many units (...) of bandwidth hold (...)."""
        # The small excess keeps a unit that is a whole number of blocks from losing one to rounding.
        blocks = np.asarray(units) * self.resolution_hz / self.resource_block_hz * (1.0 + 1e-12)
        return np.floor(blocks).astype(np.int64)

    @property
    def num_units(self) -> int:
        """Units of allocation in the bandwidth."""
        return round(self.bandwidth_hz / self.resolution_hz)

    @property
    def interval_s(self) -> float:
        """Time between two decisions [s]."""
        return self.slots_per_interval * self.slot_s
