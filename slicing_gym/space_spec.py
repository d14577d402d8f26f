"""What an agent sees of a slicing environment, simulated or learned: spaces, observations, rewards, actions."""

from __future__ import annotations

import inspect
import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict, replace
from enum import Enum
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.envs.registration import EnvSpec

from slicing_gym.action import ActionCodec, AllocationIndexCodec, DiscreteCodec
from slicing_gym.allocation import allocation_table, checked_allocations, even_split
from slicing_gym.backend import Backend
from slicing_gym.builtin_types import build, named
from slicing_gym.errors import check_instance, check_integer, unknown_name
from slicing_gym.observation import ArrivalsObserver, MeasuredInfo, Observer
from slicing_gym.presets import best_fixed_units, get_scenario
from slicing_gym.render import REFERENCE_COLOURS
from slicing_gym.reward import RewardFunction, ScenarioReward
from slicing_gym.scenario import REWARD_KINDS, Reward, Scenario

RENDER_MODES = ("human", "rgb_array")


class SpaceSpec:
    """Spaces and conversions of one scenario, shared by every environment of it.

    Args:
        scenario: a preset's name, a `Scenario`, or builtin types (as of `Scenario.to_dict`).
        reward: the kind of reward, a `Reward`, or builtin types of one, in place of the scenario's own.
        observer: makes observations; by default `ArrivalsObserver`.
        reward_function: in place of the scenario's kinds of reward; not together with `reward`.
        action_codec: makes allocations of actions; by default `AllocationIndexCodec`.

    Attributes:
        scenario: the scenario, its reward replaced.
        observation_space: the observer's, by default Box float32 (n_slices,).
        action_space: the codec's, by default `AllocationSpace`.

    Raises:
        TypeError, ValueError: an argument is not of that form; the message names it.
    """

    def __init__(
        self,
        scenario: str | Scenario | Mapping[str, Any],
        reward: str | Reward | Mapping[str, Any] | None = None,
        observer: Observer | None = None,
        reward_function: RewardFunction | None = None,
        action_codec: ActionCodec | None = None,
    ) -> None:
        found = get_scenario(scenario)
        if reward is not None and reward_function is not None:
            raise ValueError(f"reward_function: given together with reward = {reward!r}, allowed is one of the two")
        if isinstance(reward, str):
            if reward not in REWARD_KINDS:
                raise ValueError(unknown_name("reward", reward, REWARD_KINDS))
            reward = replace(found.reward, kind=reward)
        elif isinstance(reward, Mapping):
            reward = build(Reward, "reward", reward)
        elif reward is not None and not isinstance(reward, Reward):
            raise TypeError(f"reward: {reward!r} is neither a name nor a Reward")
        self.scenario = found if reward is None else replace(found, reward=reward)
        self.observer = ArrivalsObserver() if observer is None else observer
        self.reward_function = ScenarioReward() if reward_function is None else reward_function
        self.action_codec = AllocationIndexCodec() if action_codec is None else action_codec
        check_instance("observer", self.observer, (Observer,))
        check_instance("action_codec", self.action_codec, (ActionCodec,))
        if not callable(self.reward_function) or isinstance(self.reward_function, type):
            raise TypeError(f"reward_function: {reward_function!r} given, allowed is a function or a RewardFunction")
        self.observation_space = self.observer.space(self.scenario)
        self.action_space: Any = self.action_codec.space(self.scenario)
        self._check_spaces()

    @property
    def sums_over_slices(self) -> bool | None:
        """Whether the reward is a sum of one term per slice; None where a reward function of one's own does not say.

        Such a function says so by an attribute of this name.
        """
        if isinstance(self.reward_function, ScenarioReward):
            return self.scenario.reward.kind == "utility"
        stated = getattr(self.reward_function, "sums_over_slices", None)
        return None if stated is None else bool(stated)

    def _check_spaces(self) -> None:
        """Raise a TypeError for spaces that the environments cannot have."""
        seen = self.observation_space
        if not isinstance(seen, gym.spaces.Box) or seen.dtype != np.float32:
            raise TypeError(f"observer: its space is {seen}, allowed is a Box of float32")
        if self.action_space.shape is None or self.action_space.dtype is None:
            raise TypeError(f"action_codec: its space is {self.action_space}, allowed is one of arrays or numbers")

    def observe(self, arrivals: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Observations (..., n_slices) of raw arrivals per slice, where nothing else was measured."""
        return self.observer.observe(self.scenario, MeasuredInfo(arrivals=np.asarray(arrivals)))

    def observations(self, info: MeasuredInfo) -> npt.NDArray[np.float32]:
        """Observations (k, *shape) of what was measured of k cells.

        Raises:
            ValueError: the observer asks for what was not measured, or makes another shape than its space has.
        """
        seen = np.asarray(self.observer.observe(self.scenario, info), np.float32)
        if len(seen) != len(info["utility"]) or seen.shape[1:] != self.observation_space.shape:
            wanted = (len(info["utility"]), *self.observation_space.shape)
            raise ValueError(f"observer: made observations of shape {seen.shape}, allowed is {wanted}")
        return seen

    def rewards(self, info: MeasuredInfo, thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Rewards (k,) of what k cells brought, at thresholds (k,).

        Raises:
            ValueError: the function asks for what was not measured, or makes another shape.
        """
        rewards = np.asarray(self.reward_function(self.scenario, info, thresholds), np.float64)
        if rewards.shape != thresholds.shape:
            raise ValueError(f"reward_function: made rewards of shape {rewards.shape}, allowed is {thresholds.shape}")
        return rewards

    def units(self, actions: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Allocations (k, n_slices) [units] of checked actions (k, *shape)."""
        return self.action_codec.units(self.scenario, actions)

    def check_action(self, action: Any) -> npt.NDArray[Any]:
        """The action of one cell, as an array.

        Raises:
            gymnasium.error.InvalidAction: it is not in the action space.
        """
        return self.action_codec.check_action(self.action_space, action)

    def check_actions(self, actions: Any, num_envs: int) -> npt.NDArray[Any]:
        """The actions of a batch, as an array (num_envs, *shape).

        Raises:
            gymnasium.error.InvalidAction: wrong shape or type, or one that is not in the action space.
        """
        return self.action_codec.check_actions(self.action_space, actions, num_envs)


class EpisodeMixin:
    """The rules of an episode that do not depend on how many cells there are; what a kind of backend changes in them.

    Attributes:
        name: the environment's id, for messages.
        policy_name: what pictures call the policy that acts; the next episode has it.
    """

    name = "SliceRAN-v0"
    policy_name = "this episode"
    scenario: Scenario
    space_spec: SpaceSpec
    _decisions: int
    _first_decision: int
    _episode_steps: int  # decisions after which an episode is truncated
    _spec: EnvSpec | None = None
    _references: dict[str, tuple[int, ...]] | None = None

    @property
    def spec(self) -> EnvSpec | None:
        """What Gymnasium made the environment of, with the length of its episodes as `max_episode_steps`.

        Scenario and reward are builtin types in it, so that files can hold it.
        """
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = copy(spec)
        if self._spec is not None:
            self._spec.kwargs = {name: _builtin(value) for name, value in self._spec.kwargs.items()}
            self._spec.max_episode_steps = self._episode_steps

    @property
    def allocations(self) -> npt.NDArray[np.int64]:
        """All allocations in the order of their numbers (num_allocations, n_slices) [units]; read-only.

        Raises:
            ValueError: there are more than 2 million.
        """
        codec = self.space_spec.action_codec
        if isinstance(codec, DiscreteCodec):
            return codec.allocations(self.scenario)
        return allocation_table(self.scenario.num_units, self.scenario.num_slices)

    @property
    def reference_allocations(self) -> dict[str, tuple[int, ...]]:
        """Allocations [units] that a picture compares the episode with, each held throughout, by name.

        By default the best fixed one, where the scenario is a preset, and hard slicing. Set it to compare with others;
        the next episode has them. A backend without `clone` is compared with none.

        Raises:
            TypeError, ValueError: set to other than up to four allocations by name; the message names the wrong one.
        """
        return self._default_references() if self._references is None else dict(self._references)

    @reference_allocations.setter
    def reference_allocations(self, value: Mapping[str, npt.ArrayLike]) -> None:
        scenario, most = self.scenario, len(REFERENCE_COLOURS)
        check_instance("reference_allocations", value, (Mapping,))
        if len(value) > most:
            raise ValueError(f"reference_allocations: {len(value)} given, allowed are {most} or fewer, one a colour")
        checked: dict[str, tuple[int, ...]] = {}
        for name, units in value.items():
            check_instance("reference_allocations: a name", name, (str,))
            with named(f"reference_allocations.{name}"):
                rows = checked_allocations(units, 1, scenario.num_units, scenario.num_slices)
            checked[name] = tuple(rows[0].tolist())
        self._references = checked

    def _default_references(self) -> dict[str, tuple[int, ...]]:
        hard = tuple(even_split(self.scenario.num_units, self.scenario.num_slices).tolist())
        best = best_fixed_units(self.scenario)
        return ({} if best is None else {"best fixed": best}) | {"hard slicing": hard}

    @property
    def sums_over_slices(self) -> bool | None:
        """Whether the reward is a sum of one term per slice, so that values of allocations nearly are, too.

        It is for the kind "utility"; a `reward_function` of your own says so by an attribute of this name, and is None,
        unknown, without it.
        """
        return self.space_spec.sums_over_slices

    @abstractmethod
    def _make_backend(self, seeds: Sequence[int]) -> Backend:
        """The cells of these seeds."""

    def _rewards(self, info: MeasuredInfo, thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The rewards (k,) of what k cells brought, at thresholds (k,)."""
        return self.space_spec.rewards(info, thresholds)

    def _broken_off(self, info: MeasuredInfo) -> npt.NDArray[np.bool_]:
        """In which of k cells the episode ends early (k,)."""
        return np.zeros(len(info["utility"]), np.bool_)

    @property
    def decisions(self) -> int:
        """Decisions taken over all episodes, in a batch by all cells; the shaped reward's threshold grows with them.

        A reset that seeds (in a batch: every cell) takes the count back to what it was set to (0, if it never was).
        """
        return self._decisions

    @decisions.setter
    def decisions(self, value: int) -> None:
        self._decisions = self._first_decision = check_integer("decisions", value, at_least=0, at_most=2**62)


def refuse_unknown(unknown: dict[str, Any], environment: type) -> None:
    """Raise a TypeError for arguments that `environment` does not have, naming those it has."""
    allowed = [name for name in inspect.signature(environment).parameters if name != "unknown"]
    for name in unknown:
        # Gymnasium and TorchRL look for Python's own phrase in the message.
        raise TypeError(
            f"{environment.__name__}.__init__() got an unexpected keyword argument {name!r}; "
            + unknown_name(environment.__name__, name, allowed)
        )


def refuse_env_config(argument: object, env_id: str) -> None:
    """Raise a TypeError for what RLlib gives to a class of environments as its only argument.

    Args:
        argument: the first one.
        env_id: the id under which RLlib takes such a mapping as arguments.
    """
    if hasattr(argument, "worker_index"):
        raise TypeError(
            f"env_config: {argument!r} given in place of arguments; allowed is "
            f"config.environment({env_id!r}, env_config={{...}}), which gives its entries by name"
        )


def check_options(options: Mapping[str, Any] | None, allowed: Sequence[str]) -> None:
    """Refuse options of a reset that nothing here reads; frameworks give None or an empty mapping.

    Raises:
        TypeError: they are no mapping.
        ValueError: the message names the option, and those that there are.
    """
    check_instance("options", options, (Mapping, type(None)))
    for name in options or {}:
        if name not in allowed:
            where = "" if allowed else "; a cell is chosen by seed= of reset, its scenario when it is made"
            raise ValueError(unknown_name("options", name, allowed) + where)


def _builtin(value: Any) -> Any:
    """An argument of an environment, as JSON can hold it if it is one of ours."""
    if isinstance(value, Scenario):
        return value.to_dict()
    if isinstance(value, Reward):
        return asdict(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.generic):
        return value.item()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def check_render_mode(render_mode: str | None, allowed: tuple[str, ...] = RENDER_MODES) -> str | None:
    """The render mode, if there is such a one."""
    if render_mode is not None and render_mode not in allowed:
        raise ValueError(unknown_name("render_mode", render_mode, allowed))
    return render_mode
