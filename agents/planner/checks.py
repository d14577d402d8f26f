"""What a planner refuses before it works: environments it cannot act in, and models of another network."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from agents.planner.protocol import PlanningModel
from slicing_gym import Scenario
from slicing_gym.action import AllocationIndexCodec, AllocationListCodec, DiscreteCodec
from slicing_gym.allocation import MAX_LISTED

FloatArray = npt.NDArray[np.float64]


def checked_scenario(env: Any) -> Scenario:
    """The scenario of an environment in which a planner can act.

    Raises:
        ValueError, TypeError: it is a batch, has no scenario, or its actions are no numbers of allocations.
    """
    if not isinstance(env, gym.Env):
        raise TypeError(f"env: a {type(env).__name__} given, allowed is a scalar gymnasium.Env")
    scenario = getattr(env.unwrapped, "scenario", None)
    if not isinstance(scenario, Scenario):
        raise TypeError(f"env: {env} has no scenario, allowed are SliceRAN-v0 and SliceTwin-v0, wrapped or not")
    codec = codec_of(env)
    if not isinstance(codec, AllocationIndexCodec | AllocationListCodec):
        raise ValueError(
            f"env: its action_codec is a {type(codec).__name__}, allowed is AllocationIndexCodec: a planner's actions "
            "are numbers of allocations"
        )
    if codec_may_leave_out(codec, scenario):
        raise ValueError(
            "env: its slices may hold no unit (idle units, absent slices), allowed is 1 or more a slice: a planner's "
            "models know nothing of slices without units; agents with a dense or factored head learn there"
        )
    number = codec.space(scenario).n
    if not isinstance(env.action_space, gym.spaces.Discrete) or env.action_space.n != number:
        raise ValueError(f"env: its actions are {env.action_space}, allowed are numbers of {number} allocations")
    return scenario


def codec_of(env: Any) -> Any:
    """The codec that says what the actions of an environment mean."""
    codec = getattr(getattr(env.unwrapped, "space_spec", None), "action_codec", None)
    return AllocationIndexCodec() if codec is None else codec


def codec_may_leave_out(codec: DiscreteCodec, scenario: Scenario) -> bool:
    """Whether an action may leave a slice without a unit."""
    if isinstance(codec, AllocationIndexCodec):
        return 0 in codec.smallest
    return bool((codec.allocations(scenario) < 1).any())


def check_same(key: str, scenario: Scenario, own: Scenario) -> None:
    """Refuse a scenario of other slices or units.

    Raises:
        ValueError: the message says how they differ.
    """
    theirs, ours = (scenario.num_units, scenario.slice_names), (own.num_units, own.slice_names)
    if theirs != ours:
        raise ValueError(
            f"{key}: it has {theirs[0]} units for slices {list(theirs[1])}, allowed are {ours[0]} for {list(ours[1])}"
        )


def check_model(model: PlanningModel, scenario: Scenario) -> None:
    """Refuse a model whose scenario has other slices or units, or of too many allocations where it lists them.

    Raises:
        ValueError: the message says how they differ.
    """
    own = getattr(model, "scenario", None)
    if isinstance(own, Scenario):
        check_same("model", own, scenario)
    if not model.separable and scenario.num_allocations > MAX_LISTED:
        raise ValueError(
            f"model: its utility is no sum over slices, and {scenario.num_allocations} allocations cannot be listed "
            f"(at most {MAX_LISTED}); allowed is a separable one (a twin's structure per_slice)"
        )


def check_values(model: PlanningModel, scenario: Scenario, values: FloatArray) -> None:
    """Refuse a model whose values of one state have another shape than those of the scenario.

    Raises:
        ValueError: the message names both shapes.
    """
    most = scenario.num_units - scenario.num_slices + 1
    wanted = (1, scenario.num_slices, most) if model.separable else (1, scenario.num_allocations)
    if np.shape(values) != wanted:
        raise ValueError(f"model: its values of a state have shape {np.shape(values)}, allowed is {wanted}")
