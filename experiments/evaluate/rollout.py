"""Policies compared on the same cells with common random numbers: rollouts, table and CSV."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
import numpy.typing as npt

import slicing_gym
from experiments.environments import AnyVectorEnv, advance, scenario_of
from experiments.reporting.statistics import Estimate, Share, estimate
from slicing_gym import Scenario, SliceRANVectorEnv
from slicing_gym.errors import check_integer
from slicing_gym.offered import offered_packets
from slicing_gym.progress import ProgressBar

FloatArray = npt.NDArray[np.float64]


class Predictor(Protocol):
    """Anything with SB3's `predict`."""

    def predict(self, observation: Any, *, deterministic: bool = ...) -> tuple[Any, Any]:
        """Actions for observations."""


@dataclass(frozen=True)
class Evaluation:
    """One policy on some cells; arrays have one value per cell.

    Args:
        policy: its name.
        seeds: of the cells (n,).
        utility, reward, spectral_efficiency: means over the decisions (n,); the reward is the share of decisions whose
            U reaches the final threshold c_max.
        ssr: (n, n_slices).
        starved: share of decisions in which full queues admitted nothing, whose SSR counts as 1 (n, n_slices); None
            where it is not known: of a twin, or read from an older file.
        admitted: share of the packets offered that entered the queues, the only ones that SSR counts (n, n_slices);
            None where it is not known: in addition under wrappers that end episodes early.
    """

    policy: str
    seeds: tuple[int, ...]
    utility: FloatArray
    reward: FloatArray
    spectral_efficiency: FloatArray
    ssr: FloatArray
    starved: FloatArray | None = None
    admitted: FloatArray | None = None

    def estimates(self, slice_names: Sequence[str]) -> dict[str, Estimate]:
        """Every column of the table."""
        columns = {"utility": estimate(self.utility), "reward": Share(*estimate(self.reward))}
        columns |= {f"ssr_{name}": Share(*estimate(self.ssr[:, n])) for n, name in enumerate(slice_names)}
        return columns | {"spectral_efficiency": estimate(self.spectral_efficiency)}


def evaluate_policy(
    name: str,
    policy: Predictor,
    envs: AnyVectorEnv,
    seeds: Sequence[int],
    decisions: int,
    progress: bool = False,
) -> Evaluation:
    """Run a policy on one cell per seed, and take means.

    Args:
        name: what it is called.
        policy: chooses the actions, deterministically. An agent that learned under wrappers makes its own cells
            (`make_wrapped_cells`), as many as there are seeds.
        envs: as many cells as seeds.
        seeds: of the cells.
        decisions: a cell.
        progress: show a bar.
    """
    if hasattr(policy, "make_wrapped_cells"):
        envs = policy.make_wrapped_cells(len(seeds))
    brought, scenario = roll_out(name, policy, envs, seeds, decisions, progress), scenario_of(envs)
    return Evaluation(
        policy=name,
        seeds=tuple(seeds),
        utility=brought["utility"].mean(axis=0),
        reward=(brought["utility"] >= scenario.reward.threshold_end).mean(axis=0),
        spectral_efficiency=brought["spectral_efficiency"].mean(axis=0),
        ssr=brought["ssr"].mean(axis=0),
        starved=brought["starved"].mean(axis=0) if "starved" in brought else None,
        admitted=_admitted(scenario, seeds, brought) if "admitted" in brought else None,
    )


def _admitted(scenario: Scenario, seeds: Sequence[int], brought: Mapping[str, FloatArray]) -> FloatArray | None:
    """Share of the packets offered that entered the queues (n, n_slices); None where wrappers end episodes early."""
    decisions = np.arange(1, len(brought["admitted"]) + 1)
    whole = decisions % scenario.decisions_per_episode == 0
    if (brought["ended"] != whole[:, None]).any():  # each reset has an interval of its own, in which users send, too
        return None
    offered = offered_packets(scenario, tuple(seeds), len(decisions))
    share = np.divide(brought["admitted"].sum(axis=0), offered, out=np.ones_like(offered), where=offered > 0)
    # A packet that waited when the first interval began counts in no interval's offer, so a share can pass 1 by little.
    found: FloatArray = np.minimum(share, 1.0)
    return found


def roll_out(
    name: str,
    policy: Predictor,
    envs: AnyVectorEnv,
    seeds: Sequence[int],
    decisions: int,
    progress: bool = False,
) -> dict[str, FloatArray]:
    """What every decision of a policy brings on one cell per seed; arguments as of `evaluate_policy`.

    Returns:
        "utility" and "spectral_efficiency" (decisions, n), "ssr" (decisions, n, n_slices); of the simulator, too,
        "admitted": packets that entered the queues, "starved": where full queues blocked packets and none was
        admitted (decisions, n, n_slices). "ended": with which decisions an episode ends (decisions, n).
    """
    observations, _ = envs.reset(seed=list(seeds))  # type: ignore[arg-type]  # of each cell its own
    by_slice = (scenario_of(envs).num_slices,)
    shapes = {"utility": (), "spectral_efficiency": (), "ssr": by_slice, "admitted": by_slice, "starved": by_slice}
    stores = {key: np.zeros((decisions, len(seeds), *shape)) for key, shape in shapes.items()}
    ended = np.zeros((decisions, len(seeds)))
    choose = Chooser(policy, len(seeds))
    for step in ProgressBar(range(decisions), desc=name, disable=not progress, leave=False):
        observations, brought, choose.over = advance(envs, choose(observations))
        if "blocked" in brought:
            starved = (brought["arrivals"] == 0) & (brought["blocked"] > 0)
            brought = {**brought, "admitted": brought["arrivals"], "starved": starved}
        for key in stores.keys() & brought.keys():
            stores[key][step] = brought[key]
        ended[step] = choose.over
    return {key: store for key, store in stores.items() if key in brought} | {"ended": ended}


class Chooser:
    """Actions of a policy in a batch, its memory kept from step to step if it has one.

    Args:
        policy: with Stable-Baselines3's `predict`, or one that takes the observation alone.
        number: of cells.
    """

    def __init__(self, policy: Predictor, number: int) -> None:
        self._policy: Any = policy
        known = inspect.signature(policy.predict).parameters
        every = any(each.kind is each.VAR_KEYWORD for each in known.values())
        self._takes = [name for name in ("state", "episode_start", "deterministic") if every or name in known]
        self._memory: Any = None
        self.over: npt.NDArray[np.bool_] = np.ones(number, np.bool_)

    def __call__(self, observations: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Actions (n,) for observations (n, n_slices)."""
        given = {"state": self._memory, "episode_start": self.over, "deterministic": True}
        actions, self._memory = self._policy.predict(observations, **{name: given[name] for name in self._takes})
        return np.asarray(actions)


def states_met(policy: Predictor, envs: AnyVectorEnv, seeds: list[int], number: int) -> npt.NDArray[np.float32]:
    """Observations (number or a few more, n_slices) that a policy decides on in cells of these seeds."""
    observations, _ = envs.reset(seed=seeds)  # type: ignore[arg-type]
    met = [observations.copy()]
    while len(met) * len(seeds) < number:
        observations, *_ = advance(envs, policy.predict(observations, deterministic=True)[0])
        met.append(observations.copy())
    return np.concatenate(met)


def check_seeds(key: str, seeds: Sequence[int]) -> None:
    """Refuse seeds that are none, negative, or given twice (an interval over cells needs different ones).

    Raises:
        ValueError, TypeError: such seeds; `key` says in the message where they stand.
    """
    if not seeds:
        raise ValueError(f"{key}: none given, allowed are one or more")
    for seed in seeds:
        check_integer(key, seed, at_least=0)
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"{key}: {list(seeds)} given, allowed are different ones")


def make_cells(scenario: Scenario, num_cells: int, num_threads: int = 1) -> SliceRANVectorEnv:
    """The cells on which policies are compared; an episode follows the last within a step: every step is a decision.

    Args:
        scenario: of the cells.
        num_cells: how many advance together.
        num_threads: that advance them.
    """
    envs = gym.make_vec(
        "SliceRAN-v0", num_envs=num_cells, scenario=scenario, autoreset_mode="SameStep", num_threads=num_threads
    )
    assert isinstance(envs, slicing_gym.SliceRANVectorEnv)
    return envs


def compare(
    scenario: Scenario,
    policies: Mapping[str, Predictor],
    envs: AnyVectorEnv,
    seeds: Sequence[int],
    decisions: int | None = None,
    progress: bool = False,
) -> list[Evaluation]:
    """Evaluate policies by name on the same cells, with common random numbers.

    Args:
        scenario: of the cells.
        policies: by the names that tables have.
        envs: as many cells as seeds, of `make_cells` or wrapped.
        seeds: of the cells; every policy meets the same ones.
        decisions: in each cell; None: an episode.
        progress: show a bar.
    """
    number = scenario.decisions_per_episode if decisions is None else decisions
    return [evaluate_policy(name, policy, envs, seeds, number, progress) for name, policy in policies.items()]
