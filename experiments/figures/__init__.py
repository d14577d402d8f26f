"""Pictures of finished runs: convergence, headroom, learning from a history, regret."""

from experiments.figures.headroom import draw_headroom
from experiments.offline.figure import draw_offline
from experiments.regret import draw_regret
from experiments.train.convergence import draw_convergence

__all__ = ["draw_convergence", "draw_headroom", "draw_offline", "draw_regret"]
