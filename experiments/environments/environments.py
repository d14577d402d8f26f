"""Where agents act: the simulator's cell and the twin's cells, both under the wrappers that a config names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from gymnasium.wrappers.utils import RunningMeanStd

import slicing_gym  # noqa: F401  # registers SliceRAN-v0
import twin  # noqa: F401  # registers SliceTwin-v0
from agents.packing import Arrays, pack, unpack
from agents.registry import arguments_of, named, with_classes
from agents.state import changing
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
        typed: whether the user typed them; False: they are out of a run's files, which may name nothing but wrappers of
            Gymnasium that write no files, and what the user has asked for.

    Raises:
        ValueError, TypeError: a wrapper is none, or does not take an argument; the message names it.
    """

    def __init__(
        self,
        scenario: Scenario,
        wrappers: Sequence[Mapping[str, Any]] = (),
        vector_wrappers: Sequence[Mapping[str, Any]] = (),
        *,
        typed: bool = True,
    ) -> None:
        self.scenario = scenario
        self._wrappers = [_wrapper("env.wrappers", gym.Wrapper, each, typed) for each in wrappers]
        self._vector_wrappers = [
            _wrapper("env.vector_wrappers", VectorWrapper, each, typed) for each in vector_wrappers
        ]
        if vector_wrappers and not wrappers:
            raise ValueError("env.vector_wrappers: given without env.wrappers; allowed are those that do the same")

    @classmethod
    def of(cls, scenario: Scenario, config: Mapping[str, Any] | None, *, typed: bool = True) -> Environments:
        """The environments of a config's `env`."""
        given = config or {}
        return cls(scenario, given.get("wrappers", ()), given.get("vector_wrappers", ()), typed=typed)

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
            envs = _made("env.vector_wrappers", kind, envs, own)
        return envs

    def _wrap(self, env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
        for kind, own in self._wrappers:
            env = _made("env.wrappers", kind, env, own)
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
        learned = _statistics(env) or _statistics(batch)
        if with_twin and learned:
            names = ", ".join(sorted({type(wrapper).__name__ for wrapper, _ in learned}))
            raise ValueError(
                f"env.wrappers: {names} learns statistics while it runs, which the real environment and the twin would "
                "not share; allowed with a twin are wrappers without"
            )
        _check_steps(env, self.names, tuple(kind for kind, _ in self._wrappers))
        if self._vector_wrappers and not learned:
            _check_alike(batch, [self.real(), self.real()])
        self.with_statistics(batch, *self.statistics(env))

    def statistics(self, env: gym.Env[Any, Any]) -> tuple[Any, Arrays]:
        """What the wrappers of a real environment have learned while it ran: plain data, and arrays by name."""
        arrays: Arrays = {}
        return pack([getattr(*each) for each in _statistics(env)], "statistics", arrays), arrays

    def with_statistics(self, envs: AnyVectorEnv, packed: Any, arrays: Arrays) -> AnyVectorEnv:
        """Cells whose wrappers go by what those of the real environment have learned, and learn no more.

        Raises:
            ValueError: they do not learn the same.
        """
        if not packed["rows"]:
            return envs
        inner = envs.unwrapped
        for chain in inner.envs if isinstance(inner, SyncVectorEnv) else [envs]:
            found = [getattr(*each) for each in _statistics(chain)]
            if len(found) != len(packed["rows"]):
                raise ValueError(
                    f"env.vector_wrappers: they learn {len(found)} statistics where env.wrappers learn "
                    f"{len(packed['rows'])}; allowed are those that do the same"
                )
            unpack(packed, arrays, found)
            for wrapper in _layers(chain):
                if hasattr(wrapper, "update_running_mean"):
                    wrapper.update_running_mean = False
        return envs


def _wrapper(key: str, base: type, given: Mapping[str, Any], typed: bool) -> tuple[Any, dict[str, Any]]:
    """The class of a wrapper and its arguments.

    Raises:
        ValueError, TypeError: it is none, or does not take one of them.
    """
    if not isinstance(given, Mapping) or "_target_" not in given:
        raise TypeError(f"{key}: {given!r} given, allowed are mappings with _target_ and arguments")
    arguments = {str(name): value for name, value in given.items() if name != "_target_"}
    target = str(given["_target_"])
    kind = named(f"{key}._target_", target) if typed else named(f"{key}._target_", target, ("gymnasium.wrappers",))
    if not isinstance(kind, type) or not issubclass(kind, base):
        raise TypeError(f"{key}: {target!r} is no {base.__module__}.{base.__name__}")
    if not typed and kind.__name__ in _WRITE:
        raise ValueError(f"{key}: {target!r} writes files, allowed in a run's files are wrappers that do not")
    known = arguments_of(kind).keys() - {"env"}
    for name in arguments:
        if name not in known:
            raise ValueError(unknown_name(f"{key} ({kind.__name__})", name, known))
    return kind, with_classes(key, arguments) if typed else with_classes(key, arguments, ())


_WRITE = ("RecordVideo", "HumanRendering")
"""Wrappers of Gymnasium that write files or open windows."""


def _made(key: str, kind: Any, env: Any, arguments: Mapping[str, Any]) -> Any:
    """An environment in a wrapper.

    Raises:
        ValueError: it does not take it so.
    """
    try:
        return kind(env, **arguments)
    except Exception as error:  # a wrapper of the user's own may refuse in any way
        raise ValueError(f"{key}: {kind.__name__} cannot be made so ({type(error).__name__}: {error})") from error


def _layers(env: Any) -> list[Any]:
    """The wrappers around an environment or a batch, outermost first."""
    found = []
    while isinstance(env, gym.Wrapper | VectorWrapper):
        found.append(env)
        env = env.env
    return found


def _statistics(env: Any) -> list[tuple[Any, str]]:
    """What wrappers learn of observations or rewards, outermost first: the wrapper, and the attribute that has it."""
    return [
        (wrapper, name)
        for wrapper in _layers(env)
        for name, part in vars(wrapper).items()
        if isinstance(part, RunningMeanStd)
    ]


def _check_steps(env: gym.Env[Any, Any], names: str, kinds: tuple[type, ...]) -> None:
    """Refuse wrappers that hide what a decision brought, take several at once, or keep what cannot be carried along.

    Raises:
        ValueError: the message names them.
    """
    _, info = env.reset(seed=0)
    wrappers = [wrapper for wrapper in _layers(env) if isinstance(wrapper, kinds)]
    before = [_state_of(wrapper) for wrapper in wrappers]
    for number in range(1, 3):
        for key in _NEEDED:
            if key not in info:
                raise ValueError(f"env.wrappers: {names} hide info[{key!r}], which the loops need")
        *_, info = env.step(np.int64(0))
        if env.unwrapped.decisions != number:  # type: ignore[attr-defined]
            raise ValueError(f"env.wrappers: {names} take several decisions a step, allowed is one")
    env.reset(seed=0)
    for wrapper, state in zip(wrappers, before, strict=True):
        if hasattr(wrapper, "update_running_mean") or isinstance(wrapper, gym.wrappers.RecordEpisodeStatistics):
            continue
        kept = [name for name, part in _state_of(wrapper).items() if part != state.get(name)]
        if kept:
            raise ValueError(
                f"env.wrappers: {type(wrapper).__name__}.{kept[0]} goes on from episode to episode, which evaluation "
                "could not stop; allowed are wrappers that begin again with each reset, or have update_running_mean"
            )
    env.close()


def _state_of(wrapper: object) -> dict[str, Any]:
    """What a wrapper holds, by attribute, to be compared.

    Raises:
        UnstorableError: no checkpoint could hold it; the message names the attribute.
    """
    found = {}
    for name, part in changing(wrapper).items():
        arrays: Arrays = {}
        plain = pack(part, name, arrays)
        found[name] = repr(plain), {key: array.tobytes() for key, array in arrays.items()}
    return found


def _check_alike(batch: AnyVectorEnv, envs: Sequence[gym.Env[Any, Any]]) -> None:
    """Refuse vector wrappers that do not make of cells what the scalar wrappers do.

    Raises:
        ValueError: observations or rewards differ.
    """
    seen, _ = batch.reset(seed=[0, 1])  # type: ignore[arg-type]
    own = [env.reset(seed=seed)[0] for seed, env in enumerate(envs)]
    rewards, own_rewards = np.zeros(len(envs)), [0.0] * len(envs)
    for action in range(3):
        if not np.allclose(seen, own) or not np.allclose(rewards, own_rewards):
            raise ValueError(
                f"env.vector_wrappers: they show {np.asarray(seen).tolist()} and reward {rewards.tolist()} where "
                f"env.wrappers show {np.asarray(own).tolist()} and {own_rewards}; allowed are those that do the same"
            )
        seen, rewards, *_ = batch.step(np.full(len(envs), action))
        steps = [env.step(np.int64(action)) for env in envs]
        own, own_rewards = [step[0] for step in steps], [float(step[1]) for step in steps]


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
