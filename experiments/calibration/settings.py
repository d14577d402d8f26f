"""Settings of a comparison of twins after the traffic has changed, and what the command takes in addition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from experiments.config.bounds import MAX_DECISIONS, bounded
from experiments.fidelity.settings import CellSettings
from twin.models.settings import NEURAL_DECISIONS


@dataclass
class Settings(CellSettings):
    """A comparison of twins after the traffic has changed; see also `CellSettings`.

    The decisions are those before the change; the held-out runs are episodes after it.

    Args:
        fresh: numbers of random decisions after the change, that the twin is calibrated on.
    """

    fresh: list[int] = bounded(
        factory=lambda: [100, 200, 400, 1_000, 2_000, 4_000],
        at_least=NEURAL_DECISIONS,
        at_most=MAX_DECISIONS,
        distinct=True,
        filled=True,
    )


@dataclass
class CalibrationConfig(Settings):
    """`conf/calibration.yaml`.

    Args:
        change: what becomes of the scenario, as `Scenario.replace` takes it.
        imports: modules of the user's own, which may register transitions of twins.
    """

    scenario: dict[str, Any] = field(default_factory=dict)
    change: dict[str, Any] = field(default_factory=dict)
    twin: dict[str, Any] = field(default_factory=dict)
    imports: list[str] = field(default_factory=list)
