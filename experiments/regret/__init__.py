"""What runs lose while they learn, against baselines on the same cells, from the first decision on: `draw_regret`."""

from experiments.regret.courses import Course, courses_of
from experiments.regret.references import References
from experiments.regret.run import draw_regret

__all__ = ["Course", "References", "courses_of", "draw_regret"]
