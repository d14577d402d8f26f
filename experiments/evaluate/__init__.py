"""Policies compared on the same cells: `evaluate(policies, scenario)`, and the command over it."""

from experiments.evaluate.origin import from_elsewhere, trained_in
from experiments.evaluate.policies import check_policies, load_policies, load_policy
from experiments.evaluate.report import as_table, headroom, write_csv
from experiments.evaluate.rollout import Evaluation, Predictor, compare, evaluate_policy, make_cells
from experiments.evaluate.run import EvaluationResult, evaluate
from experiments.evaluate.settings import Settings

__all__ = [
    "Evaluation",
    "EvaluationResult",
    "Predictor",
    "Settings",
    "as_table",
    "check_policies",
    "compare",
    "evaluate",
    "evaluate_policy",
    "from_elsewhere",
    "headroom",
    "load_policies",
    "load_policy",
    "make_cells",
    "trained_in",
    "write_csv",
]
