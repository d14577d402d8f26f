"""What is exported: a policy, its scenario and its history, out of a run's folder or a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stable_baselines3.common.base_class import BaseAlgorithm

from agents import Planner
from agents.student import StudentPolicy
from experiments.config.planner import is_planner_file
from experiments.evaluate.estimates import why_not
from experiments.evaluate.policies import environments_of, load_run_agent, policy_file
from experiments.runs.folder import AGENT, HISTORY, OFFLINE_SUMMARY, SUMMARY, read_run, run_folder
from experiments.runs.stored import looked_up, read_summary
from slicing_gym import Scenario, get_scenario
from slicing_gym.reading import parsing
from twin import History

ALLOWED = f"allowed are a finished run's folder, its {AGENT}, or a student.safetensors"

_IS_PLANNER = (
    "policy: {!r} is a planner, which is no network; allowed is a student of it, which experiments.distill teaches"
)


@dataclass(frozen=True)
class Source:
    """What is exported.

    Args:
        policy: an agent or a student.
        scenario: that it was trained on.
        history: the real decisions that it learned from, if they are known.
        name: what it is called.
        made_from: its class and file.
        simulated: whether the scenario was trained on; not so if the history alone names it, as that of a log does.
        against: why the estimates of its run speak against deploying it; "" if they do not, or there are none.
        passed_over: whether its run kept another agent, and estimated that one alone.
    """

    policy: BaseAlgorithm | StudentPolicy
    scenario: Scenario
    history: History | None
    name: str
    made_from: str
    simulated: bool = True
    against: str = ""
    passed_over: bool = False


def source_of(
    policy: BaseAlgorithm | StudentPolicy | Planner, scenario: str | Scenario | None, history: History | None
) -> Source:
    """A policy that is no file.

    Args:
        policy: an agent or a student.
        scenario: that it was trained on; None: a student's own.
        history: the real decisions that it learned from, if they are known.

    Raises:
        ValueError: the scenario is not known, or it is a planner.
    """
    name = type(policy).__name__
    if isinstance(policy, Planner):
        raise ValueError(_IS_PLANNER.format(name))
    if isinstance(policy, StudentPolicy):
        return Source(policy, get_scenario(scenario or policy.scenario), history, _student_name(policy), name)
    if scenario is None:
        raise ValueError(f"scenario: not given, allowed is that which the {name} was trained on")
    return Source(policy, get_scenario(scenario), history, name.lower(), name)


def find_source(policy: str | Path, scenario: str | Scenario | None = None, *, trust: bool = False) -> Source:
    """The policy in a file or a run's folder.

    Args:
        policy: a finished run's folder, an agent.zip, or a student's file.
        scenario: of an agent whose folder does not tell it.
        trust: let an agent's file run code.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no policy; or its scenario is not known, or given twice.
    """
    given, path = str(policy), Path(policy_file(str(policy)))
    path = path / AGENT if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"policy: there is no file {str(path)!r}; {ALLOWED}")
    if path.suffix == ".safetensors" and is_planner_file(path):
        raise ValueError(_IS_PLANNER.format(given))
    wanted = None if scenario is None else get_scenario(scenario)
    named = "/".join(path.resolve().parts[-2 if run_folder(path) == path.parent else -3 :])  # which run it was
    if path.suffix == ".safetensors":
        if wanted is not None:
            raise ValueError(f"scenario: {wanted.name!r} given, but the student in {given!r} names its own")
        student = StudentPolicy.load(path, device="cpu")
        made_from = f"{type(student).__name__} of {named}"
        return Source(student, student.scenario, None, _student_name(student), made_from)
    agent = load_run_agent(str(path), trust=trust)
    name = type(agent).__name__.lower()
    folder = path.parent if (path.parent / SUMMARY).is_file() else run_folder(path)
    if (folder / SUMMARY).is_file():
        if wanted is not None:
            raise ValueError(f"scenario: {wanted.name!r} given, but the run of {given!r} names its own")
        run = read_run(folder)
        wanted, name = run.scenario, run.method if folder == path.parent else name
    history = History.load(path.parent / HISTORY) if (path.parent / HISTORY).is_file() else None
    simulated = wanted is not None
    if wanted is None and history is not None:  # an agent that learned offline
        wanted = history.scenario
    if wanted is None:
        raise ValueError(f"scenario: not given, and {given!r} is not in the folder of a finished run that names it")
    environments = environments_of(str(path), wanted)
    if not environments.keep_observations:
        raise ValueError(
            f"policy: {given!r} was trained under {environments.names}, and the file would see arrivals as they are; "
            "allowed are runs whose wrappers change the reward alone"
        )
    made_from = f"{type(agent).__name__} of {named}"
    return Source(agent, wanted, history, name, made_from, simulated, *_estimated(path))


def _estimated(path: Path) -> tuple[str, bool]:
    """`against` and `passed_over` of an agent's file: what a run that learned from a history has estimated of it."""
    file = path.parent / OFFLINE_SUMMARY
    if not file.is_file():
        return "", False
    summary = read_summary("policy", file, ("estimates", "utility_in_data"))
    if path.name != AGENT and path.stem != looked_up(summary, "choice.kept"):
        return "", True
    with parsing("policy", str(file)):
        return why_not(summary["estimates"], summary["utility_in_data"]), False


def _student_name(student: StudentPolicy) -> str:
    return f"student-2x{student.hidden}"
