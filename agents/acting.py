"""An environment and the wrappers around it, as builtin types and arrays: it goes on bit for bit."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy.typing as npt
import torch
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule, LinearSchedule

from agents.packing import Arrays, UnstorableError, pack, part_of, unpack, with_prefix
from agents.protocols import AnyEnv

UNCHANGING = (
    *(type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType),
    *(FloatSchedule, ConstantSchedule, LinearSchedule, gym.Space, torch.device, torch.dtype, Logger),
)
"""Kinds of attributes that are no state."""

_WRAPPER = frozenset(
    (
        *("env", "venv", "_action_space", "_observation_space", "_metadata", "_cached_spec", "_saved_kwargs"),
        "class_attributes",
    )
)
"""Attributes of every wrapper that are no state of its own."""


def pack_env(wrappers: Sequence[object], env: AnyEnv, arrays: Arrays) -> dict[str, Any]:
    """An environment that was reset; its arrays go to `arrays`.

    Args:
        wrappers: around it, outermost first.
        env: without them; it has `state()` and `restore(state)`.
        arrays: by name.

    Raises:
        TypeError: it lacks these.
        UnstorableError: an attribute of a wrapper cannot be stored.
    """
    packed = {
        f"wrapper_{number}": pack(changing(wrapper), f"acting.wrapper_{number}", arrays)
        for number, wrapper in enumerate(wrappers)
    }
    arrays |= with_prefix(_with_state(env).state(), "environment.")
    packed["np_random"] = pack(env._np_random, "acting.np_random", arrays)
    return packed


def unpack_env(
    packed: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    wrappers: Sequence[object],
    env: AnyEnv,
) -> None:
    """Take an environment that was reset, and its wrappers, to where `pack_env` found them."""
    for number, wrapper in enumerate(wrappers):
        own = changing(wrapper)
        for name, each in unpack(packed[f"wrapper_{number}"], arrays, own).items():
            setattr(wrapper, name, each)
    _with_state(env).restore(part_of(arrays, "environment."))
    env._np_random = unpack(packed["np_random"], arrays, env._np_random)


def _with_state(env: AnyEnv) -> Any:
    if not hasattr(env, "state") or not hasattr(env, "restore"):
        raise TypeError(f"env: {env} has no state() and restore(state), which a checkpoint needs")
    return env


def changing(wrapper: object) -> dict[str, Any]:
    """Attributes of a wrapper that may change while it runs.

    Raises:
        UnstorableError: one of them cannot be stored.
    """
    found: dict[str, Any] = {}
    for name, part in vars(wrapper).items():
        if name in _WRAPPER or isinstance(part, UNCHANGING):
            continue
        try:
            pack(part, name, {})
        except UnstorableError as error:
            raise UnstorableError(f"env.wrappers: {type(wrapper).__name__}.{error.path}", error.part) from None
        found[name] = part
    return found


def wrappers_of(env: AnyEnv) -> list[AnyEnv]:
    """The wrappers around an environment, outermost first."""
    found: list[AnyEnv] = []
    while isinstance(env, gym.Wrapper | gym.vector.VectorWrapper):
        found.append(env)
        env = env.env
    return found
