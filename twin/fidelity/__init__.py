"""How far a twin can be trusted: scores, evaluation on held-out runs, free-running rollouts, simulated cells.

`Evaluator`, `NoiseFloor`, `HeldOut` and `SimulatedCell` bring in PyTorch when they are asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from twin.fidelity.rollout import Rollout
from twin.fidelity.scores import crps, density_nll, r_squared, rank_correlation, wasserstein

_WITH_TORCH = {
    "Evaluator": "twin.fidelity.evaluator",
    "HeldOut": "twin.fidelity.simulated",
    "NoiseFloor": "twin.fidelity.evaluator",
    "SimulatedCell": "twin.fidelity.simulated",
}

__all__ = [
    "Evaluator",
    "HeldOut",
    "NoiseFloor",
    "Rollout",
    "SimulatedCell",
    "crps",
    "density_nll",
    "r_squared",
    "rank_correlation",
    "wasserstein",
]


def __getattr__(name: str) -> Any:
    if name not in _WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WITH_TORCH[name]), name)
