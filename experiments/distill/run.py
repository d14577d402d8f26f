"""`python -m experiments.distill teacher=runs/dense hidden=4`: students of trained agents (the paper's Fig. 8)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from omegaconf import DictConfig
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor, nn
from tqdm.auto import tqdm

from agents import HEADS
from agents.hooks import action_values, has_hook, require_hook
from agents.registry import import_modules
from agents.student import TARGETS, StudentPolicy, distill
from experiments.config.hydra import (
    readable_errors,
    register_configs,
)
from experiments.config.parts import builtin_of
from experiments.distill.report import StudentResult, draw, report, write
from experiments.environments.environments import AnyVectorEnv
from experiments.evaluate.policies import check_policies, labelled, load_policies
from experiments.evaluate.report import as_table
from experiments.evaluate.rollout import Predictor, check_seeds, compare, evaluate_policy, make_cells, states_met
from experiments.runs import checkpoint
from experiments.runs.folder import AGENT, HISTORY, STUDENT, TWIN, Run, find_runs
from slicing_gym import Scenario
from slicing_gym.errors import check_integer, check_number, unknown_name
from slicing_gym.files import atomic_write
from twin.data.transitions import transitions_of

SUMMARY = "student.json"
"""The figures of a student; written after it, so that one that has them is finished."""

STATES = ("history", "twin", "both")

register_configs()


def check_config(config: DictConfig) -> None:
    """Look at everything that could fail later but for the teachers.

    Raises:
        ValueError, TypeError: something is not allowed; the message names the key, the value and what is.
    """
    import_modules(config.imports)
    if config.teacher is None:
        raise ValueError("teacher: not given, allowed are a run's folder, or one of runs")
    if len(set(config.hidden)) < len(config.hidden):
        raise ValueError(f"hidden: {list(config.hidden)} given, allowed are different sizes")
    if not config.hidden:
        raise ValueError("hidden: none given, allowed are one or more sizes")
    for size in config.hidden:
        check_integer("hidden", size, at_least=1)
    for key, allowed in (("head", HEADS), ("target", TARGETS), ("states", STATES)):
        if config[key] not in allowed:
            raise ValueError(unknown_name(key, config[key], allowed))
    for key in ("twin_states", "updates", "batch_size", "torch_threads"):
        check_integer(key, config[key], at_least=1)
    for key in ("temperature", "learning_rate"):
        check_number(key, config[key], above=0.0)
    check_integer("seed", config.seed, at_least=0, at_most=2**32 - 1)
    if config.resume not in (None, "auto"):
        raise ValueError(f"resume: {config.resume!r} given, allowed are auto and null")
    check_seeds("evaluation.seeds", config.evaluation.seeds)
    if config.evaluation.decisions is not None:
        check_integer("evaluation.decisions", config.evaluation.decisions, at_least=1)


def check_teachers(config: DictConfig) -> list[Run]:
    """The teachers, looked at before the first of them teaches.

    Raises:
        ValueError, FileNotFoundError: there is none, or one lacks what is needed; the message names it.
    """
    teachers = find_runs(Path(config.teacher), config.agents, "teacher")
    for run in teachers:
        needed = {"history": (HISTORY,), "twin": (TWIN,), "both": (HISTORY, TWIN)}[config.states]
        for name in (AGENT, *needed):
            if not (run.folder / name).is_file():
                raise ValueError(f"states: {config.states!r} given, but {str(run.folder)!r} has no {name}")
        check_teacher(run, config)
        if run.seed in config.evaluation.seeds:
            raise ValueError(f"evaluation.seeds: {run.seed} is the cell of {str(run.folder)!r}")
    for scenario in scenarios_of(teachers) if config.evaluation.policies else ():
        check_policies(list(config.evaluation.policies), scenario)
        load_policies(config.evaluation.policies, scenario, make_cells(scenario, 1), trust=config.trust)
    return teachers


def check_teacher(run: Run, config: DictConfig) -> None:
    """Refuse a teacher that cannot teach what is wanted.

    Raises:
        ValueError, TypeError: it sees other observations than its students, or its values are wanted and not known.
    """
    if not run.keeps_observations:
        raise ValueError(
            f"teacher: {str(run.folder)!r} was trained under {run.wrappers}, so it sees other observations than "
            "students do; allowed are runs whose wrappers change the reward alone"
        )
    if config.target == "soft":
        require_hook("target=soft", action_values, type(run.agent(trust=config.trust)))


def scenarios_of(teachers: Sequence[Run]) -> list[Scenario]:
    """Those of the teachers, each once."""
    return list({run.scenario: None for run in teachers})


def states_of(run: Run, agent: Predictor, config: DictConfig) -> npt.NDArray[np.float32]:
    """What students of a run learn on: observations (n, n_slices)."""
    parts = []
    if config.states != "twin":
        parts.append(transitions_of(run.history()).observations)
    if config.states != "history":
        envs: AnyVectorEnv = gym.make_vec(
            "SliceTwin-v0", 64, twin=run.twin(), scenario=run.scenario, autoreset_mode="SameStep"
        )
        parts.append(states_met(agent, envs, list(range(64)), config.twin_states)[: config.twin_states])
    return np.concatenate(parts)


def teach(run: Run, config: DictConfig, folder: Path) -> Iterator[StudentResult]:
    """A teacher, and a student of each size; those that the folder has are not taught again."""
    agent = run.agent(trust=config.trust)
    seeds = list(config.evaluation.seeds)
    cells = make_cells(run.scenario, len(seeds))
    decisions = config.evaluation.decisions or run.scenario.decisions_per_episode
    met = states_met(agent, cells, seeds, decisions * len(seeds))
    wanted, _ = agent.predict(met, deterministic=True)
    states: npt.NDArray[np.float32] | None = None
    given = Path(config.teacher).resolve()
    name = run.folder.resolve().relative_to(given.parent if given.name == AGENT else given)
    settings = {**_comparable(config), "agent": hashlib.sha256((run.folder / AGENT).read_bytes()).hexdigest()}
    for size in (0, *config.hidden):
        place = folder / name / (f"hidden-{size}" if size else "teacher")
        stored = _stored(place, settings) if config.resume else None
        if stored is not None:
            yield stored
            continue
        policy: BaseAlgorithm | StudentPolicy = agent
        parameters = sum(weights.numel() for weights in _backend(agent).parameters())
        if size:
            states = states_of(run, agent, config) if states is None else states
            policy = teach_one(f"{run.method} seed {run.seed}", agent, states, run.scenario, size, config)
            policy.save(place / STUDENT)
            parameters = policy.num_parameters
        evaluation = evaluate_policy("", policy, cells, seeds, decisions)
        chosen, _ = policy.predict(met, deterministic=True)
        result = StudentResult(
            scenario=run.scenario.name,
            head=str(run.summary["head"]),
            teacher=run.method,
            seed=run.seed,
            hidden=size,
            utility=float(evaluation.utility.mean()),
            reward_at_c_max=float(evaluation.reward.mean()),
            agreement=float(np.mean(chosen == wanted)),
            allocations=len(np.unique(chosen)),
            parameters=parameters,
        )
        with atomic_write(place / SUMMARY) as file:
            file.write(json.dumps({"config": settings, **result._asdict()}, indent=2).encode())
        yield result


def teach_one(
    label: str, agent: BaseAlgorithm, states: npt.NDArray[np.float32], scenario: Scenario, size: int, config: DictConfig
) -> StudentPolicy:
    """A student of one size, taught with a progress bar."""
    student = StudentPolicy(scenario, size, config.head, seed=config.seed)
    bar = tqdm(total=config.updates, desc=f"{label}, 2x{size}", unit="update", disable=not config.progress, leave=False)
    with bar:
        distill(
            student,
            _lesson(agent, states),
            states,
            np.random.default_rng(config.seed),
            target=config.target,
            temperature=config.temperature,
            updates=config.updates,
            batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            on_update=lambda *_: bar.update(),
        )
    return student


def _backend(agent: BaseAlgorithm) -> nn.Module:
    """What an agent chooses by: its values where they are known, else all of its policy."""
    return action_values(agent) if has_hook(action_values, type(agent)) else agent.policy


def _lesson(
    agent: BaseAlgorithm, states: npt.NDArray[np.float32]
) -> Callable[[Tensor], Tensor] | npt.NDArray[np.int64]:
    """The agent's values where they are known, else what it chooses in these states."""
    if has_hook(action_values, type(agent)):
        return action_values(agent)
    return np.asarray(agent.predict(states, deterministic=True)[0], np.int64)


def _comparable(config: DictConfig) -> dict[str, Any]:
    """What has to be the same for a student not to be taught again."""
    left_out = ("teacher", "agents", "hidden", "progress", "resume", "imports", "trust")
    return {key: value for key, value in builtin_of(config).items() if key not in left_out}


def _stored(place: Path, settings: dict[str, Any]) -> StudentResult | None:
    """The figures of one that an earlier start of this command left.

    Raises:
        ValueError: it had another teacher, or was taught otherwise.
    """
    if not (place / SUMMARY).is_file():
        return None
    stored = json.loads((place / SUMMARY).read_text())
    checkpoint.check_same_config(place, stored.pop("config"), settings)
    return StudentResult(**stored)


def run(config: DictConfig, folder: Path) -> None:
    """Teach and compare; leave students, students.csv and students.png in `folder`."""
    with readable_errors():
        check_config(config)
        teachers = check_teachers(config)
    torch.set_num_threads(config.torch_threads)
    results = []
    for number, teacher in enumerate(teachers, start=1):
        with readable_errors():
            own = list(teach(teacher, config, folder))
        results += own
        utilities = ", ".join(f"{result.network} {result.utility:.3f}" for result in own)
        print(f"{number}/{len(teachers)} {teacher.method} seed {teacher.seed}: U {utilities}", flush=True)
    print(report(results))
    write(folder / "students.csv", results)
    draw(folder / "students.png", results)
    for scenario in scenarios_of(teachers) if config.evaluation.policies else ():
        seeds = list(config.evaluation.seeds)
        cells = make_cells(scenario, len(seeds))
        others = labelled(load_policies(config.evaluation.policies, scenario, cells, trust=config.trust), ())
        print(f"\nscenario {scenario.name}, for comparison")
        print(as_table(scenario, compare(scenario, others, cells, seeds, config.evaluation.decisions)))
    print(f"written to {os.path.relpath(folder)}: students.csv, students.png, and a folder a student")
