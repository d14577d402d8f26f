"""Short settings of learning from a history."""

from __future__ import annotations

from experiments.config.schemas import EvaluationSettings
from experiments.offline import Algorithm2Settings, EstimateSettings, Settings


def offline_settings(policies=("hard",), seeds=(100, 101), **changes):
    """Four times through the history, and some steps in a twin."""
    algorithm = {"epochs": 4, "twin_decisions": 256, "num_envs": 32, "selection_cells": 4, "selection_decisions": 5}
    algorithm |= {key: changes.pop(key) for key in list(changes) if hasattr(Algorithm2Settings, key)}
    return Settings(
        progress=False,
        algorithm=Algorithm2Settings(**algorithm),
        estimate=EstimateSettings(epochs=2),
        evaluation=EvaluationSettings(policies=list(policies), seeds=list(seeds), decisions=6),
        **{"checkpoint_s": 1000.0, **changes},
    )
