"""From configurations to typed settings, and from settings to scenario, twin and agents."""

from experiments.config.bounds import bounded, check_bounds
from experiments.config.schemas import (
    AgentSettings,
    EnvironmentSettings,
    EvaluationSettings,
    PlannerSettings,
    TwinTrainingSettings,
)

__all__ = [
    "AgentSettings",
    "EnvironmentSettings",
    "EvaluationSettings",
    "PlannerSettings",
    "TwinTrainingSettings",
    "bounded",
    "check_bounds",
]
