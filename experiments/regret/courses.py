"""Courses: the utility of each decision of a run, and of baselines on the same cells, and the figures of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.regret.references import REFERENCES, References
from experiments.runs.folder import Run
from experiments.runs.stored import looked_up
from slicing_gym import Scenario
from slicing_gym.reward import utility

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Course:
    """What one method earned in one cell, decision by decision.

    Args:
        method: its name.
        seed: of the cell.
        utility: of each decision (n,).
        best_fixed, proportional, oracle: of these baselines in the same cell (n,).
        unseen: mean utility in the end on cells that it did not learn on.
        unseen_oracle: the one-step oracle's on those cells.
    """

    method: str
    seed: int
    utility: FloatArray
    best_fixed: FloatArray
    proportional: FloatArray
    oracle: FloatArray
    unseen: float
    unseen_oracle: float

    @property
    def decisions(self) -> int:
        """How many it took."""
        return len(self.utility)

    def figures(self, scenario: Scenario) -> dict[str, float]:
        """Its figures by name; nan where it took too few decisions. Regrets are sums over decisions [U]."""
        length = scenario.decisions_per_episode
        first, lost = self.utility[:length], self.oracle - self.utility
        later = float(lost[length:].sum()) if self.decisions > length else float("nan")
        others = float((self.oracle - self.proportional)[length:].sum())
        return {
            "u_1_10": self._mean(0, 10),
            "u_11_50": self._mean(10, 50),
            "u_101_200": self._mean(100, 200),
            "u_episode_1": self._mean(0, length),
            "share_at_c_max": float((first >= scenario.reward.threshold_end).mean()),
            "u_last_episode": self._mean(self.decisions - length, self.decisions),
            "regret_best_fixed": float((self.best_fixed - self.utility).sum()),
            "regret_oracle": float(lost.sum()),
            "regret_oracle_later": later,
            "of_proportional": later / others if others else float("nan"),
            "u_unseen": self.unseen,
            "below_oracle_unseen": self.unseen_oracle - self.unseen,
        }

    def _mean(self, start: int, stop: int) -> float:
        return float(self.utility[start:stop].mean()) if start >= 0 and stop <= self.decisions else float("nan")


@dataclass(frozen=True)
class UnseenCells:
    """On which a run was evaluated: seeds of cells, and decisions in each."""

    seeds: tuple[int, ...]
    decisions: int

    @classmethod
    def of(cls, run: Run, scenario: Scenario) -> UnseenCells:
        """Those of a run."""
        seeds, decisions = run.setting("evaluation.seeds"), run.setting("evaluation.decisions")
        return cls(tuple(seeds), decisions or scenario.decisions_per_episode)

    def utility(self, policy: str, references: References) -> float:
        """What a baseline earns there: the mean over cells."""
        return float(np.mean([references.utility(policy, seed, self.decisions) for seed in self.seeds]))


def courses_of(runs: Sequence[Run], scenario: Scenario, references: References) -> list[Course]:
    """The courses of runs of one scenario, then those of the baselines, for each number of decisions that runs took.

    Args:
        runs: finished ones of `experiments.train`.
        scenario: of them all.
        references: what baselines earn, as far as that is known already.

    Raises:
        ValueError: a run was made in other cells than those of today's simulator, or in several at once.
    """
    for run in runs:
        number = looked_up(run.summary, "config.num_envs") or 1
        if number > 1:
            raise ValueError(
                f"folder: the run in {str(run.folder)!r} learned in {number} cells at once, allowed is 1: a course is "
                "what came of the decisions in one cell"
            )
    earned = [utility_of(run, scenario) for run in runs]
    unseen = [UnseenCells.of(run, scenario) for run in runs]
    references.prepare(_needed(runs, earned, unseen))
    labels = _labels(runs)
    courses = []
    for run, own, cells, label in zip(runs, earned, unseen, labels, strict=True):
        known = _beside(references, run.seed, len(own))
        _check_cell(run, known["best_fixed"])
        final = float(run.summary["utility"])
        oracle = cells.utility("one_step_oracle", references)
        courses.append(Course(label, run.seed, own, unseen=final, unseen_oracle=oracle, **known))
    met = {(len(own), run.seed): cells for run, own, cells in zip(runs, earned, unseen, strict=True)}
    for policy in REFERENCES:
        for (decisions, seed), cells in sorted(met.items(), key=lambda item: item[0]):
            known = _beside(references, seed, decisions)
            final, oracle = (cells.utility(each, references) for each in (policy, "one_step_oracle"))
            own = references.utility(policy, seed, decisions)
            courses.append(Course(policy, seed, own, unseen=final, unseen_oracle=oracle, **known))
    return courses


def utility_of(run: Run, scenario: Scenario) -> FloatArray:
    """Utility of every real decision of a run (n,)."""
    history = run.history()
    return utility(scenario, history.spectral_efficiency, history.ssr)


def _needed(runs: Sequence[Run], earned: Sequence[FloatArray], unseen: Sequence[UnseenCells]) -> dict[int, int]:
    """Decisions that are needed of each baseline, by seed of the cell."""
    needed: dict[int, int] = defaultdict(int)
    for run, own, cells in zip(runs, earned, unseen, strict=True):
        for seed, decisions in [(run.seed, len(own)), *((seed, cells.decisions) for seed in cells.seeds)]:
            needed[seed] = max(needed[seed], decisions)
    return needed


def _beside(references: References, seed: int, decisions: int) -> dict[str, FloatArray]:
    """What a course is compared with."""
    names = ("best_fixed", "proportional", "oracle")
    return {name: references.utility(policy, seed, decisions) for name, policy in zip(names, REFERENCES, strict=True)}


def _labels(runs: Sequence[Run]) -> list[str]:
    """Methods of runs, with the head where one method has several."""
    heads = defaultdict(set)
    for run in runs:
        heads[run.method].add(run.group[1])
    return [run.method if len(heads[run.method]) == 1 else f"{run.method} ({run.group[1]})" for run in runs]


def _check_cell(run: Run, best_fixed: FloatArray) -> None:
    """Refuse a run whose cell was another than that of the baselines."""
    said, found = float(run.summary["best_fixed_on_own_cell"]), float(best_fixed.mean())
    if not np.isclose(said, found, rtol=0.0, atol=1e-6):
        raise ValueError(
            f"folder: the run in {str(run.folder)!r} has a best_fixed_on_own_cell of {said:.6f}, today's simulator "
            f"gives {found:.6f}; another version made the run: train it again"
        )
