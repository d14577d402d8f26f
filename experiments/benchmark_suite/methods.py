"""Methods of the benchmark: policies that do not learn, off-policy agents and planners, on-policy agents."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from agents import make_baseline
from agents.baselines import BASELINES
from agents.registry import arguments_of, named, off_policy_class, policy_class
from experiments.benchmark_suite.protocol import FIXED, Protocol
from experiments.benchmark_suite.training import train_by_overrides, train_config
from experiments.config.bounds import check_arguments
from experiments.config.threads import torch_threads
from experiments.environments import AnyVectorEnv
from experiments.evaluate.policies import check_policies, given_as, load_policy
from experiments.evaluate.rollout import Evaluation, Predictor, evaluate_policy, make_cells
from experiments.reporting.names import display_name
from slicing_gym import Scenario
from slicing_gym.allocation import MAX_LISTED


class Figures(NamedTuple):
    """What a run of a method brought; see `RunRow`."""

    utility: float
    reward_at_c_max: float
    regret: float
    cpu_seconds: float


@dataclass(frozen=True)
class BenchmarkMethod(ABC):
    """A method of the benchmark.

    Args:
        name: in the CSV.
        label: in tables and pictures.
        learns: whether a run depends on the budget.
        lists_allocations: whether it has an output for each allocation.
        twin: whether it trains in a digital twin.
        network: whether it learns with a neural network by reinforcement.
        seeded: whether its figures in unseen cells depend on the training seed; else one run is enough.
    """

    name: str
    label: str
    learns: bool = True
    lists_allocations: bool = False
    twin: bool = False
    network: bool = False
    seeded: bool = True

    def seeds(self, budget: int, protocol: Protocol) -> tuple[int, ...]:
        """Training seeds that the protocol has for it: the first alone where all give the same figures."""
        found = protocol.seeds(budget if self.learns else protocol.first_budget)
        return found if self.seeded else found[:1]

    def why_not(self, scenario: Scenario, budget: int, protocol: Protocol) -> str:
        """Why the protocol has no run of it there; "" if it has."""
        if self.lists_allocations and scenario.num_allocations > MAX_LISTED:
            return f"one output for each of {scenario.num_allocations:,} allocations".replace(",", " ")
        if self.twin and budget > protocol.twin_budget:
            return f"with a twin at {protocol.twin_budget} decisions only"
        if not self.learns and budget > protocol.first_budget:
            return "does not learn"
        return ""

    def check(self, scenarios: Sequence[Scenario]) -> None:
        """Refuse a method that cannot be run, before any is; see `perform` for what may come of a run itself.

        Raises:
            ValueError, TypeError: the message names the key, the value and what is allowed.
        """
        del scenarios

    @abstractmethod
    def perform(self, scenario: Scenario, budget: int, seed: int, protocol: Protocol, folder: Path) -> Figures:
        """Train it, if it learns, and evaluate it.

        Args:
            scenario: of the cells.
            budget: real decisions.
            seed: of the training run.
            protocol: of the benchmark.
            folder: for files, from which a run that was stopped goes on.
        """


@dataclass(frozen=True)
class PolicyMethod(BenchmarkMethod):
    """A policy that does not learn: a baseline, or one of the user's own (a file, an allocation, a class).

    Args:
        policy: as `experiments.evaluate` takes it.
        trust: let a file run code.
    """

    learns: bool = False
    policy: str = ""
    trust: bool = False

    def check(self, scenarios: Sequence[Scenario]) -> None:
        """See `BenchmarkMethod`."""
        if self.policy in BASELINES:
            return
        with given_as("own.policy"):
            for scenario in scenarios:
                check_policies([self.policy], scenario)
            for scenario in scenarios:
                load_policy(self.policy, scenario, make_cells(scenario, 1), 1, trust=self.trust)

    def perform(self, scenario: Scenario, budget: int, seed: int, protocol: Protocol, folder: Path) -> Figures:
        """See `BenchmarkMethod`."""
        del folder
        own = make_cells(scenario, 1)
        begun = time.process_time()
        earned = evaluate_policy(self.name, self._in(scenario, own, seed), own, [seed], budget)
        seconds = time.process_time() - begun
        best = _of_best_fixed(scenario, seed, budget)
        found = self._unseen(scenario, seed if self.policy == "random" else None, protocol)
        return _figures(found, budget * (best - float(earned.utility.mean())), seconds)

    def _unseen(self, scenario: Scenario, seed: int | None, protocol: Protocol) -> Evaluation:
        """On unseen cells; remembered, for it is the same in every run of a policy that has no seed of its own."""
        key = (self, scenario, seed, protocol.evaluation_seeds, protocol.evaluation_decisions)
        if key not in _known:
            cells = make_cells(scenario, len(protocol.evaluation_seeds))
            _known[key] = _evaluated(self.name, self._in(scenario, cells, seed or 0), cells, protocol)
        return _known[key]

    def _in(self, scenario: Scenario, cells: Any, seed: int) -> Predictor:
        """The policy in some cells; the random one has the seed of the run."""
        if self.policy in BASELINES:
            return make_baseline(self.policy, scenario, cells, seed)
        return load_policy(self.policy, scenario, cells, 1, trust=self.trust)


@dataclass(frozen=True)
class TrainedMethod(BenchmarkMethod):
    """What `experiments.train` trains: an off-policy agent, with a twin or without, or a planner.

    Args:
        overrides: of the command `experiments.train`.
        trust: let files of agents run code.
    """

    overrides: tuple[str, ...] = ()
    trust: bool = False

    def check(self, scenarios: Sequence[Scenario]) -> None:
        """See `BenchmarkMethod`."""
        if self.name not in BENCHMARKED:
            train_config([f"scenario={scenarios[0].name}", *self.overrides])

    def perform(self, scenario: Scenario, budget: int, seed: int, protocol: Protocol, folder: Path) -> Figures:
        """See `BenchmarkMethod`."""
        own = [f"scenario={scenario.name}", f"decisions={budget}", f"seed={seed}", f"reward={protocol.reward}"]
        own += [
            "evaluation.policies=[]",
            f"evaluation.seeds={list(protocol.evaluation_seeds)}",
            f"evaluation.decisions={protocol.evaluation_decisions}",
        ]
        result = train_by_overrides([*self.overrides, *own], folder, trust=self.trust)
        return _figures(result.evaluation[0], result.summary["regret"], result.summary["cpu_seconds"])


@dataclass(frozen=True)
class OnPolicyMethod(BenchmarkMethod):
    """An on-policy algorithm of Stable-Baselines3 in the real environment, as it comes.

    Args:
        target: dotted name of the class.
        kwargs: arguments of its constructor.
    """

    target: str = ""
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def perform(self, scenario: Scenario, budget: int, seed: int, protocol: Protocol, folder: Path) -> Figures:
        """See `BenchmarkMethod`."""
        del folder
        env = gym.make("SliceRAN-v0", scenario=scenario, reward=protocol.reward)
        log = _Earned()
        with torch_threads(1):
            begun = time.process_time()
            agent: OnPolicyAlgorithm = named("own._target_", self.target)("MlpPolicy", env, seed=seed, **self.kwargs)
            if budget % (steps := agent.n_steps):
                raise ValueError(f"n_steps: {steps} given, allowed are numbers that divide the budget of {budget}")
            agent.learn(budget, callback=log)
            seconds = time.process_time() - begun
            cells = make_cells(scenario, len(protocol.evaluation_seeds))
            found = _evaluated(self.name, agent, cells, protocol)
        best = _of_best_fixed(scenario, seed, budget)
        return _figures(found, sum(best - each for each in log.utilities), seconds)


_known: dict[tuple[Any, ...], Evaluation] = {}
"""Evaluations of policies that do not learn, of this process: the oracle's takes as long as training an agent."""


class _Earned(BaseCallback):
    """Remembers the utility of every real decision."""

    def __init__(self) -> None:
        super().__init__()
        self.utilities: list[float] = []

    def _on_step(self) -> bool:
        self.utilities += [float(info["utility"]) for info in self.locals["infos"]]
        return True


def _evaluated(name: str, policy: Predictor, cells: AnyVectorEnv, protocol: Protocol) -> Evaluation:
    return evaluate_policy(name, policy, cells, protocol.evaluation_seeds, protocol.evaluation_decisions)


def _of_best_fixed(scenario: Scenario, seed: int, decisions: int) -> float:
    """Mean U of the best fixed allocation in a training cell."""
    cells = make_cells(scenario, 1)
    policy = make_baseline(FIXED, scenario, cells)
    return float(evaluate_policy(FIXED, policy, cells, [seed], decisions).utility.mean())


def _figures(found: Evaluation, regret: float, seconds: float) -> Figures:
    return Figures(float(found.utility.mean()), float(found.reward.mean()), float(regret), float(seconds))


_PPO = {"n_steps": 100, "batch_size": 50, "gamma": 0.8, "device": "cpu"}
"""Stable-Baselines3's defaults would collect 2048 decisions before the first update; gamma is that of all agents."""

BENCHMARKED: dict[str, BenchmarkMethod] = {
    each.name: each
    for each in (
        PolicyMethod("random", "random", policy="random"),
        PolicyMethod("hard", display_name("hard"), policy="hard", seeded=False),
        PolicyMethod("proportional", "proportional", policy="proportional", seeded=False),
        PolicyMethod("best_fixed", display_name("best_fixed"), policy="best_fixed", seeded=False),
        PolicyMethod("one_step_oracle", display_name("one_step_oracle"), policy="one_step_oracle", seeded=False),
        TrainedMethod("planner", "planner", overrides=("agent=planner",)),
        TrainedMethod(
            "sb3_dqn", display_name("sb3_dqn"), lists_allocations=True, network=True, overrides=("agent=sb3_dqn",)
        ),
        TrainedMethod(
            "sb3_qrdqn", display_name("sb3_qrdqn"), lists_allocations=True, network=True, overrides=("agent=sb3_qrdqn",)
        ),
        OnPolicyMethod(
            "sb3_ppo",
            display_name("sb3_ppo"),
            lists_allocations=True,
            network=True,
            target="stable_baselines3.PPO",
            kwargs=_PPO,
        ),
        TrainedMethod(
            "ddqn_dense",
            "DDQN, dense head",
            lists_allocations=True,
            network=True,
            overrides=("agent=ddqn", "agent.head=dense"),
        ),
        TrainedMethod(
            "ddqn_factored", "DDQN, factored head", network=True, overrides=("agent=ddqn", "agent.head=factored")
        ),
        TrainedMethod(
            "ddqn_twin",
            "DDQN with a twin, planner first",
            twin=True,
            network=True,
            overrides=("agent=ddqn", "twin=lstm"),
        ),
    )
}
"""Methods by name, in the order of the tables."""


def own_method(
    name: str,
    target: str | None,
    policy: str | None,
    overrides: Sequence[str] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    trust: bool = False,
) -> BenchmarkMethod:
    """A method of the user's own.

    Args:
        name: in the CSV.
        target: dotted name of an algorithm of Stable-Baselines3, off-policy or on-policy; or
        policy: what does not learn any more, as `experiments.evaluate` takes it.
        overrides: of `experiments.train`, for an off-policy algorithm.
        kwargs: arguments of an on-policy algorithm.
        trust: let files of agents run code.

    Raises:
        ValueError, TypeError: the name is taken, both or neither are given, or the class is no algorithm.
    """
    if name in BENCHMARKED:
        raise ValueError(f"own.name: {name!r} is taken, allowed is another than {', '.join(BENCHMARKED)}")
    if (target is None) == (policy is None):
        given = "neither is" if target is None else f"both {target!r} and {policy!r} are"
        raise ValueError(
            f"own.name: {name!r} is given; with it allowed is one of own._target_ (an algorithm, as my_package.MyDQN) "
            f"and own.policy (an allocation, a file, or a class with predict), {given} given"
        )
    if policy is not None:
        return PolicyMethod(name, name, policy=policy, trust=trust, seeded=False)
    kind: Any = named("own._target_", str(target))
    if not isinstance(kind, type) or not issubclass(kind, BaseAlgorithm):
        raise TypeError(f"own._target_: {target!r} given, allowed is an algorithm of Stable-Baselines3")
    if issubclass(kind, OnPolicyAlgorithm):
        if overrides:
            raise ValueError(f"own.overrides: {list(overrides)} given, allowed with an on-policy algorithm are none")
        check_arguments("own.kwargs", kwargs or {})
        arguments = {**_PPO, **(kwargs or {})} if issubclass(kind, PPO) else dict(kwargs or {})
        return OnPolicyMethod(name, name, lists_allocations=True, network=True, target=str(target), kwargs=arguments)
    if kwargs:
        raise ValueError("own.kwargs: given, allowed with an on-policy algorithm; else own.overrides=+agent.kwargs.…")
    custom = ("agent=custom", f"agent.name={name}", f"agent._target_={target}", *overrides)
    listed = "head" not in arguments_of(policy_class(off_policy_class(str(target)), "MlpPolicy"))  # else it may factor
    twin = any(each.startswith("twin=") and each != "twin=none" for each in overrides)
    return TrainedMethod(name, name, lists_allocations=listed, twin=twin, network=True, overrides=custom, trust=trust)
