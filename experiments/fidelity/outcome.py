"""What came of judging one twin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.fidelity.measures import Measure
from twin import DigitalTwin
from twin.fidelity.rollout import Rollout

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What came of one twin.

    Args:
        measures: its figures.
        rollout: it left alone for a while, from many places.
        utilities: of the ranked allocations, in the network and in the twin (n,) each; None without a simulator.
        twin: it.
    """

    measures: list[Measure]
    rollout: Rollout
    utilities: tuple[FloatArray, FloatArray] | None
    twin: DigitalTwin
