"""Whether a file chooses as its policy does: states to compare on, and how many choices agree."""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.base_class import BaseAlgorithm

from agents import SlicePolicy
from agents.hooks import action_values, taken_values
from agents.student import StudentPolicy
from experiments.evaluate.rollout import make_cells, states_met
from experiments.export.source import Source
from slicing_gym import ArrivalsObserver, Scenario, allocation_index
from slicing_gym.progress import ProgressBar
from slicing_gym.space_spec import SpaceSpec

FloatArray = npt.NDArray[np.float64]

CELLS = 20
"""In which states are met under the policy."""

MET = "met in the simulator"
"""What the states there are called."""

TIE = 1e-5
"""Values that differ by less, relative to the first where that is above 1, are equal but for the rounding of sums."""

_CHUNK = 500


@dataclass(frozen=True)
class Agreement:
    """How a file's choices compare with the policy's, in numbers of states.

    Args:
        equal: the same allocation.
        ties: another one that the policy values the same, but for rounding.
        wrong: another one.
        example: the arrivals of a wrong choice, if there is one.
    """

    equal: int
    ties: int
    wrong: int
    example: tuple[float, ...] | None = None


def agreement_of(source: Source, deployed: SlicePolicy, states: FloatArray, progress: bool = False) -> Agreement:
    """Let file and policy choose for arrivals (n, n_slices); where they differ, ask the policy what both are worth."""
    counts, example = np.zeros(3, np.int64), None
    network = source.policy if isinstance(source.policy, StudentPolicy) else action_values(source.policy)
    for part in ProgressBar(np.array_split(states, -(-len(states) // _CHUNK)), desc="comparing", disable=not progress):
        chosen, other = choose(source.policy, source.scenario, part), allocation_index(deployed.units(part))
        rows = np.flatnonzero(chosen != other)
        seen = torch.as_tensor(observed(source.policy, source.scenario, part[rows]))
        with torch.no_grad():
            wanted, found = (
                taken_values(network, seen, torch.as_tensor(each[rows])).double().numpy() for each in (chosen, other)
            )
        tied = np.abs(wanted - found) <= TIE * np.maximum(1.0, np.abs(wanted))
        counts += len(part) - len(rows), tied.sum(), (~tied).sum()
        if example is None and not tied.all():
            example = tuple(part[rows[~tied][0]].tolist())
    equal, ties, wrong = counts.tolist()
    return Agreement(equal, ties, wrong, example)


def choose(policy: BaseAlgorithm | StudentPolicy, scenario: Scenario, arrivals: FloatArray) -> npt.NDArray[np.int64]:
    """The policy's actions (n,) for arrivals (n, n_slices)."""
    return np.asarray(policy.predict(observed(policy, scenario, arrivals), deterministic=True)[0], np.int64)


def observed(
    policy: BaseAlgorithm | StudentPolicy, scenario: Scenario, arrivals: FloatArray
) -> npt.NDArray[np.float32]:
    """What the policy sees (n, n_slices) of arrivals (n, n_slices), up to where its space ends."""
    space = policy.observation_space
    assert isinstance(space, gym.spaces.Box)
    everything = SpaceSpec(scenario, observer=ArrivalsObserver(highest=None)).observe(arrivals)
    return np.minimum(everything, space.high)


def states_by_origin(source: Source, number: int, seed: int) -> dict[str, FloatArray]:
    """Arrivals (n, n_slices) to compare on: a third of the history, a third met in the simulator, the rest random.

    None are met where nothing but a history says what the network is: its traffic would be a guess.
    """
    generator = np.random.default_rng(seed)
    states = {}
    if source.history is not None:
        seen = np.unique(np.concatenate([source.history.arrivals, source.history.next_arrivals]), axis=0)
        states["of the history"] = generator.permutation(seen)[: number // 3].astype(np.float64)
    if source.simulated:
        states[MET] = met_states(source, number // 3, seed)
    left = number - sum(map(len, states.values()))
    return states | {"random": random_states(source.scenario, left, generator)}


def met_states(source: Source, number: int, seed: int) -> FloatArray:
    """Arrivals (number, n_slices) that the policy meets in the simulator, in `CELLS` cells.

    Args:
        source: policy and scenario.
        number: of states.
        seed: of the first cell.
    """
    seeds = list(range(seed, seed + CELLS))
    met = states_met(source.policy, make_cells(source.scenario, CELLS), seeds, number)[:number]
    return np.rint(met.astype(np.float64) * source.scenario.nominal_arrivals)  # counts, as they were observed


def random_states(scenario: Scenario, number: int, generator: np.random.Generator) -> FloatArray:
    """Arrivals (number, n_slices) from none to as many as there can be, all orders of magnitude alike."""
    exponents = generator.random((number, scenario.num_slices)) * np.log(scenario.largest_arrivals + 1.0)
    return np.floor(np.exp(exponents)) - 1.0


def trained_range(source: Source, met: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Smallest and largest arrivals (n_slices,) of the history, or where there is none of what the policy `met`."""
    seen = met
    if source.history is not None:
        seen = np.concatenate([source.history.arrivals, source.history.next_arrivals]).astype(np.float64)
    assert seen is not None  # what has no history is simulated
    return seen.min(axis=0), seen.max(axis=0)
