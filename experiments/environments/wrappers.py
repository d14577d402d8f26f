"""Wrappers as configurations name them: classes found, made, and what they learn while they run."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorWrapper
from gymnasium.wrappers.utils import RunningMeanStd

from agents.registry import allow_module_of, arguments_of, named, with_classes
from slicing_gym.errors import unknown_name


def find_wrapper(key: str, base: type, given: Mapping[str, Any], typed: bool) -> tuple[Any, dict[str, Any]]:
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


def find_part(key: str, given: Any, typed: bool) -> tuple[Any, dict[str, Any] | None]:
    """An observer or a reward function, and how a run's files name it.

    Args:
        key: where it is given.
        given: the object itself; or `_target_` and arguments, as a configuration names it; or None.
        typed: see `find_wrapper`.

    Raises:
        ValueError, TypeError: it cannot be found, made or named; the message says why.
    """
    if given is None:
        return None, None
    if not isinstance(given, Mapping):
        allow_module_of(given)
        return given, _name_of(key, given)
    if "_target_" not in given:
        raise TypeError(f"{key}: {given!r} given, allowed are mappings with _target_ and arguments")
    found: Any = named(f"{key}._target_", str(given["_target_"]), *(() if typed else (("slicing_gym",),)))
    arguments = {str(name): value for name, value in given.items() if name != "_target_"}
    try:
        inspect.signature(found).bind_partial(**arguments)
        made = found(**arguments) if isinstance(found, type) else partial(found, **arguments) if arguments else found
    except Exception as error:  # a class of the user's own may refuse in any way
        raise ValueError(f"{key}: {given['_target_']} cannot be made so ({type(error).__name__}: {error})") from error
    return made, dict(given)


def _name_of(key: str, part: Any) -> dict[str, Any]:
    """How a run's files name an object: its class, and the arguments that it was made with.

    Raises:
        TypeError: its attributes do not tell them.
    """
    if inspect.isfunction(part):
        return {"_target_": f"{part.__module__}.{part.__qualname__}"}
    arguments = {}
    for name in arguments_of(type(part)):
        value = getattr(part, name, arguments_of)
        if not isinstance(value, bool | int | float | str | list | tuple | None):
            raise TypeError(
                f"{key}: a run's files cannot name {part!r}: its argument {name} is no attribute of that name that "
                "JSON can hold; allowed are functions, and objects whose arguments are such attributes"
            )
        arguments[name] = value
    return {"_target_": f"{type(part).__module__}.{type(part).__qualname__}", **arguments}


_WRITE = ("RecordVideo", "HumanRendering")
"""Wrappers of Gymnasium that write files or open windows."""


def wrap(key: str, kind: Any, env: Any, arguments: Mapping[str, Any]) -> Any:
    """An environment in a wrapper.

    Raises:
        ValueError: it does not take it so.
    """
    try:
        return kind(env, **arguments)
    except Exception as error:  # a wrapper of the user's own may refuse in any way
        raise ValueError(f"{key}: {kind.__name__} cannot be made so ({type(error).__name__}: {error})") from error


def layers(env: Any) -> list[Any]:
    """The wrappers around an environment or a batch, outermost first."""
    found = []
    while isinstance(env, gym.Wrapper | VectorWrapper):
        found.append(env)
        env = env.env
    return found


def learned_statistics(env: Any) -> list[tuple[Any, str]]:
    """What wrappers learn of observations or rewards, outermost first: the wrapper, and the attribute that has it."""
    return [
        (wrapper, name)
        for wrapper in layers(env)
        for name, part in vars(wrapper).items()
        if isinstance(part, RunningMeanStd)
    ]
