"""The best fixed allocation of a scenario: searched once on common random numbers, then remembered on disk."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from slicing_gym import Scenario, Simulator, allocation_table
from slicing_gym.files import atomic_write

SEARCH_VERSION = 1
"""Changes whenever the physics or the search does, so that no stale allocation is used."""

_FIRST_SEED = 1_000_000  # far from the seeds that policies are evaluated on
_SCREENED_CELLS = 48  # cells on which every allocation is tried for one interval
_FINALISTS = 48  # allocations that go on
_FINAL_CELLS = 64  # cells on which these are held for a stretch
_STRETCH = 25  # decisions

IntArray = npt.NDArray[np.int64]


def cache_folder() -> Path:
    """Where searched allocations are kept: `$SLICING_GYM_CACHE`, or `slicing-gym` in the user's cache folder."""
    chosen = os.environ.get("SLICING_GYM_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slicing-gym"


def scenario_digest(scenario: Scenario) -> str:
    """A name for all that bears on the utility of an allocation: everything but the scenario's name and reward kind."""
    plain = scenario.to_dict()
    del plain["name"]
    plain["reward"] = {"se_weight": plain["reward"]["se_weight"]}
    text = json.dumps([SEARCH_VERSION, plain], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def best_fixed_allocation(scenario: Scenario, num_threads: int = 1) -> IntArray:
    """The allocation (n_slices,) of highest mean utility when held for ever, from the cache if it is there.

    Two stages on common random numbers: every allocation for one interval in 48 cells, each at another moment of the
    round; then the best 48 for 25 intervals in 64 cells. About 20 s for 4851 allocations on one core.
    """
    path = cache_folder() / f"best_fixed_{scenario_digest(scenario)}.json"
    try:
        units = np.array(json.loads(path.read_text())["units"], np.int64)
        if units.shape == (scenario.num_slices,) and units.sum() == scenario.num_units and units.min() >= 1:
            return units
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there, or damaged: search
    units = search(scenario, num_threads)
    with atomic_write(path) as file:
        file.write(json.dumps({"scenario": scenario.name, "units": units.tolist()}).encode())
    return units


def search(scenario: Scenario, num_threads: int = 1) -> IntArray:
    """As `best_fixed_allocation`, always searched."""
    table = allocation_table(scenario.num_units, scenario.num_slices)
    screened = np.zeros(len(table))
    for number in range(_SCREENED_CELLS):
        screened += _cell(scenario, number, _SCREENED_CELLS, num_threads).what_if(table).utility
    finalists = table[np.argsort(-screened, kind="stable")[:_FINALISTS]]
    means = np.zeros(len(finalists))
    for number in range(_FINAL_CELLS):
        cell = _cell(scenario, _SCREENED_CELLS + number, _FINAL_CELLS, num_threads)
        cells = cell.clone(np.zeros(len(finalists), np.int64))
        for _ in range(_STRETCH):
            means += cells.advance(finalists).utility
    best: IntArray = finalists[means.argmax()]
    return best


def _cell(scenario: Scenario, number: int, of: int, num_threads: int) -> Simulator:
    """A cell of its own, at another moment of the round than the others of its stage."""
    cell = Simulator(scenario, [_FIRST_SEED + number], num_threads)
    for _ in range(1 + number % of * scenario.decisions_per_round // of):
        cell.warm_up()
    return cell
