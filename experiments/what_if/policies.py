"""What is to be compared: what the log did, allocations in units, and agents."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from agents.baselines import HardPolicy, Policy, ProportionalPolicy
from experiments.evaluate.policies import check_policies, given_as, label_policies, load_policy
from experiments.evaluate.rollout import Predictor
from experiments.evaluate.wrapped import WrappedAgent
from experiments.what_if.moment import Moment
from slicing_gym.action import AllocationIndexCodec, DiscreteCodec
from slicing_gym.allocation import even_split, share_out
from slicing_gym.errors import shown
from twin import DigitalTwin
from twin.data.layout import Layout
from twin.data.logs.rules import AllocationRule
from twin.data.logs.units import units_of

LOGGED = "logged"
"""What the log did."""

BY_THE_LOG = "measured"
"""What the log measured of it."""

SIMPLE_RULES = {"hard": HardPolicy, "proportional": ProportionalPolicy}
"""Baselines by name that need no simulator and draw nothing."""

IntArray = npt.NDArray[np.int64]
Policies = Sequence[str | Path] | Mapping[str, Predictor | str | Path | Sequence[int]]


@dataclass(frozen=True)
class Contender:
    """One of those that are compared.

    Args:
        name: in tables.
        units: allocations held in turn (ahead, n_slices); None: the policy decides.
        policy: an agent, which sees the last arrivals.
        codec: what its actions mean.
    """

    name: str
    units: IntArray | None
    policy: Predictor | None = None
    codec: DiscreteCodec = field(default_factory=AllocationIndexCodec)


def contenders(given: Policies, twin: DigitalTwin, moment: Moment, trust: bool = False) -> list[Contender]:
    """What is to be compared, loaded and checked.

    Args:
        given: "logged", "hard", "proportional", allocations like 60-30-10, files or folders of agents; or, by what they
            are called, such names, units, and objects with Stable-Baselines3's `predict`.
        twin: in which they decide.
        moment: where they do.
        trust: let files of agents run code.

    Raises:
        ValueError, TypeError, OSError: none given, one twice, no allocation of the twin's, or no agent that fits it; or
            what the log did not do is called "logged" or "measured".
    """
    if not isinstance(given, str | Path | Mapping | Sequence):
        raise TypeError(f"policies: {shown(given)} given, allowed are {_allowed(twin)}")
    given = [given] if isinstance(given, str | Path) else given
    named = dict(given) if isinstance(given, Mapping) else {str(each): each for each in given}
    if not named or len(named) < len(given):
        raise ValueError(f"policies: {'one is given twice' if named else 'none given'}, allowed are {_allowed(twin)}")
    layout = twin.model.layout
    found: dict[str, Contender] = {}
    for name, each in named.items():
        _check_name(name, each)
        if isinstance(each, str | Path):
            found[name] = _by_text(name, str(each), twin, moment, trust)
        elif callable(getattr(each, "predict", None)):
            found[name] = _deciding(name, cast(Predictor, each), layout)
        else:
            found[name] = Contender(name, _held(name, each, layout, moment))
    if isinstance(given, Mapping):
        return list(found.values())
    labels = label_policies([name for name, each in found.items() if each.policy is not None])
    for name, label in labels.items():
        _check_name(label, name)
    return [replace(each, name=labels.get(name, name)) for name, each in found.items()]


def _check_name(name: str, given: object) -> None:
    """Refuse what is called as a row of the log's own.

    Raises:
        ValueError: the message names both.
    """
    if name == BY_THE_LOG or (name == LOGGED and not (isinstance(given, str) and given == LOGGED)):
        own = "did" if name == LOGGED else "measured"
        raise ValueError(f"policies: {shown(given)} called {name!r}, allowed is another name: it is what the log {own}")


def _allowed(twin: DigitalTwin) -> str:
    scenario = twin.scenario
    return (
        f"{LOGGED!r}, units of {', '.join(scenario.slice_names)} that sum to {scenario.num_units} (as a-b-c), "
        f"{', '.join(map(repr, SIMPLE_RULES))}, files of agents, and folders of runs"
    )


@dataclass(frozen=True)
class ProportionalServed:
    """`ProportionalPolicy` where units may belong to nobody: they get none.

    Args:
        layout: of the twin; its actions are those of `AllocationIndexCodec(layout.smallest)`.
        idle: position of the units of nobody.
    """

    layout: Layout
    idle: int

    def predict(self, observation: Any, *, deterministic: bool = True) -> tuple[IntArray, None]:
        """Actions (n,) for observations (n, n_slices)."""
        del deterministic
        scenario = self.layout.scenario
        arrivals = np.delete(np.maximum(observation, 0.0) * scenario.nominal_arrivals, self.idle, axis=-1)
        units = np.insert(share_out(arrivals, scenario.num_units), self.idle, 0, axis=-1)
        return AllocationIndexCodec(self.layout.smallest).index(scenario, units), None


def _by_text(name: str, text: str, twin: DigitalTwin, moment: Moment, trust: bool) -> Contender:
    """What a text means: what the log did, an allocation, a simple rule, or an agent."""
    layout, scenario = twin.model.layout, twin.scenario
    units = _units_of(text, layout, moment)
    if units is not None:
        return Contender(name, units)
    if text not in SIMPLE_RULES or layout.idle is None:
        return _deciding(name, _agent(text, twin, trust), layout)
    if text == "hard":  # simple rules share out all units among the slices
        split = np.insert(even_split(scenario.num_units, scenario.num_slices - 1), layout.idle, 0)
        return Contender(name, np.tile(split, (moment.ahead, 1)))
    return Contender(name, None, ProportionalServed(layout, layout.idle), AllocationIndexCodec(layout.smallest))


def _units_of(name: str, layout: Layout, moment: Moment) -> IntArray | None:
    """The allocations (ahead, n_slices) that a name means; None if it is no name of allocations."""
    if name == LOGGED:
        return moment.history.allocation[moment.rows]
    if not re.fullmatch(r"\d+(-\d+)+", name):
        return None
    return _held(name, [int(part) for part in name.split("-")], layout, moment)


def _deciding(name: str, policy: Predictor, layout: Layout) -> Contender:
    """A policy, and what its actions mean: a baseline numbers all allocations, an agent those of its environment.

    Raises:
        ValueError: it is of another network, or nothing says that it chooses among the allocations of the twin.
    """
    scenario, codec = layout.scenario, layout.codec
    if isinstance(policy, Policy):
        theirs, wanted = policy.scenario, (scenario.slice_names, scenario.num_units)
        if (theirs.slice_names, theirs.num_units) != wanted:
            raise ValueError(
                f"policies: {name!r} is of scenario {theirs.name!r}, allowed are policies for {scenario.num_units} "
                f"units of {', '.join(scenario.slice_names)}"
            )
        return Contender(name, None, policy)
    space = getattr(policy, "action_space", None)
    if space is None and (layout.held or layout.smallest):
        raise ValueError(
            f"policies: {name!r} has no action_space, allowed are baselines, and agents with that of an environment on "
            "this twin: its actions number other allocations than those of at least a unit a slice"
        )
    if space is not None and space != codec.space(scenario):
        raise ValueError(f"policies: {name!r} chooses from {space}, allowed is {codec.space(scenario)}")
    return Contender(name, None, policy, codec)


def _held(name: str, units: object, layout: Layout, moment: Moment) -> IntArray:
    """The same allocation in each interval (ahead, n_slices).

    Raises:
        ValueError: it is none of the network's.
    """
    row, scenario = np.array(units, ndmin=1), layout.scenario
    least = layout.smallest or (1,) * scenario.num_slices
    fits = row.dtype.kind in "iu" and row.shape == (scenario.num_slices,)
    if not fits or (row < least).any() or row.sum() != scenario.num_units:
        given = name if isinstance(units, list) and name == "-".join(map(str, units)) else units
        raise ValueError(
            f"policies: {shown(given)} given, allowed are units of {', '.join(scenario.slice_names)} that sum to "
            f"{scenario.num_units}, at least {'-'.join(map(str, least))}{_of_percents(row, scenario.num_units, least)}"
        )
    return np.tile(row.astype(np.int64), (moment.ahead, 1))


def _of_percents(given: IntArray, num_units: int, least: Sequence[int]) -> str:
    """The units that an allocation in percent means, rounded as those of a log, to end a message; else nothing."""
    if given.dtype.kind not in "iu" or given.shape != (len(least),) or given.sum() != 100 or (given < 0).any():
        return ""
    units, _ = units_of(AllocationRule("policies", kind="percent"), given[None], (), num_units, str)
    return f"; in percent: {'-'.join(map(str, units[0]))}" if (units[0] >= least).all() and num_units != 100 else ""


def _agent(name: str, twin: DigitalTwin, trust: bool) -> Predictor:
    """The agent of a name.

    Raises:
        ValueError, TypeError, OSError: there is none, or it does not fit the twin.
    """
    if name in SIMPLE_RULES:
        return SIMPLE_RULES[name](twin.scenario)
    with given_as("policies"):
        check_policies([name], twin.scenario, (LOGGED, *SIMPLE_RULES))
        envs = gym.make_vec("SliceTwin-v0", num_envs=1, twin=twin, allow_constant=True)
        policy = load_policy(name, twin.scenario, envs, 1, trust=trust)
    if isinstance(policy, WrappedAgent):
        raise ValueError(
            f"policies: {name!r} learned under wrappers or an observer of its own, allowed are agents that see the "
            "last arrivals"
        )
    return policy
