"""Handing what one agent has learned to another (equation 8)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecNormalize
from torch import nn

from agents.replay import ReplayBuffer
from agents.state import learned_parts, torch_variables


def sync(source: BaseAlgorithm, target: BaseAlgorithm, *, optimizer: bool = False) -> None:
    """θ_target ← θ_source (equation 8): the target takes over all that the source has learned.

    Networks, target networks and (Dueling GAN-DDQN) the critic; the mean that is subtracted where rewards are centred;
    the statistics of a `VecNormalize`. Environments, replay buffers and random generators stay each agent's own, and so
    do epsilon and the learning rate, which each agent's own schedule sets again. Works for agents of this package and
    for any of Stable-Baselines3 and sb3-contrib with the same networks on both sides.

    Args:
        source: whose weights are taken.
        target: who takes them over; it acts in an environment with the same spaces.
        optimizer: take over the optimizers' state, too.

    Raises:
        ValueError: the two do not fit; the message names what differs. Nothing has then been copied.
    """
    _check_same("observation_space", source.observation_space, target.observation_space)
    _check_same("action_space", source.action_space, target.action_space)
    _check_same("head", _head(source), _head(target))
    _check_same("center_rewards", _centers(source), _centers(target))
    _check_same("activation_fn", _activation(source), _activation(target))
    _check_same("VecNormalize", _normalizes(source), _normalizes(target))
    mine, theirs = learned_parts(source), learned_parts(target)
    _check_same("learned parts", sorted(mine), sorted(theirs))
    parts = [(mine[name], theirs[name]) for name in mine]
    for own, other in parts:
        if isinstance(own, nn.Module):
            _check_sizes(own, other)
        elif optimizer:
            _check_same("optimizer_class", type(own).__name__, type(other).__name__)
    for own, other in parts:
        if isinstance(own, nn.Module) or (optimizer and isinstance(own, torch.optim.Optimizer)):
            other.load_state_dict(deepcopy(own.state_dict()))
    with torch.no_grad():
        for name, variable in torch_variables(target).items():
            variable.copy_(torch_variables(source)[name])
    if _centers(source):
        _buffer(target).mean_reward = _buffer(source).mean_reward
    statistics, own = source.get_vec_normalize_env(), target.get_vec_normalize_env()
    if statistics is not None and own is not None:
        _copy_statistics(statistics, own)


def _check_same(key: str, own: Any, other: Any) -> None:
    if own != other:
        raise ValueError(f"{key}: the source has {own}, the target {other}; they have to be the same")


def _check_sizes(own: nn.Module, other: nn.Module) -> None:
    """Refuse networks whose weights differ in name or shape, naming the first."""
    mine = {name: tuple(value.shape) for name, value in own.state_dict().items()}
    theirs = {name: tuple(value.shape) for name, value in other.state_dict().items()}
    for name in [*mine, *theirs]:
        _check_same(f"size of {name}", mine.get(name, "no such weights"), theirs.get(name, "no such weights"))


def _head(agent: BaseAlgorithm) -> str:
    return str(getattr(agent.policy, "head", "dense"))  # Stable-Baselines3 has no other


def _buffer(agent: BaseAlgorithm) -> Any:
    return getattr(agent, "replay_buffer", None)


def _centers(agent: BaseAlgorithm) -> bool:
    """Whether its rewards are centred."""
    buffer = _buffer(agent)
    return isinstance(buffer, ReplayBuffer) and buffer.centering is not None


def _activation(agent: BaseAlgorithm) -> str:
    kind = getattr(agent.policy, "activation_fn", None) or getattr(agent.policy, "net_args", {}).get("activation_fn")
    return getattr(kind, "__name__", "none")


def _normalizes(agent: BaseAlgorithm) -> dict[str, Any] | str:
    """What a `VecNormalize` does to observations and rewards."""
    env = agent.get_vec_normalize_env()
    if env is None:
        return "none"
    names = ("norm_obs", "norm_reward", "clip_obs", "clip_reward", "epsilon")
    return {name: getattr(env, name) for name in names}


def _copy_statistics(source: VecNormalize, target: VecNormalize) -> None:
    """Running means and variances of observations and returns."""
    for name in ("obs_rms", "ret_rms"):
        if hasattr(source, name):
            setattr(target, name, deepcopy(getattr(source, name)))
