"""Models that predict: kinds of transition, the performance ensemble, mixtures, and their settings.

Importing registers the package's kinds of transition. `EnsembleNetwork`, `Mixture` and `TransitionEnsemble` bring in
PyTorch when they are asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from twin.models.autoregressive import AutoregressiveSettings
from twin.models.lstm import LstmSettings
from twin.models.registry import register_transition, transition_kinds
from twin.models.settings import PerformanceSettings, TrainingSettings, TransitionSettings
from twin.models.transformer import TransformerSettings

_WITH_TORCH = {
    "EnsembleNetwork": "twin.models.performance",
    "Mixture": "twin.models.mixture",
    "TransitionEnsemble": "twin.models.transition",
}

__all__ = [
    "AutoregressiveSettings",
    "EnsembleNetwork",
    "LstmSettings",
    "Mixture",
    "PerformanceSettings",
    "TrainingSettings",
    "TransformerSettings",
    "TransitionEnsemble",
    "TransitionSettings",
    "register_transition",
    "transition_kinds",
]


def __getattr__(name: str) -> Any:
    if name not in _WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WITH_TORCH[name]), name)
