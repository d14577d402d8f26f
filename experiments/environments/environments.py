"""Where agents act: the simulator's cell and the twin's cells, both under the wrappers that a config names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorWrapper

import slicing_gym  # noqa: F401  # registers SliceRAN-v0
import twin  # noqa: F401  # registers SliceTwin-v0
from agents.packing import Arrays, pack, unpack
from experiments.environments.checks import check_alike, check_measured, check_steps
from experiments.environments.stepping import AnyVectorEnv
from experiments.environments.wrappers import find_part, find_wrapper, layers, learned_statistics, wrap
from slicing_gym import Observer, RewardFunction, Scenario, get_scenario
from slicing_gym.space_spec import SpaceSpec


class Environments:
    """Environments of a scenario, wrapped as a config says.

    Args:
        scenario: of all of them; a preset's name or a `Scenario`.
        wrappers: of `gym.Wrapper`, innermost first: `_target_` and arguments.
        vector_wrappers: of `VectorWrapper`, that do the same to a native batch as `wrappers` to a cell. Without them
            the cells of a wrapped batch are run one by one, which is slower.
        observer: of all of them, in place of the arrivals; or `_target_` and arguments.
        reward_function: what agents learn from, in place of the scenario's reward; or `_target_` and arguments.
            Policies are compared by the utility all the same.
        typed: whether the user typed them; False: they are out of a run's files, which may name nothing but wrappers of
            Gymnasium that write no files, and what the user has asked for.

    Attributes:
        given: the wrappers as they were given, by argument.

    Raises:
        ValueError, TypeError: a wrapper is none, or does not take an argument; the message names it.
    """

    def __init__(
        self,
        scenario: str | Scenario,
        wrappers: Sequence[Mapping[str, Any]] = (),
        vector_wrappers: Sequence[Mapping[str, Any]] = (),
        observer: Observer | Mapping[str, Any] | None = None,
        reward_function: RewardFunction | Mapping[str, Any] | None = None,
        *,
        typed: bool = True,
    ) -> None:
        self.scenario = get_scenario(scenario)
        self._observer, named_observer = find_part("env.observer", observer, typed)
        self._reward_function, named_reward = find_part("env.reward_function", reward_function, typed)
        try:
            SpaceSpec(self.scenario, None, self._observer, self._reward_function)
        except (TypeError, ValueError) as error:
            raise type(error)(f"env.{error}") from None
        self.given = {
            "wrappers": list(wrappers),
            "vector_wrappers": list(vector_wrappers),
            "observer": named_observer,
            "reward_function": named_reward,
        }
        self._wrappers = [find_wrapper("env.wrappers", gym.Wrapper, each, typed) for each in wrappers]
        self._vector_wrappers = [
            find_wrapper("env.vector_wrappers", VectorWrapper, each, typed) for each in vector_wrappers
        ]
        if vector_wrappers and not wrappers:
            raise ValueError("env.vector_wrappers: given without env.wrappers; allowed are those that do the same")

    @classmethod
    def of(cls, scenario: Scenario, config: Mapping[str, Any] | None, *, typed: bool = True) -> Environments:
        """The environments of a config's `env`."""
        given = config or {}
        known = ["wrappers", "vector_wrappers", "observer"]
        if typed:  # nothing that is done with a run's files depends on what it was rewarded for
            known.append("reward_function")
        return cls(scenario, **{key: given[key] for key in known if key in given}, typed=typed)

    def on(self, scenario: Scenario) -> Environments:
        """The same environments with another reward of the scenario.

        Raises:
            ValueError: it is another scenario.
        """
        if replace(scenario, reward=self.scenario.reward) != self.scenario:
            raise ValueError(f"environments: they are of {self.scenario.name!r}, allowed is {scenario.name!r}")
        other = copy(self)
        other.scenario = scenario
        return other

    @property
    def _arguments(self) -> dict[str, Any]:
        """Of every environment, real or in a twin."""
        return {"scenario": self.scenario, "observer": self._observer, "reward_function": self._reward_function}

    @property
    def wrapped(self) -> bool:
        """Whether there are wrappers."""
        return bool(self._wrappers)

    @property
    def one_by_one(self) -> bool:
        """Whether the cells of a batch are stepped one after the other."""
        return self.wrapped and not self._vector_wrappers

    @property
    def names(self) -> str:
        """Of the wrappers and of the observer, as messages name them."""
        own = [] if self._observer is None else [type(self._observer).__name__]
        return ", ".join([*(kind.__name__ for kind, _ in self._wrappers), *own])

    @property
    def keep_observations(self) -> bool:
        """Whether an agent sees what the scenario's environment shows: its wrappers change the reward alone."""
        return self._observer is None and all(issubclass(kind, gym.RewardWrapper) for kind, _ in self._wrappers)

    def real(self) -> gym.Env[Any, Any]:
        """The cell that Agent 1 acts in."""
        return self._wrap(gym.make("SliceRAN-v0", **self._arguments))

    def acted_in(self, number: int) -> gym.Env[Any, Any] | AnyVectorEnv:
        """The cell that Agent 1 acts in, or so many cells of different seeds."""
        return self.real() if number == 1 else self.cells(number)

    def twin(self, number: int, **arguments: Any) -> AnyVectorEnv:
        """Cells of a twin of the real cell, whatever it held until now; an episode follows the last one within a step.

        Args:
            number: of cells.
            arguments: of `SliceTwin-v0`.
        """
        return self._batch("SliceTwin-v0", number, {**arguments, **self._arguments, "allow_constant": True})

    def cells(self, number: int, num_threads: int = 1) -> AnyVectorEnv:
        """Cells of the simulator, in which policies are compared; an episode follows the last one within a step."""
        return self._batch("SliceRAN-v0", number, self._arguments, num_threads)

    def _batch(self, name: str, number: int, arguments: Mapping[str, Any], num_threads: int = 1) -> AnyVectorEnv:
        if self.one_by_one:
            one_by_one = [lambda: self._wrap(gym.make(name, **arguments))] * number
            return SyncVectorEnv(one_by_one, autoreset_mode=AutoresetMode.SAME_STEP)
        mode = (
            "Disabled" if self._vector_wrappers else "SameStep"
        )  # Gymnasium's vector wrappers know no reset in a step
        envs: AnyVectorEnv = gym.make_vec(name, number, autoreset_mode=mode, num_threads=num_threads, **arguments)
        for kind, own in self._vector_wrappers:
            envs = wrap("env.vector_wrappers", kind, envs, own)
        return envs

    def _wrap(self, env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
        for kind, own in self._wrappers:
            env = wrap("env.wrappers", kind, env, own)
        return env

    def check(self, with_twin: bool) -> None:
        """Refuse wrappers with which the loops would not be right; two decisions are taken to see.

        Args:
            with_twin: whether there is a twin, too.

        Raises:
            ValueError, TypeError: the message names the wrapper, and what is allowed.
        """
        if with_twin:
            check_measured(**self._arguments)
        if self._observer is not None or self._reward_function is not None:
            env = self.real()
            try:
                env.reset(seed=0)
                env.step(np.int64(0))
            except Exception as error:  # parts of the user's own may fail in any way
                raise ValueError(f"env.observer, env.reward_function: {type(error).__name__}: {error}") from error
        if not self.wrapped:
            return
        env, batch = self.real(), self.cells(2)
        seen, actions = env.observation_space, env.action_space
        if not isinstance(seen, gym.spaces.Box) or not isinstance(actions, gym.spaces.Discrete):
            raise TypeError(
                f"env.wrappers: {self.names} make observations {seen} and actions {actions}, allowed are a Box and "
                "Discrete ones"
            )
        spaces = (batch.single_observation_space, batch.single_action_space)
        if spaces != (seen, actions):
            raise ValueError(
                f"env.vector_wrappers: they make {spaces[0]} and {spaces[1]} where env.wrappers make {seen} and "
                f"{actions}; allowed are those that do the same"
            )
        learned = learned_statistics(env) or learned_statistics(batch)
        if with_twin and learned:
            names = ", ".join(sorted({type(wrapper).__name__ for wrapper, _ in learned}))
            raise ValueError(
                f"env.wrappers: {names} learns statistics while it runs, which the real environment and the twin would "
                "not share; allowed with a twin are wrappers without"
            )
        check_steps(env, self.names, tuple(kind for kind, _ in self._wrappers))
        if self._vector_wrappers and not learned:
            check_alike(batch, [self.real(), self.real()])
        self.with_statistics(batch, *self.statistics(env))

    def statistics(self, env: gym.Env[Any, Any] | AnyVectorEnv) -> tuple[Any, Arrays]:
        """What the wrappers of a real environment have learned while it ran: builtin types, and arrays by name."""
        arrays: Arrays = {}
        return pack([getattr(*each) for each in learned_statistics(env)], "statistics", arrays), arrays

    def with_statistics(self, envs: AnyVectorEnv, packed: Any, arrays: Arrays) -> AnyVectorEnv:
        """Cells whose wrappers go by what those of the real environment have learned, and learn no more.

        Raises:
            ValueError: they do not learn the same.
        """
        if not packed["rows"]:
            return envs
        inner = envs.unwrapped
        for chain in inner.envs if isinstance(inner, SyncVectorEnv) else [envs]:
            found = [getattr(*each) for each in learned_statistics(chain)]
            if len(found) != len(packed["rows"]):
                raise ValueError(
                    f"env.vector_wrappers: they learn {len(found)} statistics where env.wrappers learn "
                    f"{len(packed['rows'])}; allowed are those that do the same"
                )
            unpack(packed, arrays, found)
            for wrapper in layers(chain):
                if hasattr(wrapper, "update_running_mean"):
                    wrapper.update_running_mean = False
        return envs
