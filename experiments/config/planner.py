"""Planners from their settings, and what is refused where a planner would not maximise what it should."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import gymnasium as gym
from safetensors import SafetensorError, safe_open

from agents import Planner, PlanningPolicy
from experiments.config.bounds import check_bounds
from experiments.config.schemas import AgentSettings, PlannerSettings
from slicing_gym import Scenario
from slicing_gym.reading import opened, parsing
from twin import PlanningTwin

_Planning = TypeVar("_Planning", bound=PlanningPolicy)


def make_planner(settings: PlannerSettings, env: gym.Env[Any, Any], seed: int) -> Planner:
    """The planner that settings describe, with a model that has learned nothing yet.

    Args:
        settings: of the planner and of its model.
        env: that it acts in.
        seed: of all that it draws, and of the environment's first reset.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    scenario = env.unwrapped.scenario  # type: ignore[attr-defined]  # of SliceRAN-v0
    return _made(settings, scenario, seed, lambda model, arguments: Planner(env, model, **arguments))


def make_planning_policy(settings: PlannerSettings, scenario: Scenario, seed: int) -> PlanningPolicy:
    """The same without an environment of its own, to choose for another learner."""
    return _made(settings, scenario, seed, lambda model, arguments: PlanningPolicy(scenario, model, **arguments))


def _made(
    settings: PlannerSettings,
    scenario: Scenario,
    seed: int,
    make: Callable[[PlanningTwin, dict[str, Any]], _Planning],
) -> _Planning:
    check_bounds(settings, "planner.")
    arguments = {each.name: getattr(settings, each.name) for each in fields(settings)}
    structure, memory = arguments.pop("structure"), arguments.pop("memory")
    try:
        return make(PlanningTwin(scenario, structure, memory), {**arguments, "seed": seed})
    except (ValueError, TypeError) as error:
        raise type(error)(f"planner.{error}") from None


def load_planner(path: str | os.PathLike[str], key: str = "policy") -> Planner:
    """The planner in a file, its model a `PlanningTwin`; reading runs no code.

    Args:
        path: of the file.
        key: what the file is called where it was given.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no planner, or is damaged.
    """
    with opened(key, path) as file, parsing(key, os.fspath(path), "does not hold a planner"):
        return Planner.load(file, PlanningTwin.from_bytes)


def is_planner_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file of safetensors is a planner's, and not a student's."""
    try:
        with safe_open(os.fspath(path), framework="numpy") as archive:
            return "planner" in (archive.metadata() or {})
    except (SafetensorError, OSError):
        return False


def left_out_by_planner(agent: AgentSettings) -> list[str]:
    """Settings of agents that were changed, and that the planner has not."""
    usual: Any = AgentSettings()
    names = [each.name for each in fields(agent) if each.name not in ("name", "_target_")]
    return [name for name in names if getattr(agent, name) not in (None, getattr(usual, name))]
