"""Policies by their names: baselines, allocations, files of agents and students, classes of the user's own."""

from __future__ import annotations

import copy
import inspect
import logging
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm

from agents import FixedPolicy, make_baseline
from agents.baselines import BASELINES, unknown_policy
from agents.loading import load_agent
from agents.packing import Arrays
from agents.registry import arguments_of, named
from agents.search import cache_path
from agents.student import StudentPolicy
from experiments.config.planner import is_planner_file, load_planner
from experiments.environments import AnyVectorEnv, Environments
from experiments.evaluate.rollout import Predictor
from experiments.evaluate.wrapped import WrappedAgent
from experiments.runs import checkpoint
from experiments.runs.folder import (
    AGENT,
    IN_ENVIRONMENTS,
    OFFLINE_SUMMARY,
    PLANNER_FILE,
    STUDENT,
    STUDENT_SUMMARY,
    SUMMARY,
    WRAPPERS,
    check_stored_class,
    run_folder,
    stored_environments,
)
from experiments.runs.stored import looked_up, read_stored_config, read_summary
from slicing_gym import Scenario, SliceRANVectorEnv
from slicing_gym.reading import parsing

_log = logging.getLogger(__name__)

_FILES = (".zip", ".safetensors")
"""Endings of files that hold agents, planners and students."""

_ALLOWED = (
    f"units like 33-33-34, an {AGENT}, a {PLANNER_FILE} or a {STUDENT}, or the folder that has it, "
    "my_package.MyAgent@agent.zip to name its class, or my_package.MyPolicy"
)


def check_policies(names: Sequence[str], scenario: Scenario, baselines: Collection[str] = BASELINES) -> None:
    """Refuse names that are neither a baseline, nor an allocation like 33-33-34, nor a file, nor a dotted name.

    Args:
        names: as a command's `policies` has them.
        scenario: that they are to choose for.
        baselines: that are allowed, by name.

    Raises:
        ValueError: such a name, none at all, or one twice.
    """
    if not names:
        raise ValueError(f"policy: none given, allowed are {', '.join(baselines)}, {_ALLOWED}")
    numbers = [name for name in names if name.isdecimal() and not os.path.exists(name)]
    if numbers:
        units = "-".join(numbers) if len(numbers) == scenario.num_slices else "<units>-<units>-..."
        raise ValueError(
            f"policy: {','.join(numbers)} given, allowed are names; an allocation is typed with hyphens, as {units}"
        )
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"policy: {name!r} is given more than once")
        if name in baselines or _fixed_policy(name, scenario):
            continue
        file = policy_file(name)
        if file.endswith(_FILES):
            if not Path(file).is_file():
                raise ValueError(f"policy: the file {file!r} does not exist")
        elif _is_dotted(name):
            named("policy", name)
        elif os.sep in file or Path(file).is_dir():  # a path, whatever it was to be
            wrong = "which holds no policy" if Path(file).exists() else "but there is no such file or folder"
            raise ValueError(f"policy: {name!r} given, {wrong}; allowed are {', '.join(baselines)}, {_ALLOWED}")
        else:
            raise ValueError(unknown_policy("policy", name, baselines) + f", {_ALLOWED}")


@contextmanager
def given_as(key: str) -> Iterator[None]:
    """What is refused inside as `policy` was given by another key."""
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        raise type(error)(re.sub(r"^policy\b", key, str(error))) from error


def _fixed_policy(name: str, scenario: Scenario) -> FixedPolicy | None:
    """The policy that a name like 33-33-34 means, or None if the name is of another form.

    Raises:
        ValueError: it is no allocation of the scenario.
    """
    if not re.fullmatch(r"\d+(-\d+)+", name):
        return None
    try:
        return FixedPolicy(scenario, [int(units) for units in name.split("-")])
    except ValueError as error:
        allowed = str(error).rpartition("allowed are ")[2]
        raise ValueError(f"policy: {name!r} given, allowed in scenario {scenario.name!r} are {allowed}") from None


def _is_dotted(name: str) -> bool:
    parts = name.split(".")
    return len(parts) > 1 and all(part.isidentifier() for part in parts)


def _parted(name: str) -> tuple[str | None, str]:
    """The class that a name gives before its @, if it does, and the rest."""
    target, at, path = name.partition("@")
    return (target, path) if at and _is_dotted(target) else (None, name)


def policy_file(name: str) -> str:
    """The file of a policy: that in a folder, an agent's or a planner's before a student's; else as it was."""
    _, path = _parted(name)
    if path in BASELINES or not Path(path).is_dir():
        return path
    found = [Path(path) / file for file in (PLANNER_FILE, AGENT, STUDENT) if (Path(path) / file).is_file()]
    return str(found[0]) if found else path


def label_policies(names: Sequence[str]) -> dict[str, str]:
    """What policies are called in tables: an agent as its run called it, with its seed or folder where needed."""
    labels = {}
    for name in names:
        file = policy_file(name)
        labels[name] = _agent_name(Path(file)) if file.endswith(_FILES) else name.rpartition(".")[2]
    for more in (_seed, *(_folder(depth) for depth in range(1, 4))):
        shown = list(labels.values())
        twice = [
            name for name, label in labels.items() if shown.count(label) > 1 and policy_file(name).endswith(_FILES)
        ]
        labels |= {name: more(Path(policy_file(name)), labels[name]) for name in twice}
    shown = list(labels.values())
    return {name: label if shown.count(label) == 1 else name for name, label in labels.items()}


def _summary(file: Path) -> dict[str, Any]:
    """The figures of the run or the student that a file is of; {} if there are none."""
    for path in (file.parent / name for name in (SUMMARY, OFFLINE_SUMMARY, STUDENT_SUMMARY)):
        if path.is_file():
            return read_summary("policy", path)
    return {}


def _agent_name(file: Path) -> str:
    """What a run called its agent, or the folder of a file without a run."""
    found = _summary(file)
    if {"teacher", "hidden"} <= found.keys():
        return f"{found['teacher']}-2x{found['hidden']}"
    return str(
        found.get("agent", file.resolve().parent.name if file.name in (AGENT, PLANNER_FILE, STUDENT) else file.stem)
    )


def _seed(file: Path, label: str) -> str:
    found = _summary(file)
    return f"{label} seed {found['seed']}" if "seed" in found else label


def _folder(depth: int) -> Callable[[Path, str], str]:
    """What adds so many of its folders to a label."""
    return lambda file, label: f"{label.partition(' (')[0]} ({'/'.join(file.resolve().parts[-depth - 1 : -1])})"


def labelled(found: Mapping[str, Predictor], taken: Collection[str]) -> dict[str, Predictor]:
    """Policies by what they are called, those by their names that would be called what is taken."""
    labels = label_policies(list(found))
    return {name if labels[name] in taken else labels[name]: policy for name, policy in found.items()}


def load_policies(
    names: Sequence[str], scenario: Scenario, envs: SliceRANVectorEnv, *, num_threads: int = 1, trust: bool = False
) -> dict[str, Predictor]:
    """Policies by name, of `names` that have passed `check_policies`; other arguments are those of `load_policy`."""
    return {name: load_policy(name, scenario, envs, num_threads, trust=trust) for name in names}


def load_policy(
    name: str, scenario: Scenario, envs: AnyVectorEnv, num_threads: int, *, trust: bool = False
) -> Predictor:
    """What a name means that has passed `check_policies`.

    Args:
        name: of a baseline, an allocation, a file, or a class with `predict`, which may take `scenario`.
        scenario: to choose for.
        envs: whose spaces agents have to fit; for baselines of the simulator, where the one-step oracle looks ahead.
        num_threads: for the search of the best fixed allocation.
        trust: let files of agents run code.

    Raises:
        ValueError: the agent was trained on other spaces than the scenario's; the class does not fit.
    """
    fixed = _fixed_policy(name, scenario)
    if fixed:
        return fixed
    if name in BASELINES:
        if name == "best_fixed" and not os.path.exists(cache_path(scenario)):
            _log.info("searching the best fixed allocation of this scenario, once (up to a minute or so) ...")
        assert isinstance(envs, SliceRANVectorEnv)
        return make_baseline(name, scenario, envs, num_threads=num_threads)
    file = policy_file(name)
    if not file.endswith(_FILES):
        return _own_policy(name, scenario, envs)
    if file.endswith(".safetensors"):
        agent: Any = load_planner(file) if is_planner_file(file) else StudentPolicy.load(file, device="cpu")
    else:
        agent = in_its_cells(load_run_agent(file, _parted(name)[0], trust=trust), file, scenario)
        if isinstance(agent, WrappedAgent):
            with parsing("policy", file, IN_ENVIRONMENTS):  # what the wrappers learned may be damaged, too
                cells = agent.make_wrapped_cells(1)
            _check_spaces(name, agent.agent, cells, scenario)
            return agent
    _check_spaces(name, agent, envs, scenario)
    found: Predictor = agent
    return found


def in_its_cells(agent: Any, file: str, scenario: Scenario) -> Any:
    """An agent of a file; one that learned with wrappers or an observer of its own acts in cells that have them."""
    environments = environments_of(file, scenario)
    return agent if environments.keep_observations else WrappedAgent(agent, environments, _statistics_of(file))


def _check_spaces(name: str, agent: Any, envs: AnyVectorEnv, scenario: Scenario) -> None:
    """Refuse an agent that was trained on other spaces than those of the cells it is to act in.

    Raises:
        ValueError: the message says how they differ.
    """
    if (
        agent.action_space != envs.single_action_space
        or agent.observation_space.shape != envs.single_observation_space.shape
    ):
        raise ValueError(
            f"policy: {name!r} chooses among {getattr(agent.action_space, 'n', '?')} actions, "
            f"scenario {scenario.name!r} has {scenario.num_allocations}"
        )


def _own_policy(name: str, scenario: Scenario, envs: AnyVectorEnv) -> Predictor:
    """The policy of a class, or what a function makes; it is asked once to see whether it chooses allocations.

    Raises:
        ValueError, TypeError: it cannot be made, has no `predict`, or chooses none.
    """
    found: Any = named("policy", name)
    if isinstance(found, type) or not hasattr(found, "predict"):
        if not callable(found):
            raise TypeError(f"policy: {name!r} is a {type(found).__name__}, allowed is what has predict, or makes it")
        known = arguments_of(found) if isinstance(found, type) else dict(inspect.signature(found).parameters)
        try:
            found = found(scenario=scenario) if "scenario" in known else found()
        except Exception as error:
            raise ValueError(f"policy: {name!r} cannot be made ({type(error).__name__}: {error})") from error
    if not callable(getattr(found, "predict", None)):
        raise TypeError(f"policy: {name!r} has no predict(observation), as policies of Stable-Baselines3 have it")
    observations = np.ones((envs.num_envs, scenario.num_slices), np.float32)
    try:
        actions = np.asarray(copy.deepcopy(found).predict(observations)[0])
    except Exception as error:
        raise ValueError(f"policy: {name!r} cannot choose ({type(error).__name__}: {error})") from error
    if actions.shape != (envs.num_envs,) or not np.issubdtype(actions.dtype, np.integer):
        raise ValueError(
            f"policy: {name!r} chose {actions.dtype} of shape {actions.shape} for observations {observations.shape}, "
            f"allowed are whole numbers of shape ({envs.num_envs},)"
        )
    number = getattr(envs.single_action_space, "n", scenario.num_allocations)  # fewer where only those held are allowed
    if actions.min() < 0 or actions.max() >= number:
        raise ValueError(
            f"policy: {name!r} chose {actions.tolist()}, allowed in scenario {scenario.name!r} are 0 to {number - 1}"
        )
    policy: Predictor = found
    return policy


def run_config(file: str) -> dict[str, Any]:
    """The configuration of the run that left an agent's file; {} if none did."""
    path = Path(file)
    if path.name not in (AGENT, PLANNER_FILE, "after_algorithm_2.zip", "agent_2.zip"):
        return {}
    config, stored = _summary(path).get("config"), run_folder(path) / ".hydra" / "config.yaml"
    if config is None and stored.is_file():
        config = read_stored_config("policy", stored)
    return dict(config or {})


def environments_of(file: str, scenario: Scenario) -> Environments:
    """What the agent in a file learned in, by what its run says of it, with another scenario.

    Raises:
        ValueError: the run's files name what there is not, or what may not be made; the message names the agent's.
    """
    return stored_environments("policy", file, scenario, looked_up(run_config(file), "env"))


def _statistics_of(file: str) -> tuple[Any, Arrays]:
    """What the wrappers of a run learned."""
    path = Path(file).parent / WRAPPERS
    if not path.is_file():
        raise ValueError(f"policy: {file!r} learned under wrappers, but there is no {WRAPPERS} beside it")
    header, arrays = checkpoint.read(path, (3, checkpoint.FORMAT_VERSION))  # the statistics are as they were
    with parsing("policy", path):
        return header["statistics"], arrays


def load_run_agent(file: str, target: str | None = None, *, trust: bool = False) -> BaseAlgorithm:
    """The agent in a file, of the class that was named, else that of its run's configuration, else by its policy.

    Raises:
        ValueError: the file does not hold such an agent, or would run code.
    """
    if target is None:
        target = looked_up(run_config(file), "agent._target_")
        if target is not None:
            check_stored_class("policy", file, target)
    return load_agent(file, target, trust=trust)
