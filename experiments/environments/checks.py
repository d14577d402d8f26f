"""Wrappers with which the loops would not be right, refused after a few decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from agents.acting import changing
from agents.packing import Arrays, pack
from experiments.environments.stepping import NEEDED, AnyVectorEnv
from experiments.environments.wrappers import layers
from slicing_gym import Observer, RewardFunction, Scenario, Simulator
from slicing_gym.observation import MeasuredInfo
from twin import PERFORMANCE


def check_measured(scenario: Scenario, observer: Observer | None, reward_function: RewardFunction | None) -> None:
    """Refuse an observer or a reward function that asks for what a twin does not have: its history measures less.

    Raises:
        ValueError: the message names the key.
    """
    measured = Simulator(scenario, [0]).begin_episode().info()
    known = ("arrivals", "allocation", *(column.name for column in PERFORMANCE), "utility")
    info = MeasuredInfo({**{key: measured[key] for key in known}, "epistemic_std": np.zeros(1)})
    try:
        key = "env.observer"
        if observer is not None:
            observer.observe(scenario, info)
        key = "env.reward_function"
        if reward_function is not None:
            reward_function(scenario, info, np.zeros(1))
    except ValueError as error:
        raise ValueError(f"{key}: {error}; with a twin it can have what a history measures") from None


def check_steps(env: gym.Env[Any, Any], names: str, kinds: tuple[type, ...]) -> None:
    """Refuse wrappers that hide what a decision brought, take several at once, or keep what cannot be carried along.

    Raises:
        ValueError: the message names them.
    """
    _, info = env.reset(seed=0)
    wrappers = [wrapper for wrapper in layers(env) if isinstance(wrapper, kinds)]
    before = [_state_of(wrapper) for wrapper in wrappers]
    for number in range(1, 3):
        for key in NEEDED:
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


def check_alike(batch: AnyVectorEnv, envs: Sequence[gym.Env[Any, Any]]) -> None:
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
