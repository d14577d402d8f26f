"""Finished training runs as other experiments start from them: summary, episodes, agent, history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from stable_baselines3.common.base_class import BaseAlgorithm

from agents import Planner
from agents.loading import load_agent
from agents.registry import algorithm_class
from experiments.config.parts import make_scenario
from experiments.config.planner import load_planner
from experiments.environments.environments import Environments
from experiments.runs.compare import comparable
from experiments.runs.stored import STUDENT_SUMMARY as STUDENT_SUMMARY
from experiments.runs.stored import looked_up, read_summary
from slicing_gym import Scenario
from slicing_gym.builtin_types import differences
from slicing_gym.errors import shown, unknown_name
from slicing_gym.reading import one_line, parsing, read_csv
from twin import DigitalTwin, History

AGENT = "agent.zip"
PLANNER_FILE = "planner.safetensors"
"""What a planner leaves in place of it."""
HISTORY = "history.npz"
EPISODES = "episodes.csv"
SUMMARY = "summary.json"
"""The figures of a run; written last, so that a run that has it is finished."""
OFFLINE_SUMMARY = "offline.json"
"""The same of a run that learned from a history."""
STUDENT = "student.safetensors"
TWIN = "twin.safetensors"
FIDELITY = "fidelity.csv"
"""The figures of how far that twin can be trusted."""
WRAPPERS = "wrappers.npz"
"""What wrappers of the environment learned while they ran."""
NO_HEAD = "none"
"""The head of a planner: it has no network."""


def agent_file(folder: Path) -> Path:
    """The file of a run's agent: a planner's if there is one."""
    return folder / (PLANNER_FILE if (folder / PLANNER_FILE).is_file() else AGENT)


def run_folder(path: Path) -> Path:
    """The folder of the run that a file is of: the agent trained without the twin is in a folder below."""
    return path.parent.parent if path.parent.name in ("without_twin", "plain") else path.parent


@dataclass(frozen=True)
class Run:
    """A finished run of `experiments.train`.

    Args:
        folder: where it is.
        summary: its `summary.json`.
        episodes: its `episodes.csv`: (episodes,) by column.
    """

    folder: Path
    summary: dict[str, Any]
    episodes: dict[str, npt.NDArray[np.float64]]

    @property
    def group(self) -> tuple[str, str]:
        """Which picture it is in: scenario and head."""
        return str(self._stored("scenario")), str(self._stored("head"))

    @property
    def method(self) -> str:
        """Which of its curves it belongs to: ddqn, or with a twin ddqn-dt."""
        return str(self._stored("agent"))

    @property
    def seed(self) -> int:
        """Of its cell."""
        return int(self._stored("seed"))

    @property
    def episodes_to_goal(self) -> float:
        """The first episode with the reward at the goal; infinite if there was none."""
        reached = self._stored("episodes_to_goal")
        return float("inf") if reached is None else float(reached)

    def curve(self, column: str) -> npt.NDArray[np.float64]:
        """One of its episodes' columns (episodes,).

        Raises:
            ValueError: they have none of that name.
        """
        if column not in self.episodes:
            raise ValueError(f"run: {str(self.folder / EPISODES)!r} has no column {column!r}")
        return self.episodes[column]

    @property
    def scenario(self) -> Scenario:
        """Of its cell, with the reward it was trained on."""
        given, reward = self.setting("scenario"), self.setting("reward")
        with parsing("run", str(self.folder / SUMMARY)):
            return make_scenario(given, reward)

    @property
    def has_goal(self) -> bool:
        """Whether its scenario rewards a threshold; what the agent learned from may be another reward."""
        return (looked_up(self.summary, "config.scenario.reward.kind") or "shaped") == "shaped"

    def setting(self, key: str) -> Any:
        """What its configuration has at a dotted key.

        Raises:
            ValueError: there is no such key in it.
        """
        return self._stored(f"config.{key}")

    def _stored(self, key: str) -> Any:
        """What its summary has at a dotted key; without it, it is another version's, or damaged."""
        found = looked_up(self.summary, key, looked_up)
        if found is looked_up or (found is None and key == "seed"):
            raise ValueError(f"run: {str(self.folder / SUMMARY)!r} has no {key}; another version wrote it")
        return found

    @property
    def wrappers(self) -> str:
        """Names of the wrappers, the observer and the reward function it was trained under, or ''."""
        env = looked_up(self.summary, "config.env") or {}
        parts = [*(env.get("wrappers") or []), env.get("observer"), env.get("reward_function")]
        return ", ".join(str(looked_up(each, "_target_", each)) for each in parts if each)

    @property
    def keeps_observations(self) -> bool:
        """Whether its agent sees what the scenario's environment shows.

        Raises:
            ValueError: a wrapper is of a module that was not asked for.
        """
        path, env = self.folder / SUMMARY, looked_up(self.summary, "config.env")
        return stored_environments("run", path, self.scenario, env).keep_observations

    @property
    def agent_file(self) -> Path:
        """The file of its agent."""
        return agent_file(self.folder)

    def agent(self, kind: type[BaseAlgorithm] | None = None, *, trust: bool = False) -> BaseAlgorithm | Planner:
        """What it trained.

        Args:
            kind: its class; None: that of the name which its configuration has.
            trust: let its file run code.

        Raises:
            ValueError: its file is missing or damaged, or would run code.
        """
        if self.agent_file.name == PLANNER_FILE:
            return load_planner(self.agent_file, "run")
        target = str(self.setting("agent._target_"))
        if kind is None:
            check_stored_class("run", self.folder / SUMMARY, target)
        return load_agent(self._file(AGENT), kind or target, trust=trust, key="run")

    def history(self) -> History:
        """Its real decisions.

        Raises:
            ValueError: they are missing or damaged.
        """
        return History.load(self._file(HISTORY))

    def twin(self) -> DigitalTwin:
        """Its last twin.

        Raises:
            ValueError: it had none, or the file is damaged.
        """
        return DigitalTwin.load(self._file(TWIN))

    def _file(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise ValueError(f"run: {str(self.folder)!r} has no {name}")
        return path


def read_run(folder: str | Path) -> Run:
    """The finished run in a folder.

    Args:
        folder: of the run.

    Raises:
        ValueError: there is none.
    """
    folder = Path(folder)
    try:
        summary = read_summary("run", folder / SUMMARY)
        if summary.get("config") is None:
            raise ValueError(f"{SUMMARY} has no configuration; another version wrote it")
        if "rounds_to_goal" in summary:  # as versions before called it
            summary["episodes_to_goal"] = summary.pop("rounds_to_goal")
        episodes = read_episodes(folder)
        return Run(folder, summary, {name: episodes[name].to_numpy(np.float64) for name in episodes})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"run: {str(folder)!r} holds no finished run of experiments.train ({one_line(error)})"
        ) from None


IN_ENVIRONMENTS = "holds an agent whose environments cannot be made here"


def stored_environments(key: str, path: str | Path, scenario: Scenario, env: Mapping[str, Any] | None) -> Environments:
    """The environments that a run's files name, with a scenario; they may name little, see `Environments`.

    Args:
        key: by which the file was given.
        path: of the file, for the message.
        scenario: of all of them.
        env: what the files say.

    Raises:
        ValueError: they name what there is not, or what may not be made.
    """
    with parsing(key, str(path), IN_ENVIRONMENTS):
        return Environments.of(scenario, env, typed=False)


def check_stored_class(key: str, path: str | Path, target: str) -> None:
    """Refuse the class of an agent that a run's files name, if there is none of that name.

    Raises:
        ValueError: the message names the file, too.
    """
    with parsing(key, str(path), "is of a run whose class cannot be found"):
        algorithm_class(target, key)


def read_episodes(folder: Path) -> pd.DataFrame:
    """The episodes of a run, a row each.

    Raises:
        OSError, ValueError: there are none.
    """
    path = folder / EPISODES
    path = path if path.is_file() else folder / "rounds.csv"  # as versions before called it
    header, rows = read_csv("run", path)
    if not rows:
        raise ValueError(f"{path.name} has no rows")
    columns = {name: [row[n] for row in rows] for n, name in enumerate(header)}
    return pd.DataFrame({name: _numbers(path, name, texts) for name, texts in columns.items()}).rename(
        columns={"round": "episode"}
    )


def _numbers(path: Path, name: str, texts: Sequence[str]) -> Any:
    """The finite numbers in a column, of as few bytes as pandas takes for them."""
    with parsing("run", path, f"has another thing than finite numbers in the column {name!r}"):
        found = pd.to_numeric(pd.Series(texts))
        if found.dtype.kind not in "iuf" or not np.isfinite(found.to_numpy(np.float64)).all():
            raise ValueError("such as inf")
        return found


def find_runs(given: str | Path | Sequence[Run], agents: Sequence[str] | None = None, key: str = "folder") -> list[Run]:
    """Finished runs: every one in a folder or below it, or those that were given.

    Args:
        given: a run, a folder of runs, the agent's file of one run, or runs.
        agents: only those of these names (ddqn, ddqn-dt, ...), if any are given.
        key: what the folder is called where it was given.

    Raises:
        FileNotFoundError: there is none.
        ValueError: one is there twice, or there is none of these names.
    """
    runs = _runs_below(Path(given), key) if isinstance(given, str | Path) else list(given)
    if not runs:
        raise ValueError(f"{key}: none given, allowed are one or more")
    seen: dict[tuple[object, ...], Run] = {}
    for run in runs:
        identity = (*run.group, run.method, run.seed)
        if identity in seen:
            raise ValueError(f"{key}: {'/'.join(map(str, identity))} is there twice, {_twice(seen[identity], run)}")
        seen[identity] = run
    if not agents:
        return runs
    methods = {run.method for run in runs}
    for name in agents:
        if name not in methods:
            raise ValueError(unknown_name("agents", name, methods))
    return [run for run in runs if run.method in agents]


def _twice(one: Run, other: Run) -> str:
    """Where two runs are that go by one name, what differs in them, and what can be done."""
    found = differences(comparable(one.summary["config"]), comparable(other.summary["config"]))
    shown_of = [f"{key} {shown(own, 40)} and {shown(its, 40)}" for key, own, its in found[:3]]
    differ = f"; they differ in {', '.join(shown_of)}{', ...' if len(found) > 3 else ''}" if found else ""
    what = "name a folder that holds one of them"
    if found:
        what = _names_of_their_own(one, *found[0]) + (
            "move the runs of one setting into a folder of their own and name that; python -m experiments.report of "
            "the folder of all of them compares all settings"
        )
    return f"in {str(one.folder)!r} and {str(other.folder)!r}{differ}: {what}"


def _names_of_their_own(run: Run, key: str, *values: Any) -> str:
    """What a sweep over a setting is typed with, so that its runs have names that tell them apart; or nothing."""
    name = looked_up(run.summary, "config.agent.name")
    if not isinstance(name, str) or not all(isinstance(value, bool | int | float | str) for value in values):
        return ""
    return f"type 'agent.name={name}-${{{key}}}' in the sweep, and its runs have names of their own; of these "


def _runs_below(folder: Path, key: str) -> list[Run]:
    paths = [folder.parent / SUMMARY] if folder.name in (AGENT, PLANNER_FILE) else sorted(folder.rglob(SUMMARY))
    if not paths:
        missing = "" if folder.exists() else ", which does not exist"
        raise FileNotFoundError(f"{key}: no finished run ({SUMMARY}) below {str(folder)!r}{missing}")
    return [read_run(path.parent) for path in paths]


def common_scenario(runs: Sequence[Run]) -> Scenario:
    """The scenario of runs, as their configurations have it.

    Args:
        runs: one or more.

    Raises:
        ValueError: they have different ones of one name.
    """
    scenario, *others = (make_scenario(run.setting("scenario")) for run in runs)
    if any(other != scenario for other in others):
        raise ValueError(
            f"folder: different scenarios are called {scenario.name!r}; give each a scenario.name of its own"
        )
    return scenario
