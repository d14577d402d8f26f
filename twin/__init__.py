"""Digital twins of slicing networks: histories, models learned from them, and environments on the models.

Importing registers `SliceTwin-v0`. Fitting needs PyTorch; loading and stepping a twin do without.
"""

from twin.data.columns import ARRIVALS, PERFORMANCE, SPECTRAL_EFFICIENCY, SSR, Column, Control
from twin.data.history import History, concatenate
from twin.data.layout import Layout
from twin.data.logs import LogMapping, LogWarning, read_log
from twin.data.recorder import BLOCKED, QUEUED, Recorder, RecordHistory, RecordHistoryVector
from twin.env import SliceTwinEnv, SliceTwinVectorEnv
from twin.inspection import Finding, Inspection, inspect_log
from twin.models import (
    AutoregressiveSettings,
    LstmSettings,
    PerformanceSettings,
    TrainingSettings,
    TransformerSettings,
    TransitionSettings,
    register_transition,
    transition_kinds,
)
from twin.planning import PlanningTwin
from twin.registration import register_twin
from twin.runtime.cells import TwinCells, TwinInterval
from twin.runtime.model import Prediction
from twin.twin import DigitalTwin

__all__ = [
    "ARRIVALS",
    "BLOCKED",
    "PERFORMANCE",
    "QUEUED",
    "SPECTRAL_EFFICIENCY",
    "SSR",
    "AutoregressiveSettings",
    "Column",
    "Control",
    "DigitalTwin",
    "Finding",
    "History",
    "Inspection",
    "Layout",
    "LogMapping",
    "LogWarning",
    "LstmSettings",
    "PerformanceSettings",
    "PlanningTwin",
    "Prediction",
    "RecordHistory",
    "RecordHistoryVector",
    "Recorder",
    "SliceTwinEnv",
    "SliceTwinVectorEnv",
    "TrainingSettings",
    "TransformerSettings",
    "TransitionSettings",
    "TwinCells",
    "TwinInterval",
    "concatenate",
    "inspect_log",
    "read_log",
    "register_transition",
    "register_twin",
    "transition_kinds",
]


register_twin()
