"""Training with a twin or without (Algorithm 1, Figs. 5 and 6): `train(make, ...)`, and the command over it."""

from experiments.config.schemas import EvaluationSettings
from experiments.train.callbacks import Listener
from experiments.train.result import TrainResult, read_result
from experiments.train.run import Training, train
from experiments.train.settings import Algorithm1Settings, Settings

__all__ = [
    "Algorithm1Settings",
    "EvaluationSettings",
    "Listener",
    "Settings",
    "TrainResult",
    "Training",
    "read_result",
    "train",
]
