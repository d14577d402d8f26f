"""Learning from a fixed history (Algorithm 2, Fig. 9): `offline(make, history)`, and the command over it."""

from experiments.config.schemas import EvaluationSettings
from experiments.offline.histories import make_history, record_history
from experiments.offline.run import OfflineResult, OfflineTraining, offline
from experiments.offline.settings import Algorithm2Settings, EstimateSettings, Settings

__all__ = [
    "Algorithm2Settings",
    "EstimateSettings",
    "EvaluationSettings",
    "OfflineResult",
    "OfflineTraining",
    "Settings",
    "make_history",
    "offline",
    "record_history",
]
