"""The best fixed allocation of a scenario: searched once on common random numbers, then remembered on disk."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from slicing_gym import Scenario, Simulator, even_split
from slicing_gym.allocation_search import best_allocations
from slicing_gym.files import atomic_write
from slicing_gym.reading import parsing, read_json

SEARCH_VERSION = 1
"""Changes whenever the physics or the search does, so that no stale allocation is used."""

_FIRST_SEED = 1_000_000  # far from the seeds that policies are evaluated on
_CELLS = 96
_CELLS_AT_ONCE = 8  # more would take memory and no less time
_INTERVALS = 20

IntArray = npt.NDArray[np.int64]


def cache_folder() -> Path:
    """Where searched allocations are kept: `$SLICING_GYM_CACHE`, or `slicing-gym` in the user's cache folder."""
    chosen = os.environ.get("SLICING_GYM_CACHE")
    if chosen:
        return Path(chosen)
    folder = os.environ.get("XDG_CACHE_HOME")
    if not folder:
        try:
            folder = str(Path.home() / ".cache")
        except RuntimeError:  # this user has no home
            folder = os.devnull  # in which nothing can be
    return Path(folder) / "slicing-gym"


def cache_path(scenario: Scenario) -> Path:
    """Where the scenario's best fixed allocation is, or will be."""
    return cache_folder() / f"best_fixed_{scenario_digest(scenario)}.json"


def scenario_digest(scenario: Scenario) -> str:
    """A name for all that bears on the utility of an allocation: everything but the scenario's name and reward kind."""
    settings = scenario.to_dict()
    del settings["name"]
    settings["reward"] = {"se_weight": settings["reward"]["se_weight"]}
    text = json.dumps([SEARCH_VERSION, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def best_fixed_allocation(scenario: Scenario, num_threads: int = 1) -> IntArray:
    """The allocation (n_slices,) of highest mean utility when held for ever, from the cache if it is there.

    Each allocation is held for 20 intervals in 96 cells, in each from another moment of the episode on, all
    with common random numbers. On one core some 12 s for `paper`, a minute for `nr-8slices`.

    Args:
        scenario: whose cells it is held in.
        num_threads: of the search.
    """
    path = cache_path(scenario)
    with suppress(OSError, ValueError), parsing("best_fixed", path):  # not there, or damaged: search
        units = np.array(read_json("best_fixed", path, ["units"])["units"], np.int64)
        if units.shape == (scenario.num_slices,) and units.sum() == scenario.num_units and units.min() >= 1:
            return units
    units = search(scenario, num_threads)
    try:
        with atomic_write(path) as file:
            file.write(json.dumps({"scenario": scenario.name, "units": units.tolist()}).encode())
    except OSError as error:
        warnings.warn(
            f"best_fixed: {str(path)!r} cannot be written ({error.strerror or error}), so it will be searched again; "
            "SLICING_GYM_CACHE=<a folder that can be written> keeps it",
            RuntimeWarning,
            stacklevel=2,
        )
    return units


def search(scenario: Scenario, num_threads: int = 1) -> IntArray:
    """As `best_fixed_allocation`, always searched."""
    hard = even_split(scenario.num_units, scenario.num_slices)
    total = np.zeros((1, scenario.num_slices, scenario.num_units - scenario.num_slices + 1))
    for first in range(0, _CELLS, _CELLS_AT_ONCE):
        numbers = np.arange(first, min(first + _CELLS_AT_ONCE, _CELLS))
        cells = Simulator(scenario, [_FIRST_SEED + int(number) for number in numbers], num_threads)
        decisions = 1 + numbers * scenario.decisions_per_episode // _CELLS
        for decision in range(decisions.max()):
            cells.advance(hard, np.flatnonzero(decision < decisions))
        total += sum(held.values.sum(axis=0) for held in cells.what_if_slices(intervals=_INTERVALS))
    units, _ = best_allocations(total, scenario.num_units)
    best: IntArray = units[0]
    return best
