"""Students of trained agents (the paper's Fig. 8): `distill(teachers, ...)`, and the command over it."""

from experiments.distill.report import StudentResult
from experiments.distill.run import Distillation, DistillResult, distill
from experiments.distill.settings import Settings

__all__ = ["DistillResult", "Distillation", "Settings", "StudentResult", "distill"]
