"""What was measured of cells in a decision interval, and what is computed from it: SSR, SE and utility."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym.physics import Outcome
from slicing_gym.reward import sla_satisfaction_ratio, utility
from slicing_gym.scenario import Scenario

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """What was measured of k cells with n slices in one decision interval.

    Args:
        allocation: units per slice (k, n).
        arrivals: packets that joined a queue (k, n).
        successes: packets delivered within the SLA (k, n).
        delivered: packets delivered (k, n).
        queued: packets in queues at the end (k, n).
        blocked: users whose next packet waits for room at the end (k, n).
        ssr: SLA satisfaction ratio, equation (3) (k, n).
        efficiency: each slice's share of the spectral efficiency [bit/s/Hz] (k, n).
        spectral_efficiency: equation (2), the sum of the shares [bit/s/Hz] (k,).
        utility: equations (4) and (5) (k,).
    """

    allocation: IntArray
    arrivals: IntArray
    successes: IntArray
    delivered: IntArray
    queued: IntArray
    blocked: IntArray
    ssr: FloatArray
    efficiency: FloatArray
    spectral_efficiency: FloatArray
    utility: FloatArray

    def info(self) -> dict[str, npt.NDArray[Any]]:
        """What was measured, by name; see `SliceRANEnv` for the keys."""
        return {
            "arrivals": self.arrivals,
            "allocation": self.allocation,
            "ssr": self.ssr,
            "spectral_efficiency": self.spectral_efficiency,
            "utility": self.utility,
            "queued": self.queued,
            "blocked": self.blocked,
        }


def interval_of(scenario: Scenario, allocation: IntArray, outcome: Outcome) -> Interval:
    """The outcome (k, n) of allocations (k, n) with what is computed from it."""
    arrivals, successes, delivered, queued, blocked, efficiency = outcome
    ssr = sla_satisfaction_ratio(successes, arrivals)
    total = efficiency.sum(axis=1)
    worth = utility(scenario, total, ssr)
    return Interval(allocation, arrivals, successes, delivered, queued, blocked, ssr, efficiency, total, worth)
