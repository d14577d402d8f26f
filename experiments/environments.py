"""Where agents act: the simulator's cell and the twin's cells, both under the wrappers that a config names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from omegaconf import DictConfig

import slicing_gym  # noqa: F401  # registers SliceRAN-v0
import twin  # noqa: F401  # registers SliceTwin-v0
from agents.packing import Arrays, pack, unpack
from agents.registry import arguments_of, named, with_classes
from agents.state import check_wrapper
from experiments.config import plain_of
from slicing_gym import Scenario
from slicing_gym.errors import unknown_name

AnyVectorEnv = VectorEnv[Any, Any, Any]

_NEEDED = ("arrivals", "allocation", "utility", "ssr", "spectral_efficiency", "threshold")
"""What an environment's info has to tell, whatever wraps it."""


class Environments:
    """Environments of a scenario, wrapped as a config says.

    Args:
        scenario: of all of them.
        wrappers: of `gym.Wrapper`, innermost first: `_target_` and arguments.
        vector_wrappers: of `VectorWrapper`, that do the same to a native batch as `wrappers` to a cell. Without them
            the cells of a wrapped batch are run one by one, which is slower.

    Raises:
        ValueError, TypeError: a wrapper is none, or does not take an argument; the message names it.
    """

    def __init__(
        self,
        scenario: Scenario,
        wrappers: Sequence[Mapping[str, Any]] = (),
        vector_wrappers: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.scenario = scenario
        self._wrappers = [_wrapper("env.wrappers", gym.Wrapper, each) for each in wrappers]
        self._vector_wrappers = [_wrapper("env.vector_wrappers", VectorWrapper, each) for each in vector_wrappers]
        if vector_wrappers and not wrappers:
            raise ValueError("env.vector_wrappers: given without env.wrappers, allowed beside those that do the same")

    @classmethod
    def of(cls, scenario: Scenario, config: DictConfig | None) -> Environments:
        """The environments of a config's `env`."""
        given = {} if config is None else plain_of(config)
        return cls(scenario, given.get("wrappers", ()), given.get("vector_wrappers", ()))

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
        """Of the wrappers, as messages name them."""
        return ", ".join(kind.__name__ for kind, _ in self._wrappers)

    @property
    def keep_observations(self) -> bool:
        """Whether an agent sees what the scenario's environment shows: its wrappers change the reward alone."""
        return all(issubclass(kind, gym.RewardWrapper) for kind, _ in self._wrappers)

    def real(self) -> gym.Env[Any, Any]:
        """The cell that Agent 1 acts in."""
        return self._wrap(gym.make("SliceRAN-v0", scenario=self.scenario))

    def twin(self, number: int, **arguments: Any) -> AnyVectorEnv:
        """Cells of a twin; an episode follows the last one within a step.

        Args:
            number: of cells.
            arguments: of `SliceTwin-v0`.
        """
        return self._batch("SliceTwin-v0", number, {**arguments, "scenario": self.scenario})

    def cells(self, number: int, num_threads: int = 1) -> AnyVectorEnv:
        """Cells of the simulator, in which policies are compared; an episode follows the last one within a step."""
        return self._batch("SliceRAN-v0", number, {"scenario": self.scenario}, num_threads)

    def _batch(self, name: str, number: int, arguments: Mapping[str, Any], num_threads: int = 1) -> AnyVectorEnv:
        if self.one_by_one:
            one_by_one = [lambda: self._wrap(gym.make(name, **arguments))] * number
            return SyncVectorEnv(one_by_one, autoreset_mode=AutoresetMode.SAME_STEP)
        mode = (
            "Disabled" if self._vector_wrappers else "SameStep"
        )  # Gymnasium's vector wrappers know no reset in a step
        envs: AnyVectorEnv = gym.make_vec(name, number, autoreset_mode=mode, num_threads=num_threads, **arguments)
        for kind, own in self._vector_wrappers:
            envs = kind(envs, **own)
        return envs

    def _wrap(self, env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
        for kind, own in self._wrappers:
            env = kind(env, **own)
        return env

    def check(self, with_twin: bool) -> None:
        """Refuse wrappers with which the loops would not be right; two decisions are taken to see.

        Args:
            with_twin: whether there is a twin, too.

        Raises:
            ValueError, TypeError: the message names the wrapper, and what is allowed.
        """
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
        if with_twin and (_statistics(env) or _statistics(batch)):
            raise ValueError(
                f"env.wrappers: {', '.join(_statistics(env) or _statistics(batch))} learn statistics while they run, "
                "which the real environment and the twin would not share; allowed with a twin are wrappers without"
            )
        _check_steps(env, self.names)

    def statistics(self, env: gym.Env[Any, Any]) -> tuple[Any, Arrays]:
        """What the wrappers of a real environment have learned while it ran: plain data, and arrays by name."""
        arrays: Arrays = {}
        return pack(_statistics(env), "statistics", arrays), arrays

    def with_statistics(self, envs: AnyVectorEnv, packed: Any, arrays: Arrays) -> AnyVectorEnv:
        """Cells whose wrappers go by what those of the real environment have learned, and learn no more."""
        chains = [envs, *(envs.unwrapped.envs if isinstance(envs.unwrapped, SyncVectorEnv) else ())]
        for chain in chains:
            found = _statistics(chain)
            if found:
                unpack(packed, arrays, found)
            for wrapper in _layers(chain):
                if hasattr(wrapper, "update_running_mean"):
                    wrapper.update_running_mean = False
        return envs


def _wrapper(key: str, base: type, given: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The class of a wrapper and its arguments.

    Raises:
        ValueError, TypeError: it is none, or does not take one of them.
    """
    if not isinstance(given, Mapping) or "_target_" not in given:
        raise TypeError(f"{key}: {given!r} given, allowed are mappings with _target_ and arguments")
    arguments = {str(name): value for name, value in given.items() if name != "_target_"}
    kind = named(f"{key}._target_", str(given["_target_"]))
    if not isinstance(kind, type) or not issubclass(kind, base):
        raise TypeError(f"{key}: {given['_target_']!r} is no {base.__module__}.{base.__name__}")
    known = arguments_of(kind).keys() - {"env"}
    for name in arguments:
        if name not in known:
            raise ValueError(unknown_name(f"{key} ({kind.__name__})", name, known))
    return kind, with_classes(key, arguments)


def _layers(env: Any) -> list[Any]:
    """The wrappers around an environment or a batch, outermost first."""
    found = []
    while isinstance(env, gym.Wrapper | VectorWrapper):
        found.append(env)
        env = env.env
    return found


def _statistics(env: Any) -> dict[str, Any]:
    """What wrappers have learned of observations or rewards, by wrapper and attribute."""
    found = {}
    for wrapper in _layers(env):
        check_wrapper(wrapper)
        for name, part in vars(wrapper).items():
            if type(part).__name__ == "RunningMeanStd":
                found[f"{type(wrapper).__name__}.{name}"] = part
    return found


def _check_steps(env: gym.Env[Any, Any], names: str) -> None:
    """Refuse wrappers that hide what a decision brought, take several at once, or cannot be stored.

    Raises:
        ValueError: the message names them.
    """
    _, info = env.reset(seed=0)
    for number in range(1, 3):
        for key in _NEEDED:
            if key not in info:
                raise ValueError(f"env.wrappers: {names} hide info[{key!r}], which the loops need")
        *_, info = env.step(np.int64(0))
        if env.unwrapped.decisions != number:  # type: ignore[attr-defined]
            raise ValueError(f"env.wrappers: {names} take several decisions a step, allowed is one")
    for wrapper in _layers(env):
        check_wrapper(wrapper)
        for name, part in vars(wrapper).items():
            if type(part).__name__ == "RunningMeanStd" and not hasattr(wrapper, "update_running_mean"):
                raise ValueError(
                    f"env.wrappers: {type(wrapper).__name__}.{name} learns statistics, but has no update_running_mean "
                    "that stops it for evaluation"
                )
    env.close()


def advance(
    envs: AnyVectorEnv, actions: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]], npt.NDArray[np.bool_]]:
    """Take a decision in every cell; where an episode ends the next one begins.

    Args:
        envs: of `Environments`.
        actions: (num_envs,).

    Returns:
        Observations to decide on next, what each decision brought by name (that of the reset is left out), and in which
        cells an episode has ended.
    """
    observations, _, terminations, truncations, info = envs.step(actions)
    over = np.asarray(terminations | truncations)
    if not over.any():
        return observations, info, over
    if "final_info" not in info:
        observations, _ = envs.reset(options={"reset_mask": over})
        return observations, info, over
    brought = {key: info[key].copy() for key in _NEEDED}
    for key in _NEEDED:
        brought[key][over] = info["final_info"][key][over]
    return observations, brought, over


def scenario_of(envs: AnyVectorEnv) -> Scenario:
    """The scenario of a batch, wrapped or not, native or one by one."""
    inner: Any = envs.unwrapped
    env: Any = inner.envs[0].unwrapped if isinstance(inner, SyncVectorEnv) else inner
    found = env.scenario
    assert isinstance(found, Scenario)
    return found
