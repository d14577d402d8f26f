"""The link of a cell: path loss, SNR, spectral efficiency and rate at a distance, by the constants of the kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slicing_gym import Scenario
from slicing_gym.physics import compile_physics

FloatArray = npt.NDArray[np.float64]

SPEED_OF_LIGHT = 299_792_458.0  # m/s

_RINGS = 200
_FADES = 1000


@dataclass(frozen=True)
class LinkBudget:
    """The link of one user at a distance.

    Args:
        distance_m: from the antenna [m].
        nearer: share of the users that are nearer.
        path_loss_db: [dB].
        unit_snr_db: mean SNR over one unit [dB]; over one resource block where a unit holds none.
        band_snr_db: mean SNR over the whole band, which the user has alone [dB].
        unit_efficiency: mean over fading of what one unit carries, all layers together [bit/s/Hz].
        band_efficiency: the same of the whole band [bit/s/Hz].
        rate_bps: of the user alone in the whole band, mean over fading [bit/s].
    """

    distance_m: float
    nearer: float
    path_loss_db: float
    unit_snr_db: float
    band_snr_db: float
    unit_efficiency: float
    band_efficiency: float
    rate_bps: float


class Link:
    """Rates of users of a scenario, by the formula and the constants that the simulator's kernel has.

    Args:
        scenario: whose radio it is.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.radio = scenario.radio
        self._physics = compile_physics(scenario)
        self.band_blocks = self.blocks(scenario.num_units)
        self.most_blocks = self.blocks(scenario.num_units - scenario.num_slices + 1)
        share = (np.arange(_RINGS) + 0.5) / _RINGS
        self._distances = [self.distance_m(each) for each in share]

    def blocks(self, units: int) -> int:
        """Resource blocks that so many units hold."""
        return int(self._physics.blocks_of_units[units])

    def distance_m(self, nearer: float) -> float:
        """Distance [m] that a share of the users is nearer than: they are uniform over the area of the ring."""
        inner, outer = self.radio.min_distance_m**2, self.radio.cell_radius_m**2
        return math.sqrt(inner + nearer * (outer - inner))

    def snr_db(self, distance_m: float, blocks: int) -> float:
        """Mean SNR [dB] of a user that holds so many blocks, 1 or more."""
        return self.radio.mean_snr_db_hz(distance_m) + 10.0 * math.log10(self._physics.per_hz[blocks])

    def efficiency(self, distances_m: Sequence[float], blocks: int) -> FloatArray:
        """What so many blocks carry at some distances, all layers together, mean over fading [bit/s/Hz] (distances,).

        Fading is exponential (Rayleigh): the mean is that of its quantiles.
        """
        if blocks == 0:
            return np.zeros(len(distances_m))
        fading = -np.log1p(-(np.arange(_FADES) + 0.5) / _FADES)
        snr = np.array([10.0 ** (self.snr_db(each, blocks) / 10.0) for each in distances_m])
        sinr = np.minimum(1.0 + fading * snr[:, None], self._physics.highest_sinr)
        found: FloatArray = self._physics.layer_gain * np.log2(sinr).mean(axis=1)
        return found

    def mean_efficiency(self) -> float:
        """What the whole band carries for one user at a time, mean over fading and users [bit/s/Hz]."""
        return float(self.efficiency(self._distances, self.band_blocks).mean())

    def rate_bps(self, distance_m: float, blocks: int) -> float:
        """Rate of a user that holds so many blocks, mean over fading [bit/s]."""
        return blocks * self._physics.block_hz * float(self.efficiency([distance_m], blocks)[0])

    def capacity_bps(self, blocks: int) -> float:
        """What so many blocks carry, were they always filled, and all users to have the same rate [bit/s].

        They serve one user at a time, so this is the harmonic mean of the users' rates.
        """
        if blocks == 0:
            return 0.0
        with np.errstate(divide="ignore"):
            slowness = 1.0 / self.efficiency(self._distances, blocks)
        return float(blocks * self._physics.block_hz / slowness.mean())


def free_space_loss_db(distance_m: float, carrier_hz: float) -> float:
    """Path loss of free space [dB]: 20 log10(4 pi d f / c) (Friis; Rec. ITU-R P.525).

    Args:
        distance_m: between the antennas [m].
        carrier_hz: frequency [Hz].
    """
    return 20.0 * math.log10(4.0 * math.pi * distance_m * carrier_hz / SPEED_OF_LIGHT)


def link_budget(scenario: Scenario, shares: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0)) -> list[LinkBudget]:
    """The link at the distances that shares of the users are nearer than; by default the nearest, quartiles, the edge.

    Args:
        scenario: whose radio it is.
        shares: from 0 to 1.

    Returns:
        A budget for each share.
    """
    link = Link(scenario)
    unit = max(link.blocks(1), 1)
    found = []
    for share in shares:
        distance = link.distance_m(share)
        found.append(
            LinkBudget(
                distance_m=distance,
                nearer=share,
                path_loss_db=link.radio.path_loss_db(distance),
                unit_snr_db=link.snr_db(distance, unit),
                band_snr_db=link.snr_db(distance, link.band_blocks),
                unit_efficiency=float(link.efficiency([distance], unit)[0]),
                band_efficiency=float(link.efficiency([distance], link.band_blocks)[0]),
                rate_bps=link.rate_bps(distance, link.band_blocks),
            )
        )
    return found
