"""Small twins for tests, fitted once a run."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import torch

from slicing_gym import Scenario, get_scenario
from twin import (
    BLOCKED,
    PERFORMANCE,
    QUEUED,
    DigitalTwin,
    History,
    LstmSettings,
    PerformanceSettings,
    TrainingSettings,
    TransformerSettings,
)
from twin.fidelity.simulated import SimulatedCell
from twin.runtime import storage

SMALL = {
    "lstm": LstmSettings(members=2, memory_size=16, hidden_size=16, components=3),
    "transformer": TransformerSettings(members=2, width=16, layers=2, heads=2, context=8, components=3),
}
ALL_COLUMNS = (*PERFORMANCE, QUEUED, BLOCKED)
FIELDS = ("run", "interval", "allocation", "arrivals", "next_arrivals")
ENSEMBLE = PerformanceSettings(members=3, hidden_size=16, components=2, structure="joint")
JOINT = PerformanceSettings(structure="joint")


def small_twin(history: History, transition: str = "lstm", epochs: int = 3, seed: int = 0) -> DigitalTwin:
    """A twin that is fitted in a second, and rough."""
    torch.set_num_threads(1)
    return DigitalTwin(SMALL[transition], ENSEMBLE, TrainingSettings(max_epochs=epochs), seed).fit(history)


def cold_twin(history: History, seed: int = 0) -> DigitalTwin:
    """A twin that is fitted in closed form."""
    return DigitalTwin("autoregressive", PerformanceSettings(structure="per_slice"), seed=seed).fit(history)


def without_range(twin: DigitalTwin) -> bytes:
    """The file of a twin as it was before files held what the fit covered."""
    contents = storage.parse(twin.to_bytes())
    return storage.dump(contents._replace(model=replace(contents.model, coverage=None)))


@cache
def history_of(name: str, decisions: int = 400, seed: int = 0) -> History:
    """Random decisions on a cell of a preset."""
    return SimulatedCell(get_scenario(name), seed).record(decisions)


@cache
def _twin_of(name: str) -> DigitalTwin:
    return small_twin(history_of(name))


def quick_twin(scenario: Scenario) -> DigitalTwin:
    """A small twin of a preset, perhaps with another reward or length of an episode."""
    twin = _twin_of(scenario.name)
    assert replace(scenario, decisions_per_episode=twin.scenario.decisions_per_episode) == twin.scenario
    return twin


def assert_same(one: History, other: History) -> None:
    """Two histories hold the same, to the bit."""
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name, strict=True)
    for group in ("performance", "controls"):
        assert list(getattr(one, group)) == list(getattr(other, group))
        for name, values in getattr(one, group).items():
            np.testing.assert_array_equal(values, getattr(other, group)[name], err_msg=name, strict=True)
    assert one.layout == other.layout


def following(decisions: int, seed: int = 0) -> tuple[History, np.ndarray]:
    """A history whose first slice is given more units, the more of its packets arrived; and the load's rank."""
    history = history_of("paper-1mhz", decisions, seed)
    rank = history.arrivals[:, 0].argsort(kind="stable").argsort(kind="stable") / decisions
    own = (3 + 10 * rank).astype(np.int64)
    rest = np.random.default_rng(seed).integers(2, 5, decisions)
    units = np.stack([own, rest, history.scenario.num_units - own - rest], axis=1)
    return replace(history, allocation=units, held=()), rank
