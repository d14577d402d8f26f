"""How fast simulator, twin, training and decisions are, as ratios of one run: functions that print, and the command."""

from experiments.benchmark.batches import time_batches
from experiments.benchmark.decision import time_decision
from experiments.benchmark.gpu import time_gpu
from experiments.benchmark.simulator import time_simulator
from experiments.benchmark.timing import alternate, paced, single_calls
from experiments.benchmark.training import time_training
from experiments.benchmark.twin import time_twin
from experiments.benchmark.twin_phase import time_twin_phase

__all__ = [
    "alternate",
    "paced",
    "single_calls",
    "time_batches",
    "time_decision",
    "time_gpu",
    "time_simulator",
    "time_training",
    "time_twin",
    "time_twin_phase",
]
