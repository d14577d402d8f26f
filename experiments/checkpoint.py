"""Checkpoints of a run: everything that changes, in one file that is either whole or not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.save_util import recursive_getattr
from stable_baselines3.common.vec_env import DummyVecEnv

from agents import DQN
from agents.replay import ReplayBuffer
from slicing_gym import SliceRANEnv
from slicing_gym.files import atomic_write
from slicing_gym.plain_data import differences

FORMAT_VERSION = 2
FILE = "checkpoint.npz"

Arrays = dict[str, npt.NDArray[Any]]

_COUNTERS = (
    "num_timesteps",
    "_total_timesteps",
    "_num_timesteps_at_start",
    "_episode_num",
    "_n_updates",
    "_n_calls",
    "_current_progress_remaining",
    "exploration_rate",
    "mean_reward",
)
"""Of an agent: what Stable-Baselines3 counts, and the mean that rewards are centred by."""


def write(path: Path, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write a checkpoint, atomically.

    Args:
        path: of the file.
        header: plain data.
        arrays: by name.
    """
    text = json.dumps({"format": FORMAT_VERSION, **header})
    with atomic_write(path) as file:
        np.savez(file, allow_pickle=False, header=np.array(text), **arrays)


def read(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Header and arrays of a checkpoint; reading runs no code.

    Raises:
        ValueError: the file is damaged, or is of another version.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(str(arrays.pop("header")))
        version = header.pop("format")
    except Exception as error:  # a damaged archive fails in many ways
        raise ValueError(f"resume: {str(path)!r} is not a checkpoint, or is damaged ({error})") from error
    if version != FORMAT_VERSION:
        raise ValueError(f"resume: {str(path)!r} has format {version!r}, allowed is {FORMAT_VERSION}")
    return header, arrays


def check_same_config(folder: Path, stored: Any, given: Any) -> None:
    """Refuse to go on with another configuration.

    Raises:
        ValueError: the message shows every key that differs.
    """
    found = differences(stored, given)
    if found:
        lines = "".join(f"\n  {key}: {own!r} there, {other!r} given" for key, own, other in found)
        raise ValueError(f"resume: the run in {str(folder)!r} has another configuration:{lines}")


def agent_state(agent: DQN, replay: bool = True) -> tuple[dict[str, Any], Arrays]:
    """Everything that an agent and its scalar environment are made of, as plain data and arrays.

    Args:
        agent: whose.
        replay: with what it has lived through: replay buffer, environment and last observation.
    """
    plain: dict[str, Any] = {name: getattr(agent, name) for name in _COUNTERS}
    plain["generator"] = agent.generator.bit_generator.state
    arrays: Arrays = {}
    names, _ = agent._get_torch_save_params()
    for name in names:
        _flatten(name, recursive_getattr(agent, name).state_dict(), plain, arrays)
    if replay:
        assert isinstance(agent.replay_buffer, ReplayBuffer)
        arrays |= {f"replay.{name}": array for name, array in agent.replay_buffer.state().items()}
        if agent._last_obs is not None:
            arrays["last_observation"] = np.array(agent._last_obs)
            arrays |= {f"environment.{name}": array for name, array in scalar_env(agent).state().items()}
    return plain, arrays


def restore_agent(agent: DQN, plain: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Make an agent of the same configuration what `agent_state` described."""
    for name in _COUNTERS:
        setattr(agent, name, plain[name])
    agent.generator.bit_generator.state = plain["generator"]
    names, _ = agent._get_torch_save_params()
    for name in names:
        part = recursive_getattr(agent, name)
        part.load_state_dict(_unflatten(name, plain, arrays))
    replay = part_of(arrays, "replay.")
    if replay:
        assert isinstance(agent.replay_buffer, ReplayBuffer)
        agent.replay_buffer.restore(replay)
    if "last_observation" in arrays:
        assert agent.env is not None
        agent.env.reset()  # SB3's wrappers want it
        agent._last_obs = arrays["last_observation"]
        scalar_env(agent).restore(part_of(arrays, "environment."))


def scalar_env(agent: DQN) -> SliceRANEnv:
    """The environment that an agent acts in."""
    batch = agent.env
    assert isinstance(batch, DummyVecEnv)
    env: gym.Env[Any, Any] = batch.envs[0].unwrapped
    assert isinstance(env, SliceRANEnv)
    return env


def part_of(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Arrays:
    """Those whose names begin so, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def with_prefix(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Arrays:
    """The inverse of `part_of`."""
    return {f"{prefix}{name}": array for name, array in arrays.items()}


def _flatten(name: str, state: Any, plain: dict[str, Any], arrays: Arrays) -> None:
    """Lay a state dict out as arrays named by their path, with a skeleton of the rest in `plain`."""

    def skeleton(value: Any, path: str) -> Any:
        if isinstance(value, torch.Tensor):
            arrays[path] = value.detach().cpu().numpy().copy()
            return {"array": path}
        if isinstance(value, Mapping):
            return {"items": [[key, skeleton(each, f"{path}.{key}")] for key, each in value.items()]}
        if isinstance(value, list | tuple):
            return {"list": [skeleton(each, f"{path}.{number}") for number, each in enumerate(value)]}
        return {"value": value}

    plain[name] = skeleton(state, f"learned.{name}")


def _unflatten(name: str, plain: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    def whole(part: Any) -> Any:
        if "array" in part:
            return torch.from_numpy(arrays[part["array"]].copy())
        if "items" in part:
            return {key: whole(each) for key, each in part["items"]}
        if "list" in part:
            return [whole(each) for each in part["list"]]
        return part["value"]

    return whole(plain[name])
