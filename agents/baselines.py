"""Policies that do not learn: the baselines that an agent is compared with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from agents.search import best_fixed_allocation
from slicing_gym import Scenario, Simulator, allocation_index, even_split, get_scenario
from slicing_gym.allocation import share_out
from slicing_gym.errors import unknown_name

IntArray = npt.NDArray[np.int64]


class HasSimulator(Protocol):
    """An environment that shows its cells, as `SliceRAN-v0` does (scalar: `env.unwrapped`)."""

    @property
    def simulator(self) -> Simulator:
        """The cells."""


class Policy(ABC):
    """Chooses an allocation for each observation; `predict` is that of Stable-Baselines3.

    Args:
        scenario: a preset's name or the scenario that observations come from.
    """

    def __init__(self, scenario: str | Scenario) -> None:
        self.scenario = get_scenario(scenario)

    def predict(
        self,
        observation: npt.ArrayLike,
        state: tuple[npt.NDArray[Any], ...] | None = None,
        episode_start: npt.NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[IntArray, tuple[npt.NDArray[Any], ...] | None]:
        """Actions for observations.

        Args:
            observation: float array (n_slices,) or (n, n_slices).
            state: returned as it comes.
            episode_start: not used.
            deterministic: not used.

        Returns:
            Actions () or (n,), and the state as it came.

        Raises:
            ValueError: the observation has another shape.
        """
        del episode_start, deterministic
        seen = np.asarray(observation, np.float64)
        if seen.ndim not in (1, 2) or seen.shape[-1] != self.scenario.num_slices:
            n = self.scenario.num_slices
            raise ValueError(f"observation: shape {seen.shape} given, allowed are ({n},) and (n, {n})")
        actions = self._choose(np.atleast_2d(seen))
        return (actions if seen.ndim == 2 else actions[0]), state

    @abstractmethod
    def _choose(self, observations: npt.NDArray[np.float64]) -> IntArray:
        """Actions (n,) for observations (n, n_slices)."""


class RandomPolicy(Policy):
    """Any allocation, all equally likely.

    Args:
        scenario: the scenario.
        seed: of the policy's own generator.
    """

    def __init__(self, scenario: str | Scenario, seed: int = 0) -> None:
        super().__init__(scenario)
        self._generator = np.random.default_rng(seed)

    def _choose(self, observations: npt.NDArray[np.float64]) -> IntArray:
        return self._generator.integers(self.scenario.num_allocations, size=len(observations))


class FixedPolicy(Policy):
    """Always the same allocation.

    Args:
        scenario: the scenario.
        units: what each slice gets (n_slices,).

    Raises:
        ValueError: the units are not an allocation of the scenario.
    """

    def __init__(self, scenario: str | Scenario, units: npt.ArrayLike) -> None:
        super().__init__(scenario)
        scenario = self.scenario
        given = np.asarray(units)
        if given.shape != (scenario.num_slices,) or given.sum() != scenario.num_units or given.min() < 1:
            raise ValueError(
                f"units: {given.tolist()} given, allowed are {scenario.num_slices} numbers of 1 or more "
                f"that sum to {scenario.num_units}"
            )
        self.units = given
        self._action = int(allocation_index(given))

    def _choose(self, observations: npt.NDArray[np.float64]) -> IntArray:
        return np.full(len(observations), self._action, np.int64)


class HardPolicy(FixedPolicy):
    """Hard slicing: the same for every slice.

    Args:
        scenario: a preset's name or the scenario that observations come from.
    """

    def __init__(self, scenario: str | Scenario) -> None:
        found = get_scenario(scenario)
        super().__init__(found, even_split(found.num_units, found.num_slices))


class BestFixedPolicy(FixedPolicy):
    """The fixed allocation of highest mean utility, searched in the simulator and remembered (`agents.search`).

    Args:
        scenario: a preset's name or the scenario that observations come from.
        num_threads: of the search in the simulator.
    """

    def __init__(self, scenario: str | Scenario, num_threads: int = 1) -> None:
        found = get_scenario(scenario)
        super().__init__(found, best_fixed_allocation(found, num_threads))


class ProportionalPolicy(Policy):
    """Units in proportion to the number of packets admitted in the last interval, at least one per slice.

    Their sizes do not count: a slice of few large packets gets too little.

    Args:
        scenario: a preset's name or the scenario that observations come from.
    """

    def _choose(self, observations: npt.NDArray[np.float64]) -> IntArray:
        arrivals = np.maximum(observations, 0.0) * self.scenario.nominal_arrivals
        return allocation_index(share_out(arrivals, self.scenario.num_units))


class OneStepOraclePolicy(Policy):
    """The best of all allocations for the coming interval, whose random numbers it knows (`Simulator.what_if_slices`).

    No policy that only knows the past can beat it over one interval; what it leaves in the queues is not weighed.

    Args:
        scenario: the scenario.
        env: what shows the cells: `SliceRANEnv`, `SliceRANVectorEnv`, or a `Simulator` holder of your own. Observation
            i of a batch is taken to be cell i's.
    """

    def __init__(self, scenario: str | Scenario, env: HasSimulator) -> None:
        super().__init__(scenario)
        self._env = env

    def _choose(self, observations: npt.NDArray[np.float64]) -> IntArray:
        simulator = self._env.simulator
        if len(observations) != simulator.num_cells:
            raise ValueError(
                f"observation: {len(observations)} rows given, the environment has {simulator.num_cells} cells"
            )
        (outcomes,) = simulator.what_if_slices()
        units, _ = outcomes.best()
        return allocation_index(units)


def _make_random(scenario: Scenario, env: HasSimulator, seed: int, num_threads: int) -> Policy:
    del env, num_threads
    return RandomPolicy(scenario, seed)


def _make_hard(scenario: Scenario, env: HasSimulator, seed: int, num_threads: int) -> Policy:
    del env, seed, num_threads
    return HardPolicy(scenario)


def _make_proportional(scenario: Scenario, env: HasSimulator, seed: int, num_threads: int) -> Policy:
    del env, seed, num_threads
    return ProportionalPolicy(scenario)


def _make_best_fixed(scenario: Scenario, env: HasSimulator, seed: int, num_threads: int) -> Policy:
    del env, seed
    return BestFixedPolicy(scenario, num_threads)


def _make_one_step_oracle(scenario: Scenario, env: HasSimulator, seed: int, num_threads: int) -> Policy:
    del seed, num_threads
    return OneStepOraclePolicy(scenario, env)


BASELINES: dict[str, Callable[[Scenario, HasSimulator, int, int], Policy]] = {
    "random": _make_random,
    "hard": _make_hard,
    "proportional": _make_proportional,
    "best_fixed": _make_best_fixed,
    "one_step_oracle": _make_one_step_oracle,
}
"""Baselines by name; each takes the scenario, the environment, a seed and a number of threads."""

RENAMED = {"clairvoyant": "one_step_oracle"}
"""Names that baselines had in earlier versions, and those they have now."""


def unknown_policy(key: str, name: str, allowed: Iterable[str]) -> str:
    """The message for a policy's name that does not exist: its new name, or those that do exist, the nearest first."""
    if name in RENAMED:
        return f"{key}: {name!r} was renamed; write {RENAMED[name]!r}"
    return unknown_name(key, name, allowed)


def make_baseline(name: str, scenario: Scenario, env: HasSimulator, seed: int = 0, num_threads: int = 1) -> Policy:
    """The baseline of that name.

    Args:
        name: one of `BASELINES`.
        scenario: the scenario.
        env: whose cells the one-step oracle clones.
        seed: of the random policy.
        num_threads: for searches.

    Raises:
        ValueError: there is no such baseline.
    """
    if name not in BASELINES:
        raise ValueError(unknown_policy("policy", name, BASELINES))
    return BASELINES[name](scenario, env, seed, num_threads)
