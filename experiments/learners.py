"""Agents from their configuration."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
from hydra.utils import get_class
from omegaconf import DictConfig
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.utils import LinearSchedule

from agents import DQN
from agents.dqn.dqn import check_device
from agents.dqn.heads import HEADS
from experiments.config import plain_of
from slicing_gym.errors import check_integer, check_number, unknown_name

NOT_ARGUMENTS = ("name", "_target_", "head", "net_arch", "twin_gradient_steps", "options")
"""What a config says of an agent beside the arguments of its constructor."""

_NOT_OPTIONS = (
    *("policy", "env", "arguments", "policy_kwargs", "seed", "tensorboard_log", "verbose", "_init_setup_model"),
    *("replay_buffer_class", "replay_buffer_kwargs", "optimize_memory_usage", "n_steps"),  # no checkpoint holds these
)
"""Arguments of an agent that a config cannot give."""


def agent_class(target: str) -> type[DQN]:
    """The class of an agent from its dotted name.

    Raises:
        ValueError: there is no such class, or it is not one of `agents`.
    """
    try:
        kind = get_class(target)
    except Exception as error:
        raise ValueError(f"agent._target_: {target!r} cannot be imported ({error})") from None
    if not issubclass(kind, DQN):
        raise ValueError(f"agent._target_: {target!r} is not an agents.DQN, nor a subclass of it")
    return kind


def stored_class(target: str) -> type[BaseAlgorithm]:
    """The class that a run's own files name; importing a module that nobody has asked for may run code.

    Args:
        target: dotted name.

    Raises:
        ValueError: it is of another package and not imported yet, or no algorithm.
    """
    if not target.startswith(("agents.", "stable_baselines3.", "sb3_contrib.")):
        module = target.rpartition(".")[0]
        if module not in sys.modules:
            raise ValueError(
                f"agent._target_: {target!r} is of a package that files may not name; import {module!r} before"
            )
    try:
        kind = get_class(target)
    except Exception as error:
        raise ValueError(f"agent._target_: {target!r} cannot be imported ({error})") from None
    if not issubclass(kind, BaseAlgorithm):
        raise ValueError(f"agent._target_: {target!r} is no algorithm")
    return kind


def check_agent(agent: DictConfig) -> None:
    """Refuse arguments of an agent that make no sense.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    for key in ("buffer_size", "batch_size", "train_freq", "target_update_interval", "twin_gradient_steps"):
        check_integer(f"agent.{key}", agent[key], at_least=1)
    check_integer("agent.learning_starts", agent.learning_starts, at_least=0)
    check_integer("agent.gradient_steps", agent.gradient_steps, at_least=-1)
    if not agent.net_arch:
        raise ValueError("agent.net_arch: none given, allowed are one or more widths")
    for width in agent.net_arch:
        check_integer("agent.net_arch", width, at_least=1)
    check_number("agent.learning_rate", agent.learning_rate, above=0.0)
    if agent.learning_rate_end is not None:
        check_number("agent.learning_rate_end", agent.learning_rate_end, above=0.0)
    for key in ("gamma", "exploration_fraction", "exploration_initial_eps", "exploration_final_eps"):
        check_number(f"agent.{key}", agent[key], at_least=0.0, at_most=1.0)
    if agent.head not in HEADS:
        raise ValueError(unknown_name("agent.head", agent.head, HEADS))
    check_device(agent.device)
    known: set[str] = set()
    for kind in inspect.getmro(agent_class(agent._target_)):
        if issubclass(kind, DQN):
            known |= inspect.signature(kind).parameters.keys()
    own = known - {*agent, *_NOT_OPTIONS}
    for name in agent.options:
        if name not in own:
            raise ValueError(unknown_name("agent.options", name, own))


def make_agent(
    config: DictConfig, env: gym.Env[Any, Any] | gym.vector.VectorEnv[Any, Any, Any], changes: Mapping[str, Any]
) -> DQN:
    """The agent that a config describes, some of its arguments changed."""
    given = plain_of(config.agent)
    arguments = {key: value for key, value in given.items() if key not in NOT_ARGUMENTS}
    shape = {"net_arch": given["net_arch"], "head": given["head"]}
    everything = {**arguments, **given["options"], **changes}
    last = everything.pop("learning_rate_end")
    if last is not None:
        everything["learning_rate"] = LinearSchedule(everything["learning_rate"], last, end_fraction=1.0)
    return agent_class(given["_target_"])("MlpPolicy", env, seed=config.seed, policy_kwargs=shape, **everything)
