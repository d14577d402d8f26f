"""What baselines earn decision by decision on the cells of runs, computed once and kept next to the runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agents import make_baseline
from agents.search import scenario_digest
from experiments.evaluate.rollout import make_cells, roll_out
from slicing_gym import Scenario
from slicing_gym.files import atomic_write
from slicing_gym.reading import read_arrays

FloatArray = npt.NDArray[np.float64]

REFERENCES = ("best_fixed", "proportional", "one_step_oracle")
"""Baselines that runs are compared with on the cells they learned on."""


class References:
    """Baselines on cells of one scenario.

    What a cell draws does not depend on decisions, so a run and a baseline meet the same arrivals and channels in the
    cell of one seed. As fewer decisions are the first of more, the longest course of each cell is all that is kept.

    Args:
        scenario: of the cells.
        folder: where a file with the courses is, or will be; its name has a digest of the scenario.
        progress: show bars.
    """

    def __init__(self, scenario: Scenario, folder: Path, progress: bool = True) -> None:
        self._scenario, self._progress = scenario, progress
        self.path = folder / f"references_{scenario.name}_{scenario_digest(scenario)}.npz"
        self._known = _read(self.path)

    def prepare(self, decisions: Mapping[int, int]) -> None:
        """Compute what is not known yet; the file is written each time that a baseline is through.

        Args:
            decisions: how many are needed, by seed of the cell.
        """
        for policy in REFERENCES:
            missing: dict[int, list[int]] = defaultdict(list)
            for seed, number in sorted(decisions.items()):
                if len(self._known.get(_key(policy, seed), ())) < number:
                    missing[number].append(seed)
            for number, seeds in missing.items():
                self._compute(policy, seeds, number)

    def _compute(self, policy: str, seeds: Sequence[int], decisions: int) -> None:
        """Run a baseline, one cell per seed, and write all that is known."""
        cells = make_cells(self._scenario, len(seeds))
        chosen = make_baseline(policy, self._scenario, cells)
        label = f"{self._scenario.name}: {policy}"
        found = roll_out(label, chosen, cells, seeds, decisions, self._progress)["utility"]
        self._known |= {_key(policy, seed): found[:, place] for place, seed in enumerate(seeds)}
        with atomic_write(self.path) as file:
            np.savez_compressed(file, **self._known)  # type: ignore[arg-type]

    def utility(self, policy: str, seed: int, decisions: int) -> FloatArray:
        """Utility (decisions,) of a baseline's first decisions in a cell; `prepare` has to have been asked for them."""
        return self._known[_key(policy, seed)][:decisions]


def _key(policy: str, seed: int) -> str:
    return f"{policy} {seed}"


def _read(path: Path) -> dict[str, FloatArray]:
    """What a file has; nothing if there is none, or a damaged one."""
    try:
        found = read_arrays("references", path, "is damaged")
        return {name: np.asarray(values, np.float64) for name, values in found.items()}
    except (OSError, ValueError):
        return {}
