"""How far a twin can be trusted: `fidelity(twin, scenario)`, `fidelity(twin, history=...)`, and the command."""

from experiments.fidelity.evaluation import Outcome
from experiments.fidelity.report import as_table, write_figures
from experiments.fidelity.run import FidelityResult, fidelity
from experiments.fidelity.settings import Settings
from experiments.fidelity.verdict import Verdict

__all__ = ["FidelityResult", "Outcome", "Settings", "Verdict", "as_table", "fidelity", "write_figures"]
