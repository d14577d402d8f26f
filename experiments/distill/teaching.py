"""What students learn on, and what a teacher tells them: its values, or its choices."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor, nn

from agents import Planner
from agents.hooks import action_values, has_hook, is_factored, require_hook
from agents.student import StudentPolicy
from agents.student import distill as fit_student
from experiments.distill.settings import Settings
from experiments.environments import AnyVectorEnv
from experiments.evaluate.rollout import Predictor, states_met
from experiments.runs.folder import Run
from slicing_gym import Scenario
from slicing_gym.allocation import MAX_LISTED
from slicing_gym.progress import ProgressBar
from twin.data.transitions import transitions_of


def check_values(run: Run, agent: BaseAlgorithm | Planner) -> None:
    """Refuse a teacher whose values of all allocations are not known.

    Args:
        run: of the teacher.
        agent: the teacher.

    Raises:
        ValueError, TypeError: the message names it.
    """
    if not isinstance(agent, Planner):
        require_hook("target=soft", action_values, type(agent))
    elif run.scenario.num_allocations > MAX_LISTED:
        raise ValueError(
            f"target: 'soft' given, which asks the planner of {str(run.folder)!r} for the values of "
            f"{run.scenario.num_allocations} allocations; allowed are {MAX_LISTED}, or target=argmax"
        )


def states_of(run: Run, agent: Predictor, settings: Settings) -> npt.NDArray[np.float32]:
    """What students of a run learn on: observations (n, n_slices)."""
    parts = []
    if settings.states != "twin":
        parts.append(transitions_of(run.history()).observations)
    if settings.states != "history":
        envs: AnyVectorEnv = gym.make_vec(
            "SliceTwin-v0",
            64,
            twin=run.twin(),
            scenario=run.scenario,
            autoreset_mode="SameStep",
            allow_constant=True,  # a planner may have found the best allocation at once
        )
        parts.append(states_met(agent, envs, list(range(64)), settings.twin_states)[: settings.twin_states])
    return np.concatenate(parts)


def teach_student(
    label: str,
    agent: BaseAlgorithm | Planner,
    states: npt.NDArray[np.float32],
    scenario: Scenario,
    size: int,
    settings: Settings,
) -> StudentPolicy:
    """A student of one size, taught on states (n, n_slices), with a progress bar that begins with `label`."""
    network = network_of(agent)
    factored = network is None or is_factored(network) or scenario.num_allocations > MAX_LISTED
    head = settings.head or ("factored" if factored else "dense")
    student = StudentPolicy(scenario, size, head, seed=settings.seed).to(settings.device)
    with ProgressBar(
        total=settings.updates, desc=f"{label}, 2x{size}", unit="update", disable=not settings.progress, leave=False
    ) as bar:
        fit_student(
            student,
            _lesson(agent, states, settings.target),
            states,
            np.random.default_rng(settings.seed),
            target=settings.target,
            temperature=settings.temperature,
            updates=settings.updates,
            batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            on_update=lambda *_: bar.update(),
        )
    return student.to("cpu")


def network_of(agent: BaseAlgorithm | Planner) -> nn.Module | None:
    """What an agent chooses by: its values where they are known, else all of its policy; a planner has none."""
    if isinstance(agent, Planner):
        return None
    return action_values(agent) if has_hook(action_values, type(agent)) else agent.policy


def _lesson(
    agent: BaseAlgorithm | Planner, states: npt.NDArray[np.float32], target: str
) -> Callable[[Tensor], Tensor] | npt.NDArray[np.int64]:
    """The agent's values where they are known, else what it chooses in these states."""
    if isinstance(agent, Planner) and target == "soft":
        return lambda some: torch.as_tensor(agent.allocation_values(some.numpy()), dtype=some.dtype)
    if has_hook(action_values, type(agent)):
        return action_values(agent)
    return np.asarray(agent.predict(states, deterministic=True)[0], np.int64)
